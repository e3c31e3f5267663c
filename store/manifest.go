package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Manifest is a daily manifest that is in the bucket and whose jobs are marked. Dates are
// midnights, UTC.
type Manifest struct {
	Date         time.Time
	Previous     *time.Time // nil: it is the first
	SHA256       []byte     `db:"sha256"` // of the manifest, uncompressed
	StoredSHA256 []byte     `db:"stored_sha256"`
	Jobs         int64
	StoredBytes  int64
	WrittenAt    time.Time
}

const manifestColumns = `date, previous, sha256, stored_sha256, jobs, stored_bytes, written_at`

// Manifests lists all manifests that were written, the oldest first.
func (db *DB) Manifests(ctx context.Context) ([]Manifest, error) {
	rows, err := db.pool.Query(ctx, `SELECT `+manifestColumns+` FROM manifests ORDER BY date`)
	if err != nil {
		return nil, fmt.Errorf("store: manifests: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Manifest])
	if err != nil {
		return nil, fmt.Errorf("store: manifests: %w", err)
	}
	return list, nil
}

// LastManifest reads the newest manifest. It fails with ErrNotFound if there is none.
func (db *DB) LastManifest(ctx context.Context) (Manifest, error) {
	var m Manifest
	err := db.inTx(ctx, "last manifest", func(ctx context.Context, tx pgx.Tx) (err error) {
		m, err = queryRow[Manifest](ctx, tx, `SELECT `+manifestColumns+` FROM manifests ORDER BY date DESC LIMIT 1`)
		return err
	})
	return m, err
}

// ErrOtherManifest says that another manifest of the day is noted.
var ErrOtherManifest = errors.New("another manifest of this day is noted")

// RecordManifest notes that a manifest is in the bucket. Call it last, when its jobs are
// marked. Repeating it is harmless; if another manifest of this day is noted, it fails
// with ErrOtherManifest. A zero WrittenAt is Postgres' now().
func (db *DB) RecordManifest(ctx context.Context, m Manifest) error {
	return db.inTx(ctx, "record manifest of "+m.Date.Format(time.DateOnly), func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `
			INSERT INTO manifests (`+manifestColumns+`) VALUES ($1, $2, $3, $4, $5, $6, coalesce($7, now())) ON CONFLICT (date) DO NOTHING`,
			m.Date, m.Previous, m.SHA256, m.StoredSHA256, m.Jobs, m.StoredBytes, timeOrNull(m.WrittenAt)); err != nil {
			return err
		}
		var same bool
		err := tx.QueryRow(ctx, `SELECT sha256 = $2 FROM manifests WHERE date = $1`, m.Date, m.SHA256).Scan(&same)
		if err == nil && !same {
			err = ErrOtherManifest
		}
		return err
	})
}

// Unlisted lists up to limit rows of the ledger that were settled before a time and are
// in no manifest, in the order of job ids, starting after the given one, as LedgerOf reads
// them.
func (db *DB) Unlisted(ctx context.Context, before time.Time, after int64, limit int) ([]LedgerLine, error) {
	lines, err := db.ledger(ctx, `
		l.job_id > $1 AND j.id > $1 AND l.settled_at IS NOT NULL AND l.settled_at < $2 AND l.manifest_date IS NULL
		ORDER BY l.job_id LIMIT $3`, after, before, limit)
	if err != nil {
		return nil, err
	}
	return lines, db.addHistory(ctx, lines)
}

// Listed is the part of a manifest's line that tells one settlement of a job from
// another. Nil: the line does not say.
type Listed struct {
	JobID         int64
	State         string
	SettledAt     time.Time
	Reason        string // empty: none
	HTTPStatus    int    // 0: none
	Truncated     bool
	SHA256        []byte
	StoredSHA256  []byte
	StoredBytes   *int64
	DetailsSHA256 []byte
	DetailsBytes  *int64
	SettledSHA256 []byte
	SettledBytes  *int64
	Redactions    []byte       // digests of the redacted copies that are there, one after the other
	Shorter       []ShorterLog // whose place the log has taken
	Whole         bool         // the manifest lists settled.json and redacted copies, where there are any
}

// MarkListed notes that a manifest lists these settlements, and returns for how many jobs
// the row still agrees. A job whose row says something else by now is left for the next
// manifest, as is one with a settled.json or a redacted copy that an older manifest does
// not have. Time, reason, status, truncation and the digests of job.json and settled.json
// in the row become those of the line: for a row that was rebuilt from the bucket, what
// was listed counts.
func (db *DB) MarkListed(ctx context.Context, date time.Time, lines []Listed) (int64, error) {
	var ids []int64
	var sizes, detailsSizes, settledSizes []*int64
	var states []string
	var at []time.Time
	var sums, stored, details, settled, copies [][]byte
	var whole, truncated []bool
	var reasons []string
	var statuses []int
	for _, l := range lines {
		ids, states, at, sums, stored = append(ids, l.JobID), append(states, l.State), append(at, l.SettledAt), append(sums, l.SHA256), append(stored, l.StoredSHA256)
		sizes, details, detailsSizes = append(sizes, l.StoredBytes), append(details, l.DetailsSHA256), append(detailsSizes, l.DetailsBytes)
		settled, settledSizes, whole = append(settled, l.SettledSHA256), append(settledSizes, l.SettledBytes), append(whole, l.Whole)
		copies = append(copies, append([]byte{}, l.Redactions...))
		reasons, statuses, truncated = append(reasons, l.Reason), append(statuses, l.HTTPStatus), append(truncated, l.Truncated)
	}
	var marked int64
	err := db.inTx(ctx, "mark jobs of the manifest of "+date.Format(time.DateOnly), func(ctx context.Context, tx pgx.Tx) error {
		// In the order of ids, as everybody: transactions must not wait in a ring.
		if _, err := tx.Exec(ctx, `SELECT FROM job_logs WHERE job_id = ANY($1) ORDER BY job_id FOR NO KEY UPDATE`, ids); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, markListed, date, ids, states, at, sums, stored, sizes, details, detailsSizes, settled, settledSizes, copies, whole,
			reasons, statuses, truncated)
		marked = tag.RowsAffected()
		if err != nil {
			return err
		}
		return markShorter(ctx, tx, lines)
	})
	return marked, err
}

const markListed = `
	UPDATE job_logs l SET manifest_date = $1, settled_at = m.settled_at,
		reason = nullif(m.reason, ''), http_status = nullif(m.http_status, 0), truncated = m.truncated,
		details_sha256 = coalesce(m.details, l.details_sha256), details_bytes = coalesce(m.details_bytes, l.details_bytes),
		settled_sha256 = coalesce(m.settled, l.settled_sha256),
		-- The manifest's writer has looked.
		settled_bytes = coalesce(m.settled_bytes, l.settled_bytes, CASE WHEN m.whole AND l.state = 'archived' THEN 0 END)
	FROM unnest($2::bigint[], $3::text[], $4::timestamptz[], $5::bytea[], $6::bytea[], $7::bigint[], $8::bytea[], $9::bigint[],
	            $10::bytea[], $11::bigint[], $12::bytea[], $13::boolean[], $14::text[], $15::integer[], $16::boolean[])
		AS m(job_id, state, settled_at, sha256, stored, stored_bytes, details, details_bytes, settled, settled_bytes, copies, whole, reason, http_status, truncated)
	WHERE l.job_id = m.job_id AND l.state = m.state AND (l.manifest_date IS NULL OR l.manifest_date < $1)
	  AND l.sha256 IS NOT DISTINCT FROM m.sha256 AND l.stored_bytes IS NOT DISTINCT FROM m.stored_bytes
	  AND (l.stored_sha256 = m.stored OR m.stored IS NULL)
	  -- Only jobs with a log may have none.
	  AND CASE WHEN l.settled_sha256 IS NULL AND (l.settled_bytes IS NULL OR l.state <> 'archived') THEN m.whole OR l.state = 'archived'
	           ELSE l.settled_sha256 IS NOT DISTINCT FROM m.settled END
	  -- A copy may be redacted again, or removed, and the state stays.
	  AND (l.state <> 'removed' OR l.settled_at = m.settled_at AND m.copies = coalesce((
		SELECT string_agg(c.sha256, '' ORDER BY c.number) FROM log_redactions c WHERE c.job_id = l.job_id AND c.removed_at IS NULL), ''))`

// markShorter has shorter logs be archived when a manifest says so: of rows that were
// rebuilt from the bucket, nothing else tells.
func markShorter(ctx context.Context, tx pgx.Tx, lines []Listed) error {
	var ids []int64
	var numbers []int
	var sums [][]byte
	var at []time.Time
	for _, l := range lines {
		for _, s := range l.Shorter {
			ids, numbers, sums, at = append(ids, s.JobID), append(numbers, s.Number), append(sums, s.SHA256), append(at, s.ArchivedAt)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `
		UPDATE shorter_logs s SET archived_at = m.at
		FROM unnest($1::bigint[], $2::integer[], $3::bytea[], $4::timestamptz[]) AS m(job_id, number, sha256, at)
		WHERE s.job_id = m.job_id AND s.number = m.number AND s.sha256 = m.sha256 AND s.archived_at <> m.at`, ids, numbers, sums, at)
	return err
}

// manifestLock is held by whoever writes manifests.
const manifestLock = `hashtextextended('jobvault manifests', 0)`

// LockManifests tries to make the caller the only one who writes manifests, until it
// calls unlock; held says whether it is. It does not wait. The lock belongs to a session
// and only avoids work done twice.
func (db *DB) LockManifests(ctx context.Context) (unlock func(), held bool, err error) {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("store: lock manifests: %w", err)
	}
	err = conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(`+manifestLock+`)`).Scan(&held)
	if err != nil || !held {
		conn.Release()
		if err != nil {
			err = fmt.Errorf("store: lock manifests: %w", err)
		}
		return nil, false, err
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transactionTime)
		defer cancel()
		if _, err := conn.Exec(ctx, `SELECT pg_advisory_unlock(`+manifestLock+`)`); err != nil {
			_ = conn.Hijack().Close(ctx) // with the session, the lock goes
			return
		}
		conn.Release()
	}, true, nil
}
