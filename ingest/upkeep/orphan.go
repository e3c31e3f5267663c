package upkeep

import (
	"context"
	"errors"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// orphanAge is how old an object must be to be an orphan: a job's details are in
// the bucket before its row is written.
const orphanAge = time.Hour

// orphans goes through the bucket and reports objects that the ledger does not
// know. It removes none: nothing says that they are worth nothing.
func (r *verification) orphans(ctx context.Context) error {
	prefix := ""
	if r.o.RepositoryID != 0 {
		prefix = archive.RepositoryPrefix(r.o.RepositoryID)
	}
	var batch []bucket.Object
	for o, err := range r.Archive.Bucket().List(ctx, prefix) {
		if err != nil {
			return err
		}
		if batch = append(batch, o); len(batch) < verifyBatch {
			continue
		}
		if err := r.orphansAmong(ctx, batch); err != nil {
			return err
		}
		batch = batch[:0]
	}
	return r.orphansAmong(ctx, batch)
}

func (r *verification) orphansAmong(ctx context.Context, objects []bucket.Object) error {
	var ids []int64
	for _, o := range objects {
		if k, _, ok := archive.ParseKey(o.Key); ok {
			ids = append(ids, k.JobID)
		}
	}
	lines, err := r.DB.LedgerOf(ctx, ids)
	if err != nil {
		return err
	}
	if err := r.strayRuns(ctx, objects); err != nil {
		return err
	}
	for _, o := range objects {
		r.Count(func(sum *VerifyResult) { sum.Objects++ })
		if err := r.unknownRemoval(ctx, o, lines); err != nil {
			return err
		}
		if why, jobID := r.orphaned(o, lines); why != "" {
			r.reportFault(Fault{Fault: archive.Fault{Kind: archive.FaultOrphan, JobID: jobID, Key: o.Key, Detail: why}})
		}
	}
	return nil
}

// unknownRemoval reports a record of a removal that the ledger does not know of, beside a
// log that it calls archived: the database is older than the removal.
func (r *verification) unknownRemoval(ctx context.Context, o bucket.Object, lines map[int64]store.LedgerLine) error {
	k, name, ok := archive.ParseKey(o.Key)
	l := lines[k.JobID]
	if !ok || name != archive.SettledName || l.State != store.LogArchived || record.KeyOfLedgerLine(l) != k {
		return nil
	}
	s, err := r.Archive.Settled(ctx, k)
	if errors.Is(err, bucket.ErrNotFound) {
		return nil
	}
	if err != nil && !errors.Is(err, bucket.ErrUnreadable) {
		return err
	}
	now, err := r.DB.JobLog(ctx, k.JobID)
	if err != nil || now.State == store.LogRemoved {
		return err // meanwhile
	}
	if s.State != store.LogRemoved {
		// Of what it was before there was a log. In a row of before it was noted, null says
		// that nobody has looked.
		if now.SettledBytes == nil || *now.SettledBytes > 0 || r.started.Sub(o.ModTime) < orphanAge {
			return nil
		}
		return r.fault(ctx, l, archive.Fault{Kind: archive.FaultSettled, JobID: k.JobID, Key: o.Key, Detail: "the ledger says that there was none"}, nil)
	}
	return r.fault(ctx, l, archive.Fault{Kind: archive.FaultSettled, JobID: k.JobID, Key: o.Key, Detail: "it says removed, the ledger archived"}, r.repairRestored)
}

// orphaned says why an object is one, or nothing.
func (r *verification) orphaned(o bucket.Object, lines map[int64]store.LedgerLine) (why string, jobID int64) {
	k, name, ok := archive.ParseKey(o.Key)
	if _, manifest := archive.ParseManifestKey(o.Key); manifest {
		return "", 0
	}
	if _, row := archive.ParseRemovalsKey(o.Key); row {
		return "", 0
	}
	if _, run := archive.ParseRunKey(o.Key); run {
		return "", 0
	}
	if !ok {
		return "no key of jobvault's", 0
	}
	l, known := lines[k.JobID]
	switch {
	case !known && r.started.Sub(o.ModTime) < orphanAge:
		return "", 0
	case !known:
		return "no such job is known; jobvault rebuild makes its rows", k.JobID
	case record.KeyOfLedgerLine(l) != k:
		return "the job's own folder is another: " + record.KeyOfLedgerLine(l).Details(), k.JobID
	case name == archive.RedactedName && (l.State == store.LogArchived || l.State == store.LogPending):
		return "no row tells of this copy: a redaction was stopped", k.JobID
	case name != archive.LogName:
		return "", 0
	}
	switch l.State {
	case store.LogArchived:
		if o.Key == *l.ObjectKey || archive.LogNumber(o.Key) <= len(l.Shorter)+1 || r.started.Sub(o.ModTime) < orphanAge {
			return "", 0
		}
		return "no row tells of this longer log; jobvault rebuild has the ledger hear of it, if it begins with the archived one", k.JobID
	case store.LogRemoved, store.LogPending, store.LogDenied:
		return "", 0
	}
	return "the ledger says " + l.State, k.JobID
}
