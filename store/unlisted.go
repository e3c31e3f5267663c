package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// What GitHub does not list: jobs of an attempt, and runs of a repository.

// ListTrouble is a try in vain to list something.
type ListTrouble struct {
	Trouble Trouble // which deadline it counts for
	Status  int     // GitHub's; 0: no answer
	Reason  string  // what was heard
	GivenUp bool    // the deadline is over
	Waits   bool    // GitHub's limit is waited for: nothing has failed
	At      time.Time
}

// maxListPause bounds the pause between two tries of a list that is asked for in vain: more
// than once a day, so that each day of trouble is seen.
const maxListPause = 6 * time.Hour

// ListDue says whether it is time to ask again for a list that was last asked for in vain at
// a time: the pause is a quarter of the time for which it was asked for until then.
func (l Troubles) ListDue(last, now time.Time) bool {
	return l.TryingSince == nil || now.Sub(last).Abs() >= min(l.TryingFor(last)/4, maxListPause)
}

// UnlistedAttempt is an attempt whose jobs were asked for in vain when they last were.
type UnlistedAttempt struct {
	RunAttempt
	Troubles
	Reason    *string
	GivenUpAt *time.Time // nil: it is asked for still
}

const unlistedAttempt = `run_id, run_attempt, repository_id, run_created_at, jobs, complete, swept_at, trying_since, failed_days, refused_days, failed_on, reason, given_up_at`

// UnlistedAttempts returns the attempts of a run that are asked for in vain, or were given
// up, by their numbers.
func (db *DB) UnlistedAttempts(ctx context.Context, runID int64) (map[int64]UnlistedAttempt, error) {
	list, err := db.unlistedAttempts(ctx, `run_id = $1 AND NOT complete AND (trying_since IS NOT NULL OR failed_on IS NOT NULL OR given_up_at IS NOT NULL)`, runID)
	if err != nil {
		return nil, err
	}
	byNumber := make(map[int64]UnlistedAttempt, len(list))
	for _, a := range list {
		byNumber[a.RunAttempt.RunAttempt] = a
	}
	return byNumber, nil
}

// CountUnlisted counts the attempts of a repository that are asked for in vain, and are not
// given up.
func (db *DB) CountUnlisted(ctx context.Context, repositoryID int64) (n int, err error) {
	if err := db.pool.QueryRow(ctx, `
		SELECT count(*) FROM run_attempts WHERE repository_id = $1 AND NOT complete AND given_up_at IS NULL AND trying_since IS NOT NULL`, repositoryID).Scan(&n); err != nil {
		return 0, fmt.Errorf("store: count unlisted attempts: %w", err)
	}
	return n, nil
}

// GivenUpAttempts lists the attempts of a repository that were given up, of runs created at
// or after one time (zero: all) and before another (zero: all), the oldest first.
func (db *DB) GivenUpAttempts(ctx context.Context, repositoryID int64, since, until time.Time) ([]UnlistedAttempt, error) {
	return db.unlistedAttempts(ctx, `
		given_up_at IS NOT NULL AND NOT complete AND repository_id = $1
		AND ($2::timestamptz IS NULL OR run_created_at >= $2) AND ($3::timestamptz IS NULL OR run_created_at < $3)
		ORDER BY run_created_at, run_id, run_attempt`, repositoryID, timeOrNull(since), timeOrNull(until))
}

// VainAttempts lists the attempts of a repository that are asked for in vain, and are not
// given up, of runs created at or after one time and before another, the oldest first.
func (db *DB) VainAttempts(ctx context.Context, repositoryID int64, since, until time.Time) ([]RunAttempt, error) {
	list, err := db.unlistedAttempts(ctx, `
		trying_since IS NOT NULL AND given_up_at IS NULL AND NOT complete AND repository_id = $1 AND run_created_at >= $2 AND run_created_at < $3
		ORDER BY run_created_at, run_id, run_attempt`, repositoryID, since, until)
	attempts := make([]RunAttempt, len(list))
	for i, a := range list {
		attempts[i] = a.RunAttempt
	}
	return attempts, err
}

func (db *DB) unlistedAttempts(ctx context.Context, where string, args ...any) ([]UnlistedAttempt, error) {
	rows, err := db.pool.Query(ctx, `SELECT `+unlistedAttempt+` FROM run_attempts WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("store: unlisted attempts: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[UnlistedAttempt])
	if err != nil {
		return nil, fmt.Errorf("store: unlisted attempts: %w", err)
	}
	return list, nil
}

// NoteUnlisted notes that an attempt's jobs were asked for in vain, and the day of the
// trouble: however often it is repeated on one day (UTC), that day counts once. One that is
// complete stays as it is. It reports whether the attempt is given up now and was not before.
func (db *DB) NoteUnlisted(ctx context.Context, a RunAttempt, t ListTrouble) (isNew bool, err error) {
	op := fmt.Sprintf("note that run %d attempt %d is not listed", a.RunID, a.RunAttempt)
	err = db.inTx(ctx, op, func(ctx context.Context, tx pgx.Tx) error {
		var givenUp *time.Time
		rows, err := tx.Query(ctx, `
			INSERT INTO run_attempts AS r (run_id, run_attempt, repository_id, run_created_at, jobs, complete, swept_at, http_status, reason, given_up_at)
			VALUES ($1, $2, $3, least($4, (SELECT min(run_created_at) FROM run_attempts WHERE run_id = $1)), 0, false, $5, nullif($6, 0), nullif($7, ''), CASE WHEN $8 THEN $5::timestamptz END)
			ON CONFLICT (run_id, run_attempt) DO UPDATE SET
				swept_at = excluded.swept_at, http_status = excluded.http_status, reason = excluded.reason, given_up_at = coalesce(r.given_up_at, excluded.given_up_at)
				WHERE NOT r.complete
			RETURNING given_up_at`,
			a.RunID, a.RunAttempt, a.RepositoryID, a.RunCreatedAt, t.At, t.Status, t.Reason, t.GivenUp)
		if err != nil {
			return err
		}
		for rows.Next() {
			if err := rows.Scan(&givenUp); err != nil {
				return err
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		isNew = t.GivenUp && givenUp != nil && givenUp.Sub(t.At).Abs() < time.Millisecond
		return noteTrouble(ctx, tx, t.Trouble, t.At, "run_attempts", "run_id = $3 AND run_attempt = $4 AND NOT complete", a.RunID, a.RunAttempt)
	})
	return isNew, err
}

// NoteListed notes that the jobs of these attempts of a run were listed, so that the next
// trouble is the first one in a row. Days that are counted already stay counted.
func (db *DB) NoteListed(ctx context.Context, runID int64, attempts []int64) error {
	_, err := db.pool.Exec(ctx, `
		UPDATE run_attempts SET trying_since = NULL, http_status = NULL, reason = NULL, given_up_at = NULL
		WHERE run_id = $1 AND run_attempt = ANY($2) AND (trying_since IS NOT NULL OR given_up_at IS NOT NULL)`, runID, attempts)
	if err != nil {
		return fmt.Errorf("store: note that run %d is listed: %w", runID, err)
	}
	return nil
}

// NoteRunsUnlisted notes that a repository's runs were asked for in vain, and the day of the
// trouble, as NoteUnlisted does. Once that is given up, the runs created from a time on until
// now count as unlisted, and the watermark goes on; the sweep does not fail any more. It
// reports whether it is given up now and was not before.
func (db *DB) NoteRunsUnlisted(ctx context.Context, repositoryID int64, from time.Time, t ListTrouble) (isNew bool, err error) {
	err = db.inTx(ctx, fmt.Sprintf("note that the runs of repository %d are not listed", repositoryID), func(ctx context.Context, tx pgx.Tx) error {
		var givenUp *time.Time
		err := tx.QueryRow(ctx, `
			INSERT INTO sweeps AS s (repository_id, tried_at, error, failed_at, given_up_at, unlisted, watermark)
			SELECT $1, $2, $3, CASE WHEN NOT $4 AND NOT $6 THEN $2::timestamptz END, CASE WHEN $4 THEN $2::timestamptz END,
				CASE WHEN $4 AND $5 < $2 THEN tstzmultirange(tstzrange($5, $2)) ELSE '{}' END, CASE WHEN $4 THEN $2::timestamptz END
			ON CONFLICT (repository_id) DO UPDATE SET
				tried_at = excluded.tried_at, error = excluded.error, failed_at = CASE WHEN $6 AND NOT $4 THEN s.failed_at ELSE excluded.failed_at END, given_up_at = coalesce(s.given_up_at, excluded.given_up_at),
				unlisted = s.unlisted + (excluded.unlisted - s.swept), watermark = greatest(s.watermark, excluded.watermark)
			RETURNING given_up_at`, repositoryID, t.At, t.Reason, t.GivenUp, from, t.Waits).Scan(&givenUp)
		if err != nil {
			return err
		}
		isNew = t.GivenUp && givenUp != nil && givenUp.Sub(t.At).Abs() < time.Millisecond
		return noteTrouble(ctx, tx, t.Trouble, t.At, "sweeps", "repository_id = $3", repositoryID)
	})
	return isNew, err
}

// NoteRunsListed notes that a listing of a repository's runs came to its end: troubles are
// counted from the beginning again.
func (db *DB) NoteRunsListed(ctx context.Context, repositoryID int64) error {
	_, err := db.pool.Exec(ctx, `
		UPDATE sweeps SET trying_since = NULL, failed_days = NULL, refused_days = NULL, failed_on = NULL, tried_at = NULL, given_up_at = NULL,
			error = CASE WHEN failed_at IS NOT NULL THEN error END
		WHERE repository_id = $1 AND (tried_at IS NOT NULL OR given_up_at IS NOT NULL)`, repositoryID)
	if err != nil {
		return fmt.Errorf("store: note that the runs of repository %d are listed: %w", repositoryID, err)
	}
	return nil
}

// UnlistedRanges are the times, the oldest first, of which a repository's listing of runs
// was given up.
func (db *DB) UnlistedRanges(ctx context.Context, repositoryID int64) ([]TimeRange, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT lower(u) AS "from", upper(u) AS "to", false AS certain, false AS onward
		FROM sweeps s, unnest(s.unlisted) u WHERE s.repository_id = $1 ORDER BY 1`, repositoryID)
	if err != nil {
		return nil, fmt.Errorf("store: unlisted ranges of repository %d: %w", repositoryID, err)
	}
	ranges, err := pgx.CollectRows(rows, pgx.RowToStructByName[TimeRange])
	if err != nil {
		return nil, fmt.Errorf("store: unlisted ranges of repository %d: %w", repositoryID, err)
	}
	return ranges, nil
}

// Unlisted is what a repository's listings do not tell.
type Unlisted struct {
	Repository string
	Runs       int64      // runs some of whose jobs are not known
	FirstRun   *int64     // the oldest of them; nil: there is none
	Reason     *string    // what was last heard of that one
	From, To   *time.Time // of which time the runs are not known, from its begin to its end; nil: of none
	GivenUpAt  *time.Time // since when the listing of runs is given up; nil: it is not, or the repository is gone
	Error      *string    // what was last heard of it
}

// UnlistedRepositories lists the repositories (OWNER/NAME; empty: all) of which runs or
// their jobs are not known, as GitHub's lists of them were given up, since a time (zero: all).
func (db *DB) UnlistedRepositories(ctx context.Context, repository string, since time.Time) ([]Unlisted, error) {
	rows, err := db.pool.Query(ctx, `
		WITH given_up AS (
			SELECT repository_id, count(DISTINCT run_id) AS runs, (array_agg(run_id ORDER BY run_created_at, run_id))[1] AS first_run,
			       (array_agg(reason ORDER BY run_created_at, run_id))[1] AS reason
			FROM run_attempts
			WHERE given_up_at IS NOT NULL AND NOT complete AND ($2::timestamptz IS NULL OR run_created_at >= $2)
			GROUP BY repository_id),
		ranges AS (
			SELECT repository_id, unlisted * tstzmultirange(tstzrange($2, NULL)) AS unlisted, CASE WHEN gone_at IS NULL THEN given_up_at END AS given_up_at, error FROM sweeps
			WHERE NOT isempty(unlisted * tstzmultirange(tstzrange($2, NULL))) OR given_up_at IS NOT NULL AND gone_at IS NULL)
		SELECT r.owner || '/' || r.name AS repository, coalesce(g.runs, 0) AS runs, g.first_run, g.reason,
		       lower(u.unlisted) AS "from", upper(u.unlisted) AS "to", u.given_up_at, CASE WHEN u.given_up_at IS NOT NULL THEN u.error END AS error
		FROM given_up g FULL JOIN ranges u USING (repository_id) JOIN repositories r ON r.id = repository_id
		WHERE $1 = '' OR lower(r.owner || '/' || r.name) = lower($1)
		ORDER BY lower(r.owner), lower(r.name), r.id`, repository, timeOrNull(since))
	if err != nil {
		return nil, fmt.Errorf("store: unlisted: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Unlisted])
	if err != nil {
		return nil, fmt.Errorf("store: unlisted: %w", err)
	}
	return list, nil
}
