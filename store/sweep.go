package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Sweep says how far a repository's runs are listed and their jobs written. All times of
// listings are by GitHub's clock.
type Sweep struct {
	RepositoryID int64
	Begin        *time.Time // start of the first range that was swept; nil: none was
	Watermark    *time.Time // where the next sweep starts; nil: there was none
	DeepAt       *time.Time // when all runs that can be re-run were last listed; nil: never
	ListedFrom   *time.Time // start of the listing that ETag belongs to; nil: it had several pages
	ETag         *string    `db:"etag"`
	ListedRuns   *int       // number of runs in that listing
	SucceededAt  *time.Time
	FailedAt     *time.Time
	Error        *string
	GoneAt       *time.Time // since when GitHub shows us no such repository; nil: it does

	Troubles             // with listing its runs
	TriedAt   *time.Time // when that was last asked for in vain; nil: as TryingSince
	GivenUpAt *time.Time // since when it is given up, and asked for still; nil: it is not
}

// Sweep reads a repository's sweep; one with no times if there was none. It has no listing
// if the last one was not read for what started its runs, as by an older jobvault: that it
// is unchanged would not say that they are described.
func (db *DB) Sweep(ctx context.Context, repositoryID int64) (Sweep, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT s.repository_id, lower(swept) AS begin, watermark, deep_at, l.listed_from, l.etag, l.listed_runs, succeeded_at, failed_at, error, gone_at,
		       trying_since, failed_days, refused_days, failed_on, tried_at, given_up_at
		FROM sweeps s LEFT JOIN LATERAL (SELECT s.listed_from, s.etag, s.listed_runs WHERE s.etag = s.described_etag) l ON true WHERE repository_id = $1`, repositoryID)
	if err != nil {
		return Sweep{}, fmt.Errorf("store: sweep of repository %d: %w", repositoryID, err)
	}
	sweeps, err := pgx.CollectRows(rows, pgx.RowToStructByName[Sweep])
	if err != nil {
		return Sweep{}, fmt.Errorf("store: sweep of repository %d: %w", repositoryID, err)
	}
	if len(sweeps) == 0 {
		return Sweep{RepositoryID: repositoryID}, nil
	}
	return sweeps[0], nil
}

// SweepEnd says how the last sweep of a repository ended.
type SweepEnd struct {
	Owner, Name string
	HasName     bool       // as of a Repository
	SucceededAt *time.Time // when one last succeeded; nil: never
	Failing     bool       // the last one failed
	GivenUp     bool       // the listing of runs is given up
}

// SweepEnds lists how the last sweep ended, for every repository that was swept and is not
// gone.
func (db *DB) SweepEnds(ctx context.Context) ([]SweepEnd, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT r.owner, r.name, `+hasName+` AS has_name, s.succeeded_at, s.failed_at IS NOT NULL AS failing, s.given_up_at IS NOT NULL AS given_up
		FROM sweeps s JOIN repositories r ON r.id = s.repository_id WHERE s.gone_at IS NULL ORDER BY r.id`)
	if err != nil {
		return nil, fmt.Errorf("store: how sweeps ended: %w", err)
	}
	ends, err := pgx.CollectRows(rows, pgx.RowToStructByName[SweepEnd])
	if err != nil {
		return nil, fmt.Errorf("store: how sweeps ended: %w", err)
	}
	return ends, nil
}

// TimeRange is from when to when the runs were created that a sweep listed.
type TimeRange struct {
	From, To time.Time // To is not in it
	Certain  bool      // all runs were listed; false: the range does not count as swept
	Onward   bool      // move the watermark to To: there must be no gap between the two
}

// NoteSwept records that the runs created in a range were listed and their jobs
// written: call it after that. Ranges may come in any order and overlap; repeating one
// changes nothing. The watermark never goes back.
func (db *DB) NoteSwept(ctx context.Context, repositoryID int64, r TimeRange) error {
	if !r.From.Before(r.To) {
		return nil
	}
	var watermark *time.Time
	if r.Onward {
		watermark = &r.To
	}
	_, err := db.pool.Exec(ctx, `
		INSERT INTO sweeps AS s (repository_id, swept, described, watermark)
		SELECT $1, listed, listed, $4 FROM (VALUES (CASE WHEN $5 THEN tstzmultirange(tstzrange($2, $3)) ELSE '{}' END)) AS l(listed)
		ON CONFLICT (repository_id) DO UPDATE SET
			swept = s.swept + excluded.swept, described = s.described + excluded.described, unlisted = s.unlisted - excluded.swept, gone_at = NULL, watermark = CASE
				WHEN s.watermark > now() + $6::interval THEN coalesce(excluded.watermark, s.watermark) -- a clock was wrong
				ELSE greatest(s.watermark, excluded.watermark) END`, repositoryID, r.From, r.To, watermark, r.Certain, MaxSkew)
	if err != nil {
		return fmt.Errorf("store: note sweep of repository %d: %w", repositoryID, err)
	}
	return nil
}

// Unswept lists the ranges between from and to that do not count as swept, the oldest
// first. Nothing after again counts as swept, nor what was swept by a jobvault that did
// not keep what started a run.
func (db *DB) Unswept(ctx context.Context, repositoryID int64, from, to, again time.Time) ([]TimeRange, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT lower(gap) AS "from", upper(gap) AS "to", false AS certain, false AS onward
		FROM unnest(tstzmultirange(tstzrange($2, $3))
			- (coalesce((SELECT described FROM sweeps WHERE repository_id = $1), '{}') * tstzmultirange(tstzrange(NULL, $4)))) gap
		ORDER BY 1`, repositoryID, from, to, again)
	if err != nil {
		return nil, fmt.Errorf("store: unswept of repository %d: %w", repositoryID, err)
	}
	gaps, err := pgx.CollectRows(rows, pgx.RowToStructByName[TimeRange])
	if err != nil {
		return nil, fmt.Errorf("store: unswept of repository %d: %w", repositoryID, err)
	}
	return gaps, nil
}

// NoteDeep records when all runs that can still be re-run were last listed.
func (db *DB) NoteDeep(ctx context.Context, repositoryID int64, at time.Time) error {
	_, err := db.pool.Exec(ctx, `
		INSERT INTO sweeps AS s (repository_id, deep_at) VALUES ($1, $2)
		ON CONFLICT (repository_id) DO UPDATE SET deep_at = CASE
			WHEN s.deep_at > now() + $3::interval THEN excluded.deep_at -- a clock was wrong
			ELSE greatest(s.deep_at, excluded.deep_at) END`, repositoryID, at, MaxSkew)
	if err != nil {
		return fmt.Errorf("store: sweep of repository %d: %w", repositoryID, err)
	}
	return nil
}

// SweepSucceeded records that a sweep has succeeded, and what makes the next one cheap.
// If it has no ETag, the previous one is deleted.
func (db *DB) SweepSucceeded(ctx context.Context, s Sweep, at time.Time) error {
	_, err := db.pool.Exec(ctx, `
		INSERT INTO sweeps AS s (repository_id, listed_from, etag, described_etag, listed_runs, succeeded_at) VALUES ($1, $2, $3, $3, $4, $5)
		ON CONFLICT (repository_id) DO UPDATE SET
			listed_from = excluded.listed_from, etag = excluded.etag, described_etag = excluded.described_etag, listed_runs = excluded.listed_runs,
			succeeded_at = excluded.succeeded_at, failed_at = NULL, error = NULL, gone_at = NULL`,
		s.RepositoryID, s.ListedFrom, s.ETag, s.ListedRuns, at)
	if err != nil {
		return fmt.Errorf("store: sweep of repository %d: %w", s.RepositoryID, err)
	}
	return nil
}

// SweepGone records that GitHub knows no such repository, or does not show it to us, if all
// its jobs are settled: then there is nothing that could fail. It reports whether they are,
// and whether it was not known before. How far the repository was listed stays recorded, so
// that one that comes back is listed from there.
func (db *DB) SweepGone(ctx context.Context, repositoryID int64, at time.Time) (settled, isNew bool, err error) {
	var since *time.Time
	err = db.pool.QueryRow(ctx, `
		INSERT INTO sweeps AS s (repository_id, gone_at)
		SELECT $1, $2
		WHERE NOT EXISTS (SELECT FROM jobs j LEFT JOIN job_logs l ON l.job_id = j.id WHERE j.repository_id = $1 AND coalesce(l.state, 'pending') IN ('pending', 'denied'))
		ON CONFLICT (repository_id) DO UPDATE SET gone_at = coalesce(s.gone_at, excluded.gone_at), failed_at = NULL, error = NULL
		RETURNING gone_at`, repositoryID, at).Scan(&since)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("store: sweep of repository %d: %w", repositoryID, err)
	}
	return true, since.Sub(at).Abs() < time.Millisecond, nil
}

// SweepFailed records that a sweep failed, and why. What it has listed stays recorded.
func (db *DB) SweepFailed(ctx context.Context, repositoryID int64, why string, at time.Time) error {
	_, err := db.pool.Exec(ctx, `
		INSERT INTO sweeps AS s (repository_id, failed_at, error) VALUES ($1, $2, $3)
		ON CONFLICT (repository_id) DO UPDATE SET failed_at = excluded.failed_at, error = excluded.error`, repositoryID, at, why)
	if err != nil {
		return fmt.Errorf("store: sweep of repository %d: %w", repositoryID, err)
	}
	return nil
}

// RunAttempt is an attempt of a run whose jobs were listed.
type RunAttempt struct {
	RunID        int64
	RunAttempt   int64
	RepositoryID int64
	RunCreatedAt time.Time // of several, the earliest counts
	Jobs         int       // as listed
	Complete     bool      // it had ended, and its jobs with it
	SweptAt      time.Time
	Gone         bool `db:"-"` // GitHub knows no such run; believed when it says so an hour later
}

// CompleteAttempts returns, by run and attempt, which attempts need not be listed again.
func (db *DB) CompleteAttempts(ctx context.Context, runIDs []int64) (map[int64]map[int64]bool, error) {
	rows, err := db.pool.Query(ctx, `SELECT run_id, run_attempt FROM run_attempts WHERE run_id = ANY($1) AND complete`, runIDs)
	if err != nil {
		return nil, fmt.Errorf("store: attempts: %w", err)
	}
	complete := make(map[int64]map[int64]bool)
	var run, attempt int64
	_, err = pgx.ForEachRow(rows, []any{&run, &attempt}, func() error {
		if complete[run] == nil {
			complete[run] = make(map[int64]bool)
		}
		complete[run][attempt] = true
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: attempts: %w", err)
	}
	return complete, nil
}

// OpenAttempts lists up to limit attempts of a repository that had not ended when they
// were last listed, those first that were listed longest ago. The older a run, the less
// often: after an eighth of its age. One that is asked for in vain is listed as often as
// ListDue says, or with eager in any case; one that was given up is not.
func (db *DB) OpenAttempts(ctx context.Context, repositoryID int64, now time.Time, eager bool, limit int) ([]RunAttempt, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT run_id, run_attempt, repository_id, run_created_at, jobs, complete, swept_at
		FROM run_attempts
		WHERE repository_id = $1 AND NOT complete AND given_up_at IS NULL AND CASE
			WHEN trying_since IS NULL THEN $2 - swept_at > ($2 - run_created_at) / 8
			ELSE $5 OR $2 - swept_at >= least((swept_at - trying_since) / 4, $4::interval) END
		ORDER BY swept_at
		LIMIT $3`, repositoryID, now, limit, maxListPause, eager)
	if err != nil {
		return nil, fmt.Errorf("store: open attempts: %w", err)
	}
	attempts, err := pgx.CollectRows(rows, pgx.RowToStructByName[RunAttempt])
	if err != nil {
		return nil, fmt.Errorf("store: open attempts: %w", err)
	}
	return attempts, nil
}

// RecordAttempt writes the listed jobs of an attempt, enqueues those that have completed
// and are not settled, and last records that the attempt was listed: all of it or
// nothing, so that a listing that failed is repeated. The description of a completed job
// is final.
func (db *DB) RecordAttempt(ctx context.Context, a RunAttempt, facts []Facts, p Priority) error {
	op := fmt.Sprintf("record run %d attempt %d", a.RunID, a.RunAttempt)
	return db.inTx(ctx, op, func(ctx context.Context, tx pgx.Tx) error {
		if err := db.recordListed(ctx, tx, facts, a.SweptAt, p); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO run_attempts AS r (run_id, run_attempt, repository_id, run_created_at, jobs, complete, swept_at, gone_at)
			VALUES ($1, $2, $3, least($4, (SELECT min(run_created_at) FROM run_attempts WHERE run_id = $1)), $5, $6, $7, CASE WHEN $8 THEN $7::timestamptz END)
			ON CONFLICT (run_id, run_attempt) DO UPDATE SET
				run_created_at = least(r.run_created_at, excluded.run_created_at), jobs = greatest(r.jobs, excluded.jobs), swept_at = excluded.swept_at,
				complete = r.complete OR excluded.complete OR coalesce(excluded.gone_at - r.gone_at > interval '1 hour', false),
				gone_at = CASE WHEN excluded.gone_at IS NOT NULL THEN coalesce(r.gone_at, excluded.gone_at) END,
				trying_since = CASE WHEN NOT excluded.complete THEN r.trying_since END, http_status = CASE WHEN NOT excluded.complete THEN r.http_status END,
				reason = CASE WHEN NOT excluded.complete THEN r.reason END, given_up_at = CASE WHEN NOT excluded.complete THEN r.given_up_at END`,
			a.RunID, a.RunAttempt, a.RepositoryID, a.RunCreatedAt, a.Jobs, a.Complete, a.SweptAt, a.Gone)
		if err == nil && a.Complete { // and not listed again
			_, err = tx.Exec(ctx, `DELETE FROM attempt_lists WHERE run_id = $1 AND run_attempt = $2`, a.RunID, a.RunAttempt)
		}
		return err
	})
}

// RecordListed is RecordAttempt for jobs that are not from the list of an attempt.
func (db *DB) RecordListed(ctx context.Context, facts []Facts, at time.Time, p Priority) error {
	return db.inTx(ctx, "record listed jobs", func(ctx context.Context, tx pgx.Tx) error {
		return db.recordListed(ctx, tx, facts, at, p)
	})
}

func (db *DB) recordListed(ctx context.Context, tx pgx.Tx, facts []Facts, at time.Time, p Priority) error {
	listed, ids := slices.Clone(facts), make([]int64, len(facts))
	for i := range listed {
		ids[i], listed[i].Job.FetchedAt = listed[i].Job.ID, nil
		if listed[i].Job.Status == StatusCompleted {
			listed[i].Job.FetchedAt = &at
		}
	}
	if err := lockJobs(ctx, tx, ids); err != nil {
		return err
	}
	if err := writeFacts(ctx, tx, listed); err != nil {
		return err
	}
	return db.enqueueCompleted(ctx, tx, ids, p)
}

// KnownJob is a job that a listing may pass over.
type KnownJob struct {
	ID         int64
	RunAttempt *int64
	Fetched    bool // the REST API has described the completed job
}

// KnownJobs returns those of the jobs that are known, by id.
func (db *DB) KnownJobs(ctx context.Context, ids []int64) (map[int64]KnownJob, error) {
	rows, err := db.pool.Query(ctx, `SELECT id, run_attempt, fetched_at IS NOT NULL AS fetched FROM jobs WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("store: known jobs: %w", err)
	}
	jobs, err := pgx.CollectRows(rows, pgx.RowToStructByName[KnownJob])
	if err != nil {
		return nil, fmt.Errorf("store: known jobs: %w", err)
	}
	known := make(map[int64]KnownJob, len(jobs))
	for _, j := range jobs {
		known[j.ID] = j
	}
	return known, nil
}
