package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// RetryRuns has, of the jobs that TallyRuns counts, those asked for now that are denied,
// and those once more that are missing, which stay so unless there is a log. It returns
// how many; with an error, how many before. Repeating it asks again for what is missing still.
func (db *DB) RetryRuns(ctx context.Context, runs ListedRuns, p Priority) (int, error) {
	total, last := 0, int64(0)
	for {
		var denied, missing []int64
		err := db.inTx(ctx, "retry jobs", func(ctx context.Context, tx pgx.Tx) error {
			denied, missing = nil, nil
			rows, err := tx.Query(ctx, `
				SELECT l.job_id, l.state
				FROM jobs j JOIN job_logs l ON l.job_id = j.id
				WHERE l.state IN ('denied', 'missing') AND l.job_id > $5 AND j.run_id IN (`+runsListed+`)
				ORDER BY l.job_id
				LIMIT $6`, runs.Repositories, timeOrNull(runs.Since), timeOrNull(runs.Until), runs.Also, last, idleBatch)
			if err != nil {
				return err
			}
			var id int64
			var state string
			if _, err := pgx.ForEachRow(rows, []any{&id, &state}, func() error {
				if state == LogMissing {
					missing = append(missing, id)
				} else {
					denied = append(denied, id)
				}
				last = id
				return nil
			}); err != nil {
				return err
			}
			return db.retry(ctx, tx, denied, missing, p)
		})
		if err != nil {
			return total, err
		}
		total += len(denied) + len(missing)
		if len(denied)+len(missing) < idleBatch {
			return total, nil
		}
	}
}

func (db *DB) retry(ctx context.Context, tx pgx.Tx, denied, missing []int64, p Priority) error {
	if err := db.enqueueArchive(ctx, tx, denied, p); err != nil {
		return err
	}
	again := make([]ArchiveArgs, len(missing))
	for i, id := range missing {
		again[i] = ArchiveArgs{JobID: id, Again: true}
	}
	if err := db.enqueueArgs(ctx, tx, again, p); err != nil {
		return err
	}
	// What waits for its next turn need not.
	_, err := tx.Exec(ctx, `
		UPDATE queue.river_job SET scheduled_at = now(), state = 'available'
		WHERE kind = 'archive' AND (args->>'job_id')::bigint = ANY($1) AND state IN ('scheduled', 'retryable')`, denied)
	return err
}
