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

// settled is the WHERE of the filter's settled jobs with an id above after, over job_logs l
// and jobs j.
func (f LedgerFilter) settled(a *arguments, after int64) string {
	sql := `l.settled_at IS NOT NULL AND ` + f.jobs(a, after) + a.bind(` AND l.job_id > ?`, after)
	if !f.SettledBy.IsZero() {
		sql += a.bind(` AND l.settled_at <= ?`, f.SettledBy)
	}
	return sql
}

// jobs is the WHERE of the filter's jobs with an id above after, over jobs j. It has only
// what is asked for, and names the id of each table itself: Postgres would read a joined
// table from its beginning, as it concludes equalities alone from a join.
func (f LedgerFilter) jobs(a *arguments, after int64) string {
	sql := a.bind(`j.id > ?`, after)
	if f.RepositoryID != 0 {
		sql += a.bind(` AND j.repository_id = ?`, f.RepositoryID)
	}
	if !f.Since.IsZero() {
		sql += a.bind(` AND j.created_at >= ?`, f.Since)
	}
	return sql
}

// Ledger lists up to limit rows of settled jobs in the order of ids, starting after the
// given one, as LedgerOf reads them.
func (db *DB) Ledger(ctx context.Context, f LedgerFilter, after int64, limit int) ([]LedgerLine, error) {
	a := arguments{}
	lines, err := db.ledger(ctx, f.settled(&a, after)+a.bind(` ORDER BY l.job_id LIMIT ?`, limit), a...)
	if err != nil {
		return nil, err
	}
	return lines, db.addHistory(ctx, lines)
}

// CountLedger counts the rows that Ledger lists altogether.
func (db *DB) CountLedger(ctx context.Context, f LedgerFilter) (int, error) {
	var n int
	a := arguments{}
	sql := `SELECT count(*) FROM job_logs l JOIN jobs j ON j.id = l.job_id WHERE ` + f.settled(&a, 0)
	if err := db.pool.QueryRow(ctx, sql, a...).Scan(&n); err != nil {
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
		       l.trying_since, l.failed_days, l.refused_days, l.failed_on,
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

// ListedRuns are runs whose jobs were listed: those of some repositories that were created
// at or after since and before until, and others.
type ListedRuns struct {
	Repositories []int64
	Since, Until time.Time // zero: open
	Also         []int64   // ids of runs, whenever they were created
}

// TallyRuns counts, by state, the jobs of listed runs.
func (db *DB) TallyRuns(ctx context.Context, runs ListedRuns) ([]Tally, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT CASE WHEN l.state = 'pending' AND j.status <> 'completed' THEN 'running' ELSE l.state END AS state,
			count(*) AS jobs, coalesce(sum(l.raw_bytes), 0)::bigint AS raw_bytes
		FROM jobs j JOIN job_logs l ON l.job_id = j.id
		WHERE j.run_id IN (`+runsListed+`)
		GROUP BY 1 ORDER BY jobs DESC, 1`, runs.Repositories, timeOrNull(runs.Since), timeOrNull(runs.Until), runs.Also)
	if err != nil {
		return nil, fmt.Errorf("store: tally: %w", err)
	}
	tallies, err := pgx.CollectRows(rows, pgx.RowToStructByName[Tally])
	if err != nil {
		return nil, fmt.Errorf("store: tally: %w", err)
	}
	return tallies, nil
}

// runsListed are the ids of ListedRuns.
const runsListed = `
			SELECT run_id FROM run_attempts
			WHERE repository_id = ANY($1) AND ($2::timestamptz IS NULL OR run_created_at >= $2)
			  AND ($3::timestamptz IS NULL OR run_created_at < $3)
			UNION ALL SELECT unnest($4::bigint[])`

// A job is worth waiting for that is tried again soon; after a failure, as GitHub may have
// a bad moment, also somewhat later.
const (
	settlingSoon = 15 * time.Second
	failureSoon  = 5 * time.Minute
)

// Waiting counts, of the jobs that TallyRuns counts, those that the queue will settle: they
// have completed and are pending, and are not put off because GitHub does not have their
// log, fails, or says that they have not completed; or they are denied or missing and are
// asked for again now. What waits for a limit is waited for.
func (db *DB) Waiting(ctx context.Context, runs ListedRuns) (int, error) {
	var n int
	err := db.pool.QueryRow(ctx, `
		SELECT count(*)
		FROM jobs j JOIN job_logs l ON l.job_id = j.id
		LEFT JOIN queue.river_job q ON q.kind = 'archive' AND (q.args->>'job_id')::bigint = j.id
			AND q.state IN ('available', 'pending', 'retryable', 'running', 'scheduled')
		WHERE j.run_id IN (`+runsListed+`)
		  AND CASE l.state
			WHEN 'pending' THEN j.status = 'completed' AND NOT coalesce(q.state = 'scheduled' AND q.scheduled_at > now() + CASE
				WHEN l.failed_days > 0 THEN $6::interval
				WHEN l.http_status IN (200, 404) THEN $5::interval
				WHEN l.trying_since IS NOT NULL AND coalesce(l.http_status, 0) NOT IN (403, 429) THEN $6 -- no answer
				END, false)
			WHEN 'denied' THEN coalesce(q.scheduled_at <= now() + $5, false)
			WHEN 'missing' THEN q.id IS NOT NULL
			ELSE false END`,
		runs.Repositories, timeOrNull(runs.Since), timeOrNull(runs.Until), runs.Also, settlingSoon, failureSoon).Scan(&n)
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
