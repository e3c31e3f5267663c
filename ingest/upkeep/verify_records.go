package upkeep

import (
	"context"
	"errors"
	"fmt"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// details looks for job.json and its size, and into it if deep.
func (r *verification) details(ctx context.Context, l store.LedgerLine, key archive.JobKey) error {
	f := archive.Fault{Kind: archive.FaultDetails, JobID: l.JobID, Key: key.Details(), Detail: "there is no such object"}
	err := r.checkDetails(ctx, l, key)
	if errors.Is(err, bucket.ErrUnreadable) {
		f.Detail = err.Error()
		return r.fault(ctx, l, f, nil)
	}
	if absent, err := r.Archive.Missing(ctx, err); err != nil || !absent {
		return err
	}
	return r.fault(ctx, l, f, r.repairDetails)
}

func (r *verification) checkDetails(ctx context.Context, l store.LedgerLine, key archive.JobKey) error {
	if !r.o.Deep {
		size, err := r.Archive.Bucket().Size(ctx, key.Details())
		if err == nil && l.DetailsBytes != nil && size != *l.DetailsBytes {
			err = fmt.Errorf("%w: it has %d bytes, the ledger says %d", bucket.ErrUnreadable, size, *l.DetailsBytes)
		}
		return err
	}
	raw, err := r.Archive.Details(ctx, key)
	if err != nil {
		return err
	}
	if l.DetailsSHA256 != nil {
		if err := sameDigest(raw, l.DetailsSHA256); err != nil {
			return err
		}
	}
	if _, err := record.FactsOfDetails(raw, key, l.Repository); err != nil {
		return fmt.Errorf("%w: %w", bucket.ErrUnreadable, err)
	}
	return nil
}

// sameDigest wants an object to be the one that was noted, or fails with ErrUnreadable.
func sameDigest(raw, noted []byte) error {
	if d := record.DetailsOf(raw); string(d.SHA256[:]) != string(noted) {
		return fmt.Errorf("%w: it has SHA-256 %x, the ledger says %x", bucket.ErrUnreadable, d.SHA256, noted)
	}
	return nil
}

// record reads settled.json. changed says how it is another one than was noted when it
// was put; nil: it is that, or none was noted. Absent: found is false.
func (r *verification) record(ctx context.Context, l store.LedgerLine, key archive.JobKey) (s archive.Settled, found bool, changed, err error) {
	raw, s, err := r.Archive.SettledBytes(ctx, key)
	if errors.Is(err, bucket.ErrUnreadable) {
		return s, true, err, nil
	}
	if absent, err := r.Archive.Missing(ctx, err); err != nil || absent {
		return s, false, nil, err
	}
	if l.SettledSHA256 != nil {
		changed = sameDigest(raw, l.SettledSHA256)
	}
	return s, true, changed, nil
}

// unreadable says why nobody can tell from a record what became of the job; nil: one can.
func unreadable(s archive.Settled, changed error) error {
	if s.State == "" && errors.Is(changed, bucket.ErrUnreadable) {
		return changed
	}
	_, err := record.IsRemoval(s)
	return err
}

// settled looks into the record of why there is no log. It is small, and read always.
func (r *verification) settled(ctx context.Context, l store.LedgerLine, key archive.JobKey) error {
	f := archive.Fault{Kind: archive.FaultSettled, JobID: l.JobID, Key: key.Settled()}
	s, found, changed, err := r.record(ctx, l, key)
	switch {
	case err != nil:
		return err
	case !found:
		f.Detail = "there is no such object"
		return r.fault(ctx, l, f, r.repairSettled)
	case unreadable(s, changed) != nil:
		f.Detail = unreadable(s, changed).Error()
		return r.fault(ctx, l, f, r.repairUnreadable)
	case changed != nil:
		f.Detail = changed.Error()
		return r.fault(ctx, l, f, func(ctx context.Context, l store.LedgerLine) (bool, string, error) {
			return r.rewriteSettled(ctx, l, record.SettledOf(l.JobLog))
		})
	case s.State != l.State:
		f.Detail = fmt.Sprintf("it says %s, the ledger %s", s.State, l.State)
		return r.fault(ctx, l, f, nil)
	}
	return nil
}

// settledBefore verifies the record of what a job was before its log came, if one was noted.
func (r *verification) settledBefore(ctx context.Context, l store.LedgerLine, key archive.JobKey) error {
	if l.SettledSHA256 == nil {
		return nil
	}
	f := archive.Fault{Kind: archive.FaultSettled, JobID: l.JobID, Key: key.Settled(), Detail: "there is no such object"}
	s, found, changed, err := r.record(ctx, l, key)
	switch {
	case err != nil:
		return err
	case found && changed == nil && s.State != store.LogRemoved:
		return nil
	case found && s.State == store.LogRemoved && r.o.Since.IsZero() && r.o.Sample == 0:
		return nil // it is told of when the bucket is listed
	case changed != nil:
		f.Detail = changed.Error()
	case found:
		f.Detail = "it says removed, the ledger archived"
	}
	return r.fault(ctx, l, f, nil)
}
