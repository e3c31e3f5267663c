package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// ListedLog is as much of a job's log as it takes to see whether it has to be read.
type ListedLog struct {
	JobID       int64
	CreatedAt   *time.Time // of the job
	State       string
	ObjectKey   *string
	SHA256      []byte `db:"sha256"`
	FilterBytes *int64 // nil: it has no filters
	RawBytes    *int64
	Frames      int
}

// Place is the place after the log's job.
func (l ListedLog) Place() Place { return JobSummary{ID: l.JobID, CreatedAt: l.CreatedAt}.Place() }

// LogPage lists the logs of the jobs that JobPage lists.
func (db *DB) LogPage(ctx context.Context, f JobFilter) (logs []ListedLog, next *Place, err error) {
	err = db.inTx(ctx, "list logs", func(ctx context.Context, tx pgx.Tx) error {
		if err := f.resolve(ctx, tx); err != nil {
			return err
		}
		if f.Repositories != nil && len(f.Repositories) == 0 {
			return nil
		}
		way, err := f.way(ctx, tx)
		if err != nil {
			return err
		}
		const columns = `g.job_id, j.created_at, g.state, g.object_key, g.sha256, g.filter_bytes, g.raw_bytes, coalesce(cardinality(g.frame_offsets), 0) AS frames`
		logs, next, err = pageOf(ctx, tx, f, way, columns, ListedLog.Place)
		return err
	})
	return logs, next, err
}
