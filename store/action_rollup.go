package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// The spans of action_sums, in days: each holds a whole number of the one before. The
// functions day_bucket and action_period, and the view action_uses, know them too.
const (
	sumDay    = 1
	sumWeek   = 7
	sumPeriod = 56
)

const (
	// rollUpBatch bounds the jobs that one transaction adds to the sums: about a second.
	rollUpBatch = 10_000
	// rollUpQuiet is how long nothing must have changed in a period before its sums are
	// made anew: while a repository is read again, they would be made over and over.
	rollUpQuiet = time.Minute
	// rollUpLock is held by the one transaction that rolls up.
	rollUpLock = `hashtextextended('jobvault action_sums', 0)`
)

// RollUpActions brings action_sums up to date with the rows of job_actions, a step at a
// time: call it until it says that there is no more. It adds up to rollUpBatch jobs of
// action_pending; and where these were the last ones, it takes, in a transaction of its
// own, one period of action_invalidated in which nothing has changed for rollUpQuiet,
// drops its sums, and notes the jobs of the period, which are those of one repository in
// sumPeriod days, as pending. It is harmless to repeat, and leaves the work to whoever is
// at it already.
//
// What ActionUses and the view action_uses say does not change by it; they are faster
// after it, as they read what is pending or invalidated from the rows of the jobs.
func (db *DB) RollUpActions(ctx context.Context) (more bool, err error) {
	return db.rollUpActions(ctx, rollUpBatch)
}

func (db *DB) rollUpActions(ctx context.Context, batch int64) (more bool, err error) {
	err = db.rollUpAlone(ctx, "roll up actions", func(ctx context.Context, tx pgx.Tx) error {
		var first, last *int64
		if err := tx.QueryRow(ctx, `SELECT min(seq), max(seq) FROM action_pending`).Scan(&first, &last); err != nil {
			return err
		}
		if first == nil {
			return nil
		}
		more = *last >= *first+batch
		_, err := tx.Exec(ctx, rollUpPending, *first+batch, []int32{sumDay, sumWeek, sumPeriod})
		return err
	})
	if err != nil || more {
		return more, err
	}
	err = db.rollUpAlone(ctx, "sum a period of actions up anew", func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, reopenPeriod, rollUpQuiet, sumPeriod).Scan(&more)
	})
	return more, err
}

// rollUpAlone calls f within a transaction, unless another one rolls up.
func (db *DB) rollUpAlone(ctx context.Context, what string, f func(context.Context, pgx.Tx) error) error {
	return db.inTx(ctx, what, func(ctx context.Context, tx pgx.Tx) error {
		var alone bool
		if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(`+rollUpLock+`)`).Scan(&alone); err != nil || !alone {
			return err
		}
		return f(ctx, tx)
	})
}

// RollUpAllActions rolls up until there is no more, or another one does.
func (db *DB) RollUpAllActions(ctx context.Context) error {
	for {
		if more, err := db.RollUpActions(ctx); err != nil || !more {
			return err
		}
	}
}

// rollUpPending adds the jobs noted in action_pending below seq $1 to the sums of all
// spans. A job that is noted twice is counted once if both notes are below. If not, it is
// counted twice, but its period is invalidated, as by every change of a job that had
// actions before, and made anew: whoever writes rows of a job holds its lock, see lockJobs.
// 2 is the rule of countsUses and imageDigest: Postgres refuses an older jobvault's
// statement, which writes none.
const rollUpPending = `
	WITH taken AS (DELETE FROM action_pending WHERE seq < $1 RETURNING job_id),
	     used AS (
	         SELECT action, path, ref, resolved_sha, version, image_digest, repository_id, workflow_name, day_bucket(created_at, 1) AS at, count(*) AS jobs,
	                min(u.job_id) AS first_job, max(u.job_id) AS last_job, min(created_at) AS first_used_at, max(created_at) AS last_used_at, bool_or(in_setup) AS in_setup
	         FROM (SELECT DISTINCT job_id FROM taken) t, LATERAL (
	             SELECT a.job_id, a.action, a.path, a.ref, a.resolved_sha, a.version, j.repository_id, w.workflow_name, j.created_at, bool_or(a.in_setup) AS in_setup,
	                    ` + imageDigest + ` AS image_digest
	             FROM jobs j JOIN workflow_runs w ON w.id = j.run_id JOIN job_actions a ON a.job_id = j.id
	             WHERE j.id = t.job_id AND ` + countsUses + `
	             GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 11) u
	         GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9),
	     daily AS MATERIALIZED (
	         SELECT *, sha256(convert_to(ROW(action, path, ref, resolved_sha, version, repository_id, workflow_name)::text || coalesce(image_digest, ''), 'UTF8')) AS digest FROM used),
	     added AS (
	         INSERT INTO action_callers (digest, action, path, ref, resolved_sha, version, image_digest, repository_id, workflow_name)
	         SELECT DISTINCT ON (digest) digest, action, path, ref, resolved_sha, version, image_digest, repository_id, workflow_name FROM daily
	         WHERE NOT EXISTS (SELECT FROM action_callers c WHERE c.digest = daily.digest)
	         RETURNING id, digest),
	     callers AS (SELECT id, digest FROM action_callers UNION ALL SELECT id, digest FROM added)
	INSERT INTO action_sums AS s (action, days, at, caller_id, repository_id, jobs, first_job, last_job, first_used_at, last_used_at, in_setup, rule)
	SELECT facet('action', lower(d.action)), days, day_bucket(d.at, days), c.id, d.repository_id,
	       sum(jobs), min(first_job), max(last_job), min(first_used_at), max(last_used_at), bool_or(in_setup), 2
	FROM daily d JOIN callers c USING (digest), unnest($2::integer[]) days
	GROUP BY 1, 2, 3, 4, 5
	ORDER BY 1, 2, 3 -- what is read together lies together
	ON CONFLICT (action, days, at, caller_id) DO UPDATE SET
	    jobs = s.jobs + excluded.jobs, first_job = least(s.first_job, excluded.first_job), last_job = greatest(s.last_job, excluded.last_job),
	    first_used_at = least(s.first_used_at, excluded.first_used_at), last_used_at = greatest(s.last_used_at, excluded.last_used_at),
	    in_setup = s.in_setup OR excluded.in_setup`

// imageDigest is the digest of a job's action in job_actions a, if it is an image: of an
// action's package the commit says more. The view action_unrolled has it too.
const imageDigest = `CASE WHEN a.kind IN ('image', 'container') THEN a.digest END`

// reopenPeriod drops the sums of the period that was left alone the longest, and for $1
// at least, and notes each of its jobs once; it says whether there is such a period. All
// of it is one statement, and so sees one state of the rows: what is changed meanwhile
// is invalidated by a note that this does not see, and stays so.
const reopenPeriod = `
	WITH period AS (
	         SELECT repository_id, at FROM action_invalidated GROUP BY 1, 2
	         HAVING max(noted_at) < clock_timestamp() - $1::interval ORDER BY max(noted_at) LIMIT 1),
	     notes AS (DELETE FROM action_invalidated i USING period p WHERE (i.repository_id, i.at) = (p.repository_id, p.at)),
	     sums AS (DELETE FROM action_sums s USING period p WHERE s.repository_id = p.repository_id AND action_period(s.at) = p.at),
	     period_jobs AS MATERIALIZED (
	         SELECT j.id FROM period p JOIN jobs j ON j.repository_id = p.repository_id AND j.created_at >= p.at AND j.created_at < p.at + $2::integer * interval '24 hours'
	         UNION ALL
	         SELECT j.id FROM period p JOIN jobs j ON j.repository_id = p.repository_id AND p.at = '-infinity' AND j.created_at IS NULL),
	     forgotten AS (DELETE FROM action_pending WHERE job_id IN (SELECT id FROM period_jobs)),
	     pending AS (
	         INSERT INTO action_pending (job_id)
	         SELECT id FROM period_jobs WHERE EXISTS (SELECT FROM job_actions a WHERE a.job_id = id) ORDER BY id)
	SELECT EXISTS (SELECT FROM period)`
