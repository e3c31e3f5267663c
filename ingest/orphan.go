package ingest

import (
	"context"
	"time"

	"github.com/jobvault/jobvault/archive"
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
	var batch []archive.Object
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

func (r *verification) orphansAmong(ctx context.Context, objects []archive.Object) error {
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
	for _, o := range objects {
		r.count(func(sum *Verified) { sum.Objects++ })
		if why, jobID := r.orphaned(o, lines); why != "" {
			if err := r.fault(ctx, store.LedgerLine{}, Fault{Kind: FaultOrphan, JobID: jobID, Key: o.Key, Detail: why}, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// orphaned says why an object is one, or nothing.
func (r *verification) orphaned(o archive.Object, lines map[int64]store.LedgerLine) (why string, jobID int64) {
	k, name, ok := archive.ParseKey(o.Key)
	if _, manifest := archive.ParseManifestKey(o.Key); manifest {
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
	case keyOfLine(l) != k:
		return "the job's own folder is another: " + keyOfLine(l).Details(), k.JobID
	case name != archive.LogName:
		return "", 0
	}
	switch l.State {
	case store.LogArchived, store.LogRemoved, store.LogPending, store.LogDenied:
		return "", 0
	}
	return "the ledger says " + l.State, k.JobID
}
