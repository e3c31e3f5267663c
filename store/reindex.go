package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/archive/ngram"
)

// RecordIndex writes what was read from an archived log again: the lines of its steps, what
// the job used, and the size of the object with its filters (0: it has none). It writes
// nothing, and says so, if the job has no archived log with this digest any more.
func (db *DB) RecordIndex(ctx context.Context, jobID int64, sha256 []byte, align StepAligner, u *joblog.Usage, filterBytes int64) (recorded bool, err error) {
	err = db.inTx(ctx, fmt.Sprintf("record index of job %d", jobID), func(ctx context.Context, tx pgx.Tx) error {
		if err := lockJobs(ctx, tx, []int64{jobID}); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			UPDATE job_logs SET filter_bytes = nullif($3::bigint, 0), filter_version = CASE WHEN $3 > 0 THEN $4::integer END
			WHERE job_id = $1 AND state = 'archived' AND sha256 = $2`, jobID, sha256, filterBytes, ngram.FilterVersion)
		if recorded = err == nil && tag.RowsAffected() > 0; !recorded {
			return err
		}
		return alignAndWriteIndex(ctx, tx, jobID, align, u)
	})
	return recorded && err == nil, err
}

// LogsToReindex lists up to limit archived logs that were never read for what their jobs
// used, or by an older version, or that have no filters, or such as do not know what is seen;
// with again, all of them. They are in the order of job ids, starting after the given one.
func (db *DB) LogsToReindex(ctx context.Context, after int64, again bool, limit int) ([]JobLog, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT `+jobLogColumns+` FROM job_logs
		WHERE state = 'archived' AND job_id > $1
		  AND ($2 OR usage_version IS DISTINCT FROM $3 OR (raw_bytes >= $4 AND coalesce(filter_version, 1) < $5))
		ORDER BY job_id LIMIT $6`, after, again, usageVersion, ngram.MinFiltered, ngram.VisibleVersion, limit)
	if err != nil {
		return nil, fmt.Errorf("store: logs to reindex: %w", err)
	}
	logs, err := pgx.CollectRows(rows, pgx.RowToStructByName[JobLog])
	if err != nil {
		return nil, fmt.Errorf("store: logs to reindex: %w", err)
	}
	return logs, nil
}
