package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/store"
)

// Remover removes logs: by rules, or because somebody says so. A removal has four
// steps, and may be stopped or killed after each: the ledger says removed; the bucket
// says so (settled.json); the objects go; that they are gone is noted. What is not
// finished is finished by whoever comes next.
type Remover struct {
	DB      *store.DB
	Archive *archive.Archive
	// Now is for tests. Nil: time is Postgres', asked in the transaction that decides,
	// which fails with store.SkewError if this process's clock is too far from it.
	Now func() time.Time
}

// at is the time of a change for the store: zero is Postgres' now().
func (m *Remover) at() time.Time {
	if m.Now == nil {
		return time.Time{}
	}
	return m.Now()
}

// Unfinished is a removal of which the bucket has something still, and why.
type Unfinished struct {
	JobID int64  `json:"job_id"`
	Hold  *int64 `json:"hold"` // the legal hold that keeps it; nil: none does
	Error string `json:"error,omitempty"`
}

// finish has the bucket do what the ledger says. What a legal hold keeps, ours or the
// bucket's own, is no error but told of.
func (m *Remover) finish(ctx context.Context, jobID int64) (*Unfinished, error) {
	err := m.DB.FinishRemoval(ctx, jobID, m.Now, m.keep, m.purge)
	var held *store.HeldError
	switch {
	case errors.As(err, &held):
		return &Unfinished{JobID: jobID, Hold: &held.Hold.ID, Error: held.Error()}, nil
	case errors.Is(err, archive.ErrLocked):
		return &Unfinished{JobID: jobID, Error: err.Error()}, nil
	case err != nil:
		return nil, fmt.Errorf("the removal of the log of job %d is not finished; run this again: %w", jobID, err)
	}
	return nil, nil
}

func (m *Remover) keep(ctx context.Context, r store.RemovalRecord) error {
	return m.Archive.ReplaceSettled(ctx, keyOf(r.Job), removedAs(r))
}

// purge removes what is left: what the ledger names, and copies that a killed redaction
// left without a row.
func (m *Remover) purge(ctx context.Context, r store.RemovalRecord) error {
	key, present := keyOf(r.Job), ""
	keys := append(key.LogObjects(), r.Removal.ObjectKey)
	for _, c := range r.Redactions {
		if c.RemovedAt != nil {
			keys = append(keys, c.ObjectKey)
		} else {
			present = c.ObjectKey
		}
	}
	left, err := leftOf(ctx, m.Archive, key, present)
	if err != nil {
		return err
	}
	return purgeAll(ctx, m.Archive, append(keys, left...))
}

// purgeAll goes on where one object cannot be removed.
func purgeAll(ctx context.Context, a *archive.Archive, keys []string) error {
	var errs []error
	done := make(map[string]bool)
	for _, key := range keys {
		if !done[key] {
			done[key] = true
			errs = append(errs, a.Bucket().Purge(ctx, key))
		}
	}
	return errors.Join(errs...)
}

// FinishAll finishes what removals were stopped in the middle, and says how many it
// finished. It calls report for each that stays unfinished, and fails only if Postgres
// or the bucket does not answer, or the bucket refuses.
func (m *Remover) FinishAll(ctx context.Context, report func(Unfinished)) (finished int, err error) {
	const batch = 200
	for after := int64(0); ; {
		removals, err := m.DB.UnfinishedRemovals(ctx, after, batch)
		if err != nil || len(removals) == 0 {
			return finished, err
		}
		for _, r := range removals {
			after = r.JobID
			left, err := m.finish(ctx, r.JobID)
			switch {
			case err != nil:
				return finished, err
			case left != nil:
				report(*left)
			default:
				finished++
			}
		}
	}
}

// takeBackRemoved removes a log that was put into the bucket although the ledger says
// removed by now: by a worker that began before that, and is slow.
func takeBackRemoved(ctx context.Context, db *store.DB, a *archive.Archive, key archive.JobKey) error {
	l, err := db.JobLog(ctx, key.JobID)
	if err != nil || l.State != store.LogRemoved {
		return err
	}
	return purgeAll(ctx, a, key.LogObjects())
}
