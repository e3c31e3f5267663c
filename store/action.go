package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// ActionFilter selects uses of an action. Names are compared without regard to case.
type ActionFilter struct {
	Action       string    // OWNER/REPO or OWNER/REPO/PATH
	Ref          string    // as asked for, or the commit or its beginning; empty: any
	Repository   string    // as in JobFilter
	Repositories []int64   // nil: any
	Since        time.Time // jobs created at or after
}

// ActionUse is the use of an action by a workflow, at one commit.
type ActionUse struct {
	Action      string     `json:"action"`
	Path        *string    `json:"path"`
	Ref         string     `json:"ref"`
	SHA         *string    `json:"resolved_sha" db:"resolved_sha"`
	Version     *string    `json:"version"`
	Repository  string     `json:"repository"`
	Workflow    *string    `json:"workflow"`
	Jobs        int64      `json:"jobs"` // that ran: see countsUses
	FirstJob    int64      `json:"first_job"`
	LastJob     int64      `json:"last_job"`
	FirstUsedAt *time.Time `json:"first_used_at"`
	LastUsedAt  *time.Time `json:"last_used_at"`
	InSetup     bool       `json:"in_setup"` // whether the runner of one of the jobs said so while it set up, where no step and no caller can forge it
}

// minCommitPrefix is the length from which a ref is also looked for as the prefix of a
// commit.
const minCommitPrefix = 7

// ActionUses lists the uses of an action, by repository, workflow, ref and commit, the
// latest first.
func (db *DB) ActionUses(ctx context.Context, f ActionFilter) ([]ActionUse, error) {
	parts := strings.SplitN(f.Action, "/", 3)
	if len(parts) < 2 {
		return nil, fmt.Errorf("store: action %q: want OWNER/REPO", f.Action)
	}
	path := ""
	if len(parts) == 3 {
		path = parts[2]
	}
	var uses []ActionUse
	err := db.inTx(ctx, "uses of "+f.Action, func(ctx context.Context, tx pgx.Tx) error {
		jobs := JobFilter{Repository: f.Repository, Repositories: f.Repositories}
		if err := jobs.resolve(ctx, tx); err != nil {
			return err
		}
		commit := ""
		if len(f.Ref) >= minCommitPrefix {
			commit = likePrefix(strings.ToLower(f.Ref))
		}
		// Planned for these values each time: an action that every job uses has a million
		// times as many rows as most others.
		rows, err := tx.Query(ctx, usesOfAction, pgx.QueryExecModeCacheDescribe,
			parts[0]+"/"+parts[1], path, f.Ref, commit, jobs.Repositories, timeOrNull(f.Since),
			timeOrNull(beginOf(f.Since, sumDay)), timeOrNull(beginOf(f.Since, sumWeek)), timeOrNull(beginOf(f.Since, sumPeriod)))
		if err != nil {
			return err
		}
		uses, err = pgx.CollectRows(rows, pgx.RowToStructByName[ActionUse])
		return err
	})
	return uses, err
}

// beginOf is the first start of a span of action_sums that is not before t. Spans are
// counted from the zero Time on, as by Postgres' day_bucket.
func beginOf(t time.Time, days int) time.Time {
	span := time.Duration(days) * 24 * time.Hour
	if begin := t.Truncate(span); !begin.Equal(t) {
		return begin.Add(span)
	}
	return t
}

// countsUses says whether the actions of job j count: those of one that is carried over
// do only if nothing tells which the job used that ran, whose log may be lost. Without
// OFFSET, Postgres may read the whole table once instead of a few rows of it.
const countsUses = `(j.carried_over_from IS NULL OR NOT EXISTS (SELECT FROM job_actions e WHERE e.job_id = j.carried_over_from OFFSET 0))`

// usesOfAction adds up action_sums, from the longest spans to the shortest; what these do
// not count; and the part of a day that begins at $6.
const usesOfAction = `
	SELECT u.action, u.path, u.ref, u.resolved_sha, u.version, r.owner || '/' || r.name AS repository, u.workflow_name AS workflow,
	       u.jobs, u.first_job, u.last_job, u.first_used_at, u.last_used_at, u.in_setup
	FROM (SELECT action, path, ref, resolved_sha, version, repository_id, workflow_name, sum(jobs)::bigint AS jobs, min(first_job) AS first_job,
	             max(last_job) AS last_job, min(first_used_at) AS first_used_at, max(last_used_at) AS last_used_at, bool_or(in_setup) AS in_setup
	      FROM (SELECT c.action, c.path, c.ref, c.resolved_sha, c.version, c.repository_id, c.workflow_name,
	                   s.jobs, s.first_job, s.last_job, s.first_used_at, s.last_used_at, s.in_setup
	            FROM (SELECT caller_id, sum(jobs) AS jobs, min(first_job) AS first_job, max(last_job) AS last_job,
	                         min(first_used_at) AS first_used_at, max(last_used_at) AS last_used_at, bool_or(in_setup) AS in_setup
	                  FROM action_sums s
	                  WHERE s.action = facet('action', lower($1)) AND ($5::bigint[] IS NULL OR s.repository_id = ANY($5))
	                    AND (s.days = 56 AND s.at >= coalesce($9, '-infinity'::timestamptz)
	                      OR s.days = 7 AND s.at >= $8::timestamptz AND s.at < $9::timestamptz
	                      OR s.days = 1 AND s.at >= $7::timestamptz AND s.at < $8::timestamptz)
	                    AND NOT EXISTS (SELECT FROM action_invalidated i WHERE i.repository_id = s.repository_id AND i.at = action_period(s.at))
	                  GROUP BY caller_id) s
	            JOIN action_callers c ON c.id = s.caller_id
	            UNION ALL
	            SELECT action, path, ref, resolved_sha, version, repository_id, workflow_name, 1, job_id, job_id, created_at, created_at, in_setup
	            FROM action_unrolled WHERE $7::timestamptz IS NULL OR created_at >= $7
	            UNION ALL
	            SELECT a.action, a.path, a.ref, a.resolved_sha, a.version, a.repository_id, a.workflow_name, 1, a.job_id, a.job_id, a.created_at, a.created_at, a.in_setup
	            FROM jobs j, LATERAL (
	                SELECT a.job_id, a.action, a.path, a.ref, a.resolved_sha, a.version, j.repository_id, w.workflow_name, j.created_at, bool_or(a.in_setup) AS in_setup
	                FROM job_actions a JOIN workflow_runs w ON w.id = j.run_id
	                WHERE a.job_id = j.id AND ` + countsUses + `
	                GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9) a
	            WHERE j.created_at >= $6::timestamptz AND j.created_at < $7) u
	      WHERE lower(action) = lower($1) AND ($2 = '' OR lower(path) = lower($2))
	        AND ($3 = '' OR ref = $3 OR ($4 <> '' AND resolved_sha LIKE $4))
	        AND ($5 IS NULL OR repository_id = ANY($5))
	      -- The columns that differ most come first: comparing ends there.
	      GROUP BY repository_id, workflow_name, resolved_sha, ref, path, version, action) u
	JOIN repositories r ON r.id = u.repository_id
	ORDER BY u.last_used_at DESC NULLS LAST, repository, workflow, u.ref, u.resolved_sha, u.action, u.path, u.version`
