package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// RemovalsAfter lists up to limit removals in the order of job ids, starting after the
// given one.
func (db *DB) RemovalsAfter(ctx context.Context, after int64, limit int) ([]Removal, error) {
	rows, err := db.pool.Query(ctx, `SELECT `+removalColumns+` FROM log_removals WHERE job_id > $1 ORDER BY job_id LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("store: removals: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Removal])
	if err != nil {
		return nil, fmt.Errorf("store: removals: %w", err)
	}
	return list, nil
}

// RemovedJobs reads the removals of these jobs, by job id, with the Job field left
// empty. Jobs whose log is not removed are left out.
func (db *DB) RemovedJobs(ctx context.Context, jobIDs []int64) (map[int64]RemovedJob, error) {
	records := make(map[int64]RemovedJob, len(jobIDs))
	err := db.inTx(ctx, "records of removals", func(ctx context.Context, tx pgx.Tx) error {
		removals, err := byID(query(ctx, tx, `SELECT `+removalColumns+` FROM log_removals WHERE job_id = ANY($1)`, jobIDs), func(m Removal) int64 { return m.JobID })
		if err != nil {
			return err
		}
		logs, err := byID(query(ctx, tx, `SELECT `+jobLogColumns+` FROM job_logs WHERE job_id = ANY($1)`, jobIDs), func(l JobLog) int64 { return l.JobID })
		if err != nil {
			return err
		}
		if err := readShorter(ctx, tx, logs); err != nil {
			return err
		}
		for id, m := range removals {
			records[id] = RemovedJob{Log: logs[id], Removal: m}
		}
		copies, err := pgx.CollectRows(query(ctx, tx, `SELECT `+redactionColumns+` FROM log_redactions WHERE job_id = ANY($1) ORDER BY job_id, number`, jobIDs), pgx.RowToStructByName[Redaction])
		for _, c := range copies {
			if r, ok := records[c.JobID]; ok {
				r.Redactions = append(r.Redactions, c)
				records[c.JobID] = r
			}
		}
		return err
	})
	return records, err
}
