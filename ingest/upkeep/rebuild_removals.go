package upkeep

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// adoptRemovals has the ledger and every folder hear of what the log of removals tells,
// before any rows are made: so that nothing is made of a log that is removed. What is
// wrong with the log is a fault; what is before that is heard of.
func (r *rebuilding) adoptRemovals(ctx context.Context) error {
	log := &RemovalLog{DB: r.DB, Archive: r.Archive}
	jobs, err := log.Confirm(ctx)
	r.sum.Removals += jobs
	if errors.Is(err, ErrRemovalsBroken) {
		r.removalsFault("", err.Error())
	} else if err != nil {
		return err
	}
	return r.records(ctx, func(row archive.RemovalsRecord) error { return r.tellFolders(ctx, log, row) })
}

// records reads the log of removals from its beginning, as far as it is whole.
func (r *rebuilding) records(ctx context.Context, visit func(archive.RemovalsRecord) error) error {
	var head *archive.RemovalsRecord
	for {
		row, err := r.Archive.ReadRemovals(ctx, nextNumber(head))
		if errors.Is(err, bucket.ErrNotFound) || errors.Is(err, bucket.ErrUnreadable) || err == nil && !followsRemovals(row, head) {
			return nil // Confirm has told
		}
		if err != nil {
			return err
		}
		if err := visit(row); err != nil {
			return err
		}
		head = &row
	}
}

// tellFolders has the settled.json of each job of a record say at least what that does.
// One that did not, or that says otherwise, is a fault: a removal was stopped, or
// settled.json was lost or changed.
func (r *rebuilding) tellFolders(ctx context.Context, log *RemovalLog, row archive.RemovalsRecord) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(retentionParallel)
	for _, line := range row.Lines {
		g.Go(func() error {
			was, err := log.tellFolder(gctx, line)
			if err != nil || was == saidAsMuch {
				return err
			}
			f := archive.Fault{Kind: archive.FaultSettled, JobID: line.JobID, Key: line.Key().Settled()}
			f.Detail = fmt.Sprintf("record %d of the log of removals tells otherwise what was removed, when, why, or by whom", row.Number)
			if was == saidLess {
				f.Detail = fmt.Sprintf("it did not say that the log was removed, or redacted, as record %d of the log of removals does; it is written again", row.Number)
			}
			r.fault(f)
			return nil
		})
	}
	return g.Wait()
}

// logged notes which removals the log of removals tells of: after the jobs. Of those
// that settled.json alone tells of there are only too many if there is a log: before
// there was one, jobvault removed without.
func (r *rebuilding) logged(ctx context.Context) error {
	log := &RemovalLog{DB: r.DB, Archive: r.Archive}
	err := r.records(ctx, func(row archive.RemovalsRecord) error {
		r.sum.Records++
		err := log.note(ctx, row)
		if errors.Is(err, store.ErrOtherRecord) {
			return nil // Confirm has told
		}
		return err
	})
	if err != nil {
		return err
	}
	ids, err := r.DB.UnloggedRemovals(ctx, 0, maxUnfinished)
	if err != nil || len(ids) == 0 || r.sum.Records == 0 {
		r.sum.Unlogged = len(ids)
		return err
	}
	for _, id := range ids {
		r.sum.Unlogged++
		r.removalsFault("", fmt.Sprintf("the log of removals does not tell of the removal of job %d, which settled.json tells of; a serving jobvault, or retention apply, writes it down", id))
	}
	return nil
}

func (r *rebuilding) removalsFault(key, detail string) {
	r.fault(archive.Fault{Kind: archive.FaultRemovals, Key: key, Detail: detail})
}

// newer has the ledger hear of a removal, or of one more redaction, that the settled.json
// of a job tells of and the ledger does not: the database is older than that. It says
// whether it was so.
func (r *rebuilding) newer(ctx context.Context, f folder, steps int) (bool, error) {
	o, ok := f.objects[archive.SettledName]
	if !ok {
		return false, nil
	}
	raw, s, err := r.Archive.SettledBytes(ctx, f.key)
	if err == nil {
		_, err = record.IsRemoval(s)
	}
	if errors.Is(err, bucket.ErrUnreadable) {
		return false, archive.Fault{Kind: archive.FaultSettled, JobID: f.key.JobID, Key: f.key.Settled(), Detail: err.Error()}
	}
	if err != nil || s.Steps() <= steps {
		return false, err
	}
	return true, ingest.AdoptRemovalRecord(ctx, r.DB, r.Archive, f.key, s, record.DetailsOf(raw), o.ModTime)
}
