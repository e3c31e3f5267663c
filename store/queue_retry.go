package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// retryRuns is how many runs RetryRuns looks at together: each batch of it reads all of
// their jobs.
const retryRuns = 50

// RetryRuns has, of the jobs that TallyRuns counts, those asked for now that are denied,
// and those once more that are missing, which stay so unless there is a log. What was
// asked for in vain until now counts no more: whoever asks has changed something. It returns
// how many; with an error, how many before. Repeating it asks again for what is missing still.
func (db *DB) RetryRuns(ctx context.Context, runs ListedRuns, p Priority) (total int, err error) {
	// The ids are read once, as they may be listed in no order that an index has.
	rows, err := db.pool.Query(ctx, `SELECT DISTINCT run_id FROM (`+runsListed+`) r ORDER BY run_id`,
		runs.Repositories, timeOrNull(runs.Since), timeOrNull(runs.Until), runs.Also)
	if err != nil {
		return 0, fmt.Errorf("store: retry jobs: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return 0, fmt.Errorf("store: retry jobs: %w", err)
	}
	for some := range slices.Chunk(ids, retryRuns) {
		for last := int64(0); ; {
			var n int
			if last, n, err = db.retryBatch(ctx, some, last, p); err != nil {
				return total, err
			}
			if total += n; n < idleBatch {
				break
			}
		}
	}
	return total, nil
}

// retryBatch is RetryRuns for some of these runs' jobs, from the one after last on. It
// returns the last one, and how many there were.
func (db *DB) retryBatch(ctx context.Context, runIDs []int64, last int64, p Priority) (until int64, n int, err error) {
	err = db.inTx(ctx, "retry jobs", func(ctx context.Context, tx pgx.Tx) error {
		var denied, missing []int64
		rows, err := tx.Query(ctx, `
			WITH j AS MATERIALIZED (SELECT id FROM jobs WHERE run_id = ANY($1) AND id > $2)
			SELECT l.job_id, l.state
			FROM j JOIN job_logs l ON l.job_id = j.id
			WHERE l.state IN ('denied', 'missing')
			ORDER BY l.job_id
			LIMIT $3`, runIDs, last, idleBatch)
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
			until = id
			return nil
		}); err != nil {
			return err
		}
		if n = len(denied) + len(missing); n == 0 {
			return nil
		}
		return db.retry(ctx, tx, denied, missing, p)
	})
	return until, n, err
}

func (db *DB) retry(ctx context.Context, tx pgx.Tx, denied, missing []int64, p Priority) error {
	if err := forgetTrouble(ctx, tx, slices.Concat(denied, missing)); err != nil {
		return err
	}
	if err := db.enqueueArchive(ctx, tx, denied, p); err != nil {
		return err
	}
	again := make([]ArchiveArgs, len(missing))
	for i, id := range missing {
		again[i] = ArchiveArgs{JobID: id, Again: true}
	}
	if _, err := db.enqueueArgs(ctx, tx, again, p); err != nil {
		return err
	}
	// What waits for its next turn need not.
	_, err := tx.Exec(ctx, `
		UPDATE queue.river_job SET scheduled_at = now(), state = 'available'
		WHERE kind = 'archive' AND (args->>'job_id')::bigint = ANY($1) AND state IN ('scheduled', 'retryable')`, denied)
	return err
}

// forgetTrouble has what is denied begin its days anew, and its pauses as what is missing:
// by the old ones, the first trouble would end it, or put it off for hours. The days that
// ended a missing job stay on record.
func forgetTrouble(ctx context.Context, tx pgx.Tx, jobIDs []int64) error {
	_, err := tx.Exec(ctx, `
		WITH troubled AS MATERIALIZED ( -- locked in the order of ids, as everybody does: transactions must not wait in a ring
			SELECT job_id FROM job_logs
			WHERE job_id = ANY($1) AND (state = 'denied' OR state = 'missing' AND trying_since IS NOT NULL)
			ORDER BY job_id FOR NO KEY UPDATE)
		UPDATE job_logs l SET trying_since = NULL,
			failed_days = CASE state WHEN 'missing' THEN failed_days END,
			refused_days = CASE state WHEN 'missing' THEN refused_days END,
			failed_on = CASE state WHEN 'missing' THEN failed_on END
		FROM troubled t WHERE l.job_id = t.job_id`, jobIDs)
	return err
}
