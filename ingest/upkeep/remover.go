package upkeep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// Remover removes logs: by rules, or because somebody says so. A removal has five
// steps, and may be stopped or killed after each:
//
//  1. The ledger says removed, and what quotes the log goes from its tables: one
//     transaction. Before it, there is nothing to be undone.
//  2. The log of removals in the bucket tells of it (RemovalLog). Killed before this,
//     the bucket has all of the log still, and a database that is lost now takes the
//     decision with it: nothing of it was done.
//  3. The folder's settled.json says so.
//  4. The objects go, and are looked for again.
//  5. That they are gone is noted.
//
// What is not finished is finished by whoever comes next: a serving jobvault within a
// minute, Apply, or Redact. No step is harmed by being done twice, nor by two at once: 2
// is done by one at a time, and 3 to 5 under the locks of the job.
type Remover struct {
	DB      *store.DB
	Archive *archive.Archive
	// Now is for tests. Nil: time is Postgres', asked in the transaction that decides,
	// which fails with store.SkewError if this process's clock is too far from it.
	Now func() time.Time
	// Renamed is told of each log that Apply leaves because its repository was renamed, one
	// call at a time; nil: nobody is.
	Renamed func(*store.RenamedError)
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
	JobID     int64  `json:"job_id"`
	Hold      *int64 `json:"hold"` // the legal hold that keeps it; nil: none does
	Error     string `json:"error,omitempty"`
	Undecided bool   `json:"undecided,omitempty"` // the ledger does not call it removed either: it could not be changed
}

func (m *Remover) log() *RemovalLog { return &RemovalLog{DB: m.DB, Archive: m.Archive} }

// finish has the bucket do what the ledger says, once the log of removals tells of it.
// What a hold keeps, and what cannot be done of this one removal, is no error but told
// of; an error is one of everything: Postgres or the bucket is away, or the clock is wrong.
// Not done, and nothing told: the log of removals does not tell of it, although Append was
// called. Then Append has said why, or somebody decided it since and goes on with it.
func (m *Remover) finish(ctx context.Context, jobID int64) (done bool, left *Unfinished, err error) {
	err = m.DB.FinishRemoval(ctx, jobID, m.Now, m.writeSettled, m.purge)
	var held *store.HeldError
	switch {
	case err == nil:
		return true, nil, nil
	case errors.Is(err, store.ErrUnlogged):
		return false, nil, nil
	case errors.As(err, &held):
		return false, &Unfinished{JobID: jobID, Hold: &held.Hold.ID, Error: held.Error()}, nil
	}
	if err := m.away(ctx, err); err != nil {
		return false, nil, fmt.Errorf("the removal of the log of job %d is not finished: %w", jobID, err)
	}
	if derr := m.DB.DelayRemoval(ctx, jobID, err.Error()); derr != nil {
		err = errors.Join(err, derr)
	}
	return false, &Unfinished{JobID: jobID, Error: err.Error()}, nil
}

// awayTime is how long Postgres and the bucket have to show that they are there.
const awayTime = 10 * time.Second

// away tells, after something failed, whether that is because nothing can be done: the
// caller stops, this machine's clock is wrong, or Postgres or the bucket does not answer.
func (m *Remover) away(ctx context.Context, failed error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var skew *store.SkewError
	if errors.As(failed, &skew) {
		return failed
	}
	ctx, cancel := context.WithTimeout(ctx, awayTime)
	defer cancel()
	if err := m.DB.Ping(ctx); err != nil {
		return fmt.Errorf("the database is away: %w", err)
	}
	if err := m.Archive.Bucket().Check(ctx); err != nil {
		return fmt.Errorf("the bucket is away: %w", err)
	}
	return nil
}

// writeSettled has settled.json say that a log is removed. If that tells of more than the
// ledger, it fails with ErrOlderDatabase, before anything goes.
func (m *Remover) writeSettled(ctx context.Context, r store.RemovedJob) (store.Details, error) {
	kept, err := ingest.ReplaceSettled(ctx, m.Archive, record.KeyOf(r.Job), record.SettledOfRemoval(r))
	return *record.DetailsOf(kept), err
}

// purge removes what is left: what the ledger names, and copies that a killed redaction
// left without a row. Then it looks whether all of it is gone.
func (m *Remover) purge(ctx context.Context, r store.RemovedJob) error {
	key, present := record.KeyOf(r.Job), ""
	// One more than the ledger tells of: its worker may have been killed.
	keys := append(key.LogObjects(len(r.Log.Shorter)+2), r.Removal.ObjectKey)
	for _, c := range r.Redactions {
		if c.RemovedAt != nil {
			keys = append(keys, c.ObjectKey)
		} else {
			present = c.ObjectKey
		}
	}
	left, err := ingest.RemainingObjects(ctx, m.Archive, key, present)
	if err != nil {
		return err
	}
	if err := ingest.PurgeAll(ctx, m.Archive, append(keys, left...)); err != nil {
		return err
	}
	return ingest.CheckPurged(ctx, m.Archive, key, present)
}
