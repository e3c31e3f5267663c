package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/archive/ngram"
)

// LedgerLine is a job's row in the ledger, with what is needed to find the job in the
// bucket and at GitHub.
type LedgerLine struct {
	JobLog
	Repository Repository
	RunID      int64
	RunAttempt *int64
	CreatedAt  *time.Time
}

// LedgerFilter selects rows of the ledger. Zero fields select all.
type LedgerFilter struct {
	RepositoryID int64
	Since        time.Time // of jobs created at or after
	SettledBy    time.Time // settled at or before
}

// Ledger lists up to limit rows of settled jobs in the order of ids, starting after the
// given one, as LedgerOf reads them.
func (db *DB) Ledger(ctx context.Context, f LedgerFilter, after int64, limit int) ([]LedgerLine, error) {
	lines, err := db.ledger(ctx, `
		l.job_id > $1 AND l.settled_at IS NOT NULL AND ($2::bigint = 0 OR j.repository_id = $2)
		AND ($3::timestamptz IS NULL OR j.created_at >= $3) AND ($4::timestamptz IS NULL OR l.settled_at <= $4)
		ORDER BY l.job_id LIMIT $5`, after, f.RepositoryID, timeOrNull(f.Since), timeOrNull(f.SettledBy), limit)
	if err != nil {
		return nil, err
	}
	return lines, db.addHistory(ctx, lines)
}

// CountLedger counts the rows that Ledger lists altogether.
func (db *DB) CountLedger(ctx context.Context, f LedgerFilter) (int, error) {
	var n int
	err := db.pool.QueryRow(ctx, `
		SELECT count(*) FROM job_logs l JOIN jobs j ON j.id = l.job_id
		WHERE l.settled_at IS NOT NULL AND ($1::bigint = 0 OR j.repository_id = $1)
		  AND ($2::timestamptz IS NULL OR j.created_at >= $2) AND ($3::timestamptz IS NULL OR l.settled_at <= $3)`,
		f.RepositoryID, timeOrNull(f.Since), timeOrNull(f.SettledBy)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("store: count ledger: %w", err)
	}
	return n, nil
}

// LedgerOf reads the rows of these jobs in any state, with the logs whose place theirs have
// taken; of removed logs, with who removed them and the copy that is present. Unknown jobs are left out.
func (db *DB) LedgerOf(ctx context.Context, jobIDs []int64) (map[int64]LedgerLine, error) {
	lines, err := db.ledger(ctx, `l.job_id = ANY($1)`, jobIDs)
	if err != nil {
		return nil, err
	}
	if err := db.addHistory(ctx, lines); err != nil {
		return nil, err
	}
	byID := make(map[int64]LedgerLine, len(lines))
	for _, l := range lines {
		byID[l.JobID] = l
	}
	return byID, nil
}

// addHistory adds to rows of removed logs who removed them, and the copy that is
// present; and to all rows the logs whose place theirs have taken.
func (db *DB) addHistory(ctx context.Context, lines []LedgerLine) error {
	logs := make(map[int64]JobLog, len(lines))
	for _, l := range lines {
		logs[l.JobID] = l.JobLog
	}
	err := db.inTx(ctx, "history of logs", func(ctx context.Context, tx pgx.Tx) error {
		if err := readRemovals(ctx, tx, logs); err != nil {
			return err
		}
		return readShorter(ctx, tx, logs)
	})
	for i := range lines {
		lines[i].JobLog = logs[lines[i].JobID]
	}
	return err
}

func (db *DB) ledger(ctx context.Context, where string, args ...any) ([]LedgerLine, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT l.job_id, l.state, l.reason, l.http_status, l.attempts, l.object_key, l.raw_bytes, l.stored_bytes, l.lines, l.sha256,
		       l.frame_lines, l.frame_offsets, l.truncated, l.archived_at, l.settled_at, l.stored_sha256,
		       l.manifest_date, l.details_sha256, l.details_bytes, l.filter_bytes, l.settled_sha256, l.settled_bytes,
		       j.run_id, j.run_attempt, j.created_at, (r.id, r.owner, r.name, r.private, r.installation_id, r.seen_at, r.named_at, r.named_by_api, r.private_at, r.installation_at, `+hasName+`) AS repository
		FROM job_logs l JOIN jobs j ON j.id = l.job_id JOIN repositories r ON r.id = j.repository_id
		WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("store: ledger: %w", err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByName[LedgerLine])
	if err != nil {
		return nil, fmt.Errorf("store: ledger: %w", err)
	}
	return lines, nil
}

// RepairObject corrects how an archived log is stored according to the ledger, and says
// whether it did: only if the digest of the log itself is the one in the ledger. Of
// filters that o does not tell of, those that are noted stay.
func (db *DB) RepairObject(ctx context.Context, jobID int64, o Object) (bool, error) {
	tag, err := db.pool.Exec(ctx, `
		UPDATE job_logs SET object_key = $3, raw_bytes = $4, stored_bytes = $5, lines = $6, frame_lines = $7, frame_offsets = $8, stored_sha256 = $9,
		       filter_bytes = coalesce(nullif($10, 0::bigint), filter_bytes), filter_version = CASE WHEN $10 > 0 THEN $11 ELSE filter_version END
		WHERE job_id = $1 AND state = 'archived' AND sha256 = $2`,
		jobID, o.SHA256[:], o.Key, o.RawBytes, o.StoredBytes, o.Lines, o.FrameLines, o.FrameOffsets, o.StoredSHA256[:], o.FilterBytes, ngram.FilterVersion)
	if err != nil {
		return false, fmt.Errorf("store: repair job %d: %w", jobID, err)
	}
	return tag.RowsAffected() == 1, nil
}

// Running is a Tally's state for pending jobs that have not completed, as far as is
// known. Nothing is wrong with them.
const Running = "running"

// Tally is the number of jobs in one state of the ledger, and the size of their logs as
// GitHub sent them.
type Tally struct {
	State    string `json:"state"`
	Jobs     int64  `json:"jobs"`
	RawBytes int64  `json:"raw_bytes"`
}

// TallyRuns counts, by state, the jobs of listed runs of these repositories that were
// created at or after since and before until (zero: open).
func (db *DB) TallyRuns(ctx context.Context, repositoryIDs []int64, since, until time.Time) ([]Tally, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT CASE WHEN l.state = 'pending' AND j.status <> 'completed' THEN 'running' ELSE l.state END AS state,
			count(*) AS jobs, coalesce(sum(l.raw_bytes), 0)::bigint AS raw_bytes
		FROM jobs j JOIN job_logs l ON l.job_id = j.id
		WHERE j.run_id IN (
			SELECT run_id FROM run_attempts
			WHERE repository_id = ANY($1) AND ($2::timestamptz IS NULL OR run_created_at >= $2)
			  AND ($3::timestamptz IS NULL OR run_created_at < $3))
		GROUP BY 1 ORDER BY jobs DESC, 1`, repositoryIDs, timeOrNull(since), timeOrNull(until))
	if err != nil {
		return nil, fmt.Errorf("store: tally: %w", err)
	}
	tallies, err := pgx.CollectRows(rows, pgx.RowToStructByName[Tally])
	if err != nil {
		return nil, fmt.Errorf("store: tally: %w", err)
	}
	return tallies, nil
}

// settlingSoon is how soon a job must be tried again to be worth waiting for.
const settlingSoon = 15 * time.Second

// Waiting counts, of the jobs that TallyRuns counts, those that the queue will settle:
// completed and pending, and not put off because GitHub does not have their log, or says
// that they have not completed.
func (db *DB) Waiting(ctx context.Context, repositoryIDs []int64, since, until time.Time) (int, error) {
	var n int
	err := db.pool.QueryRow(ctx, `
		SELECT count(*)
		FROM jobs j JOIN job_logs l ON l.job_id = j.id
		WHERE l.state = 'pending' AND j.status = 'completed' AND j.run_id IN (
			SELECT run_id FROM run_attempts
			WHERE repository_id = ANY($1) AND ($2::timestamptz IS NULL OR run_created_at >= $2)
			  AND ($3::timestamptz IS NULL OR run_created_at < $3))
		  AND NOT (coalesce(l.http_status, 0) IN (200, 404) AND EXISTS (
			SELECT FROM queue.river_job q
			WHERE q.kind = 'archive' AND (q.args->>'job_id')::bigint = j.id
			  AND q.state = 'scheduled' AND q.scheduled_at > now() + $4))`,
		repositoryIDs, timeOrNull(since), timeOrNull(until), settlingSoon).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("store: waiting jobs: %w", err)
	}
	return n, nil
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
