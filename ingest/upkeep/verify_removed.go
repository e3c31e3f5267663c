package upkeep

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// removed verifies a removed log: that the bucket says so, that nothing of it is left
// but what a legal hold keeps, and that the redacted copy is whole, if there is one.
func (r *verification) removed(ctx context.Context, l store.LedgerLine, key archive.JobKey) error {
	row, err := r.DB.Removal(ctx, l.JobID)
	if errors.Is(err, store.ErrNotFound) {
		return r.fault(ctx, l, archive.Fault{Kind: archive.FaultSettled, JobID: l.JobID, Key: key.Settled(), Detail: "the ledger says removed, and not what"}, nil)
	}
	if err != nil {
		return err
	}
	if err := r.removedSettled(ctx, l, key, row); err != nil {
		return err
	}
	present := ""
	if c := row.Present(); c != nil {
		present = c.ObjectKey
		if err := r.redacted(ctx, l, *c); err != nil {
			return err
		}
	}
	f, err := r.remaining(ctx, l, key, present)
	if err != nil || f.Kind == "" {
		return err
	}
	if row.Removal.FinishedAt == nil {
		var held *store.HeldError
		if err := r.DB.CheckHold(ctx, l.JobID); errors.As(err, &held) {
			return nil // it keeps what it came in time for
		} else if err != nil {
			return err
		}
		f.Detail += "; a serving jobvault, or the next retention apply, sees to it"
		if why := row.Removal.Error; why != nil {
			f.Detail += ", and could not: " + *why
		}
	}
	return r.fault(ctx, l, f, r.repairUnremoved)
}

// remaining says what is still there of a removed log; deep, also what is hidden in a bucket
// that keeps versions. Without a kind: nothing is.
func (r *verification) remaining(ctx context.Context, l store.LedgerLine, key archive.JobKey, present string) (f archive.Fault, err error) {
	left, err := ingest.RemainingObjects(ctx, r.Archive, key, present)
	if err != nil {
		return f, err
	}
	if len(left) > 0 {
		f = archive.Fault{Kind: archive.FaultUnremoved, JobID: l.JobID, Key: left[0], Detail: "the ledger says that it is removed"}
		if len(left) > 1 {
			f.Detail += "; also " + strings.Join(left[1:], ", ")
		}
		return f, nil
	}
	if !r.o.Deep {
		return f, nil
	}
	err = ingest.CheckPurged(ctx, r.Archive, key, present)
	if errors.Is(err, ingest.ErrIncompleteListing) {
		// Where the record is not there at all, that was told, and says nothing of the list.
		if _, serr := r.Archive.Bucket().Size(ctx, key.Settled()); serr != nil {
			if errors.Is(serr, bucket.ErrNotFound) {
				serr = nil
			}
			return f, serr
		}
	}
	if ingest.IsNotPurged(err) {
		return archive.Fault{Kind: archive.FaultUnremoved, JobID: l.JobID, Key: key.Prefix(), Detail: "the ledger says that it is removed: " + err.Error()}, nil
	}
	return f, err
}

// removedSettled compares what the bucket says of a removal with the ledger.
func (r *verification) removedSettled(ctx context.Context, l store.LedgerLine, key archive.JobKey, row store.RemovedJob) error {
	f := archive.Fault{Kind: archive.FaultSettled, JobID: l.JobID, Key: key.Settled()}
	s, found, changed, err := r.record(ctx, l, key)
	want := record.SettledOfRemoval(row)
	switch {
	case err != nil:
		return err
	case !found:
		f.Detail = "there is no such object"
	case changed != nil:
		f.Detail = changed.Error()
		return r.fault(ctx, l, f, r.rewriteRemoved)
	case s.State != l.State:
		f.Detail = fmt.Sprintf("it says %s, the ledger %s", s.State, l.State)
	case s.Removal == nil || s.Removal.SHA256 != want.Removal.SHA256:
		f.Detail = fmt.Sprintf("it does not say that the log with SHA-256 %x was removed", l.SHA256)
	case len(s.Redactions) != len(want.Redactions):
		f.Detail = fmt.Sprintf("it tells of %d redacted copies, the ledger of %d", len(s.Redactions), len(want.Redactions))
	default:
		return nil
	}
	if found && changed == nil && l.SettledSHA256 != nil {
		f.Detail += "; it is the one that was noted, so that the database has another row"
		return r.fault(ctx, l, f, nil)
	}
	return r.fault(ctx, l, f, r.repairRemoved)
}

// redacted verifies the copy that is left of a log.
func (r *verification) redacted(ctx context.Context, l store.LedgerLine, c store.Redaction) error {
	r.Count(func(sum *VerifyResult) { sum.Logs++ })
	damage, err := r.Archive.Verify(ctx, logOfCopy(c), r.o.Deep)
	if err != nil {
		return fmt.Errorf("verify job %d: %w", l.JobID, err)
	}
	if r.o.Deep {
		r.Count(func(sum *VerifyResult) { sum.RawBytes += c.RawBytes })
	}
	if damage == nil {
		return nil
	}
	// GitHub has no such text: there is nothing to make it of.
	damage.JobID = l.JobID
	return r.fault(ctx, l, *damage, nil)
}

func logOfCopy(c store.Redaction) archive.Log {
	return archive.Log{
		LogLayout: archive.LogLayout{
			Key: c.ObjectKey, RawBytes: c.RawBytes, StoredBytes: c.StoredBytes, Lines: c.Lines, FrameLines: c.FrameLines, FrameOffsets: c.FrameOffsets,
		},
		SHA256: record.DigestOf(c.SHA256), StoredSHA256: record.DigestOf(c.StoredSHA256),
	}
}

// repairRemoved writes into the bucket again that a log is removed.
func (r *verification) repairRemoved(ctx context.Context, l store.LedgerLine) (bool, string, error) {
	row, err := r.DB.Removal(ctx, l.JobID)
	if err != nil {
		return false, "", err
	}
	return r.writeSettled(ctx, l, record.SettledOfRemoval(row), r.replaceSettled)
}

// rewriteRemoved is rewriteSettled for a removed log.
func (r *verification) rewriteRemoved(ctx context.Context, l store.LedgerLine) (bool, string, error) {
	row, err := r.DB.Removal(ctx, l.JobID)
	if err != nil {
		return false, "", err
	}
	return r.rewriteSettled(ctx, l, record.SettledOfRemoval(row))
}

// repairUnremoved removes what is left of a removed log.
func (r *verification) repairUnremoved(ctx context.Context, l store.LedgerLine) (bool, string, error) {
	if err := r.DB.ReopenRemoval(ctx, l.JobID); err != nil {
		return false, "", err
	}
	left, err := (&Remover{DB: r.DB, Archive: r.Archive}).finishNow(ctx, l.JobID)
	if left != nil {
		return false, left.Error, nil
	}
	return err == nil, "removed", err
}

// repairRestored has the ledger say what the bucket does of a removed log, where the
// database is older than the removal. It says whether it was that.
func (r *verification) repairRestored(ctx context.Context, l store.LedgerLine) (bool, string, error) {
	is, _, err := ingest.AdoptRemoval(ctx, r.DB, r.Archive, record.KeyOfLedgerLine(l), r.Now())
	return is && err == nil, "the bucket says that it was removed; the ledger is corrected", err
}
