package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// ListedLog is a job's line in the ledger, as a list of logs has it: not who removed it,
// and what is left.
type ListedLog struct {
	JobLog
	CreatedAt *time.Time // of the job
}

// Cursor returns where a list continues after the log's job.
func (l ListedLog) Cursor() Cursor { return JobSummary{ID: l.JobID, CreatedAt: l.CreatedAt}.Cursor() }

// LogPage lists the logs of the jobs that JobPage lists.
func (db *DB) LogPage(ctx context.Context, f JobFilter) (logs []ListedLog, next *Cursor, err error) {
	err = db.inTx(ctx, "list logs", func(ctx context.Context, tx pgx.Tx) error {
		if err := f.resolve(ctx, tx); err != nil {
			return err
		}
		if f.Repositories != nil && len(f.Repositories) == 0 {
			return nil
		}
		plan, err := f.plan(ctx, tx)
		if err != nil {
			return err
		}
		logs, next, err = pageOf(ctx, tx, f, plan, "g."+jobLogColumns+`, j.created_at`, ListedLog.Cursor)
		return err
	})
	return logs, next, err
}
