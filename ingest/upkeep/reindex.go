package upkeep

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// Reindexer reads archived logs again for which lines are their steps', for what their jobs
// used, and for the filters with which they are searched: those that were archived before
// jobvault knew how. It may be repeated, and killed: what is read is not read again.
type Reindexer struct {
	DB      *store.DB
	Archive *archive.Archive
}

// ReindexResult sums up what Reindex did.
type ReindexResult struct {
	Jobs   int   `json:"jobs"`
	Bytes  int64 `json:"raw_bytes"`
	Faults int   `json:"faults"` // logs that cannot be read
}

// Reindex reads the logs, parallel ones at a time; with again, also those that need not
// be. It calls report for each fault, and progress after each log, one call at a
// time. It fails only if Postgres or the bucket does not answer.
func (x *Reindexer) Reindex(ctx context.Context, again bool, parallel int, report func(archive.Fault), progress func(ReindexResult)) (ReindexResult, error) {
	var mu sync.Mutex
	var sum ReindexResult
	const batch = 200
	err := inBatches(ctx, parallel,
		func(after int64) ([]store.JobLog, error) { return x.DB.LogsToReindex(ctx, after, again, batch) },
		func(l store.JobLog) int64 { return l.JobID },
		func(ctx context.Context, l store.JobLog) error {
			fault, err := x.log(ctx, l)
			if err != nil {
				return fmt.Errorf("read the log of job %d: %w", l.JobID, err)
			}
			mu.Lock()
			defer mu.Unlock()
			sum.Jobs++
			sum.Bytes += *l.RawBytes
			if fault != nil {
				sum.Faults++
				report(*fault)
			}
			progress(sum)
			return nil
		})
	if err != nil {
		return sum, err
	}
	return sum, x.DB.RollUpAllActions(ctx) // there may be no worker that does
}

// log reads one log. What is not what the ledger says tells nothing.
func (x *Reindexer) log(ctx context.Context, l store.JobLog) (*archive.Fault, error) {
	key, _, ok := archive.ParseKey(*l.ObjectKey)
	if !ok {
		return &archive.Fault{Kind: archive.FaultUnread, JobID: l.JobID, Key: *l.ObjectKey, Detail: "this is no key of a log"}, nil
	}
	log, err := x.Archive.AdoptLog(ctx, *l.ObjectKey, new(record.DigestOf(l.SHA256)))
	switch {
	case errors.Is(err, archive.ErrFilters):
		return nil, err
	case errors.Is(err, bucket.ErrUnreadable), errors.Is(err, bucket.ErrNotFound):
		return &archive.Fault{Kind: archive.FaultUnread, JobID: l.JobID, Key: *l.ObjectKey, Detail: err.Error()}, nil
	case errors.Is(err, archive.ErrDigestMismatch):
		return &archive.Fault{Kind: archive.FaultUnread, JobID: l.JobID, Key: *l.ObjectKey, Detail: fmt.Sprintf("its digest is %x, the ledger says %x", log.SHA256, l.SHA256)}, nil
	case err != nil:
		return nil, err
	}
	recorded, err := recordIndex(ctx, x.DB, l.JobID, log)
	if err == nil && !recorded {
		err = ingest.PurgeLateLog(ctx, x.DB, x.Archive, key)
	}
	return nil, err
}

// recordIndex writes what an archived log tells, and says whether it did: see
// store.DB.RecordIndex.
func recordIndex(ctx context.Context, db *store.DB, jobID int64, log archive.Log) (bool, error) {
	return db.RecordIndex(ctx, jobID, log.SHA256[:], record.StepAligner(log.Index), log.Index.Usage, log.FilterBytes)
}
