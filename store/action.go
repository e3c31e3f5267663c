package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/archive/joblog"
)

// ActionFilter selects uses of an action or of a container image. Names are compared
// without regard to case.
type ActionFilter struct {
	Action       string    // OWNER/REPO or OWNER/REPO/PATH; of an image docker://NAME, as joblog.Image has it
	Ref          string    // as asked for, or the commit or its beginning; of an image its tag; empty: any
	Digest       string    // of an image, sha256:HEX; empty: any
	Repository   string    // as in JobFilter
	Repositories []int64   // nil: any
	Since        time.Time // jobs created at or after
	Event        string    // these three as in JobFilter
	Actor        string
	Fork         bool
}

// ofStarts says whether the filter asks what started runs, which sums do not tell.
func (f ActionFilter) ofStarts() bool { return f.Event != "" || f.Actor != "" || f.Fork }

// ActionUse is the use of an action by a workflow, at one commit.
type ActionUse struct {
	Action      string     `json:"action"`
	Path        *string    `json:"path"`
	Ref         string     `json:"ref"`
	SHA         *string    `json:"resolved_sha" db:"resolved_sha"`
	Version     *string    `json:"version"`
	Digest      *string    `json:"digest" db:"image_digest"` // of an image; null: it is none, or its digest is not known
	Repository  string     `json:"repository"`
	Workflow    *string    `json:"workflow"`
	Jobs        int64      `json:"jobs"` // that ran: see countsUses
	FirstJob    int64      `json:"first_job"`
	LastJob     int64      `json:"last_job"`
	FirstUsedAt *time.Time `json:"first_used_at"`
	LastUsedAt  *time.Time `json:"last_used_at"`
	LastEvent   *string    `json:"last_event"` // what started the run of LastJob, and who caused that; nil: not known
	LastActor   *string    `json:"last_actor"`
	InSetup     bool       `json:"in_setup"` // whether the runner of one of the jobs said so while it set up, where no step and no caller can forge it
}

// minCommitPrefix is the length from which a ref is also looked for as the prefix of a
// commit.
const minCommitPrefix = 7

// ActionUses lists the uses of an action, by repository, workflow, ref and commit, the
// latest first.
func (db *DB) ActionUses(ctx context.Context, f ActionFilter) ([]ActionUse, error) {
	var uses []ActionUse
	err := db.inTx(ctx, "uses of "+f.Action, func(ctx context.Context, tx pgx.Tx) error {
		args, err := f.args(ctx, tx)
		if err != nil {
			return err
		}
		sql := usesOfStarts
		if !f.ofStarts() {
			sql = usesOfAction
			copy(args[6:9], []any{timeOrNull(beginOf(f.Since, sumDay)), timeOrNull(beginOf(f.Since, sumWeek)), timeOrNull(beginOf(f.Since, sumPeriod))})
		}
		// Planned for these values each time: an action that every job uses has a million
		// times as many rows as most others.
		rows, err := tx.Query(ctx, sql, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...)
		if err != nil {
			return err
		}
		uses, err = pgx.CollectRows(rows, pgx.RowToStructByName[ActionUse])
		return err
	})
	return uses, err
}

// args are the parameters $1 to $10 of usesOfStarts and unknownUses.
func (f ActionFilter) args(ctx context.Context, tx pgx.Tx) ([]any, error) {
	name, path, err := f.split()
	if err != nil {
		return nil, err
	}
	jobs := JobFilter{Repository: f.Repository, Repositories: f.Repositories}
	if err := jobs.resolve(ctx, tx); err != nil {
		return nil, err
	}
	commit := ""
	if len(f.Ref) >= minCommitPrefix {
		commit = likePrefix(strings.ToLower(f.Ref))
	}
	return []any{name, path, f.Ref, commit, jobs.Repositories, timeOrNull(f.Since), f.Event, f.Actor, f.Fork, f.Digest}, nil
}

// split takes an action's name apart into that of its repository and the path in it. An
// image's name is one.
func (f ActionFilter) split() (name, path string, err error) {
	if strings.HasPrefix(f.Action, joblog.ImageScheme) {
		return f.Action, "", nil
	}
	parts := strings.SplitN(f.Action, "/", 3)
	if len(parts) < 2 {
		return "", "", fmt.Errorf("store: action %q: want OWNER/REPO", f.Action)
	}
	if len(parts) == 3 {
		path = parts[2]
	}
	return parts[0] + "/" + parts[1], path, nil
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
	SELECT u.action, u.path, u.ref, u.resolved_sha, u.version, u.image_digest, r.owner || '/' || r.name AS repository, u.workflow_name AS workflow,
	       u.jobs, u.first_job, u.last_job, u.first_used_at, u.last_used_at, lw.event AS last_event, lw.actor AS last_actor, u.in_setup
	FROM (SELECT action, path, ref, resolved_sha, version, image_digest, repository_id, workflow_name, sum(jobs)::bigint AS jobs, min(first_job) AS first_job,
	             max(last_job) AS last_job, min(first_used_at) AS first_used_at, max(last_used_at) AS last_used_at, bool_or(in_setup) AS in_setup
	      FROM (SELECT c.action, c.path, c.ref, c.resolved_sha, c.version, c.image_digest, c.repository_id, c.workflow_name,
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
	            SELECT action, path, ref, resolved_sha, version, image_digest, repository_id, workflow_name, 1, job_id, job_id, created_at, created_at, in_setup
	            FROM action_unrolled WHERE $7::timestamptz IS NULL OR created_at >= $7
	            UNION ALL
	            SELECT a.action, a.path, a.ref, a.resolved_sha, a.version, a.image_digest, a.repository_id, a.workflow_name, 1, a.job_id, a.job_id, a.created_at, a.created_at, a.in_setup
	            FROM jobs j, LATERAL (
	                SELECT a.job_id, a.action, a.path, a.ref, a.resolved_sha, a.version, j.repository_id, w.workflow_name, j.created_at, bool_or(a.in_setup) AS in_setup,
	                       ` + imageDigest + ` AS image_digest
	                FROM job_actions a JOIN workflow_runs w ON w.id = j.run_id
	                WHERE a.job_id = j.id AND ` + countsUses + `
	                GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 11) a
	            WHERE j.created_at >= $6::timestamptz AND j.created_at < $7) u
	      WHERE lower(action) = lower($1) AND ($2 = '' OR lower(path) = lower($2))
	        AND ($3 = '' OR ref = $3 OR ($4 <> '' AND resolved_sha LIKE $4))
	        AND ($10 = '' OR image_digest = $10) AND ($5 IS NULL OR repository_id = ANY($5))
	      -- The columns that differ most come first: comparing ends there.
	      GROUP BY repository_id, workflow_name, resolved_sha, image_digest, ref, path, version, action) u` + usesInOrder

// usesInOrder is the end of both statements, with the run of the last job.
const usesInOrder = `
	JOIN repositories r ON r.id = u.repository_id
	LEFT JOIN jobs lj ON lj.id = u.last_job
	LEFT JOIN workflow_runs lw ON lw.id = lj.run_id
	ORDER BY u.last_used_at DESC NULLS LAST, repository, workflow, u.ref, u.resolved_sha, u.image_digest, u.action, u.path, u.version`

const (
	// ofName holds uses a of the action's name and path.
	ofName = `lower(a.action) = lower($1) AND ($2 = '' OR lower(a.path) = lower($2))`

	// ofRef holds uses a of the ref, commit or digest.
	ofRef = `($3 = '' OR a.ref = $3 OR ($4 <> '' AND a.resolved_sha LIKE $4)) AND ($10 = '' OR ` + imageDigest + ` = $10)`

	// startedSo holds jobs j whose runs w, or attempts x, were started so; null: no listing
	// has told.
	startedSo = `($7 = '' OR w.event = $7)
	        AND ($8 = '' OR lower($8) IN (lower(w.actor), lower(` + attemptStarter + `)))
	        AND (NOT $9::boolean OR w.head_repository_id <> w.repository_id)`
)

// usesOfStarts looks at the jobs that used the action and whose runs were started so. The
// sums do not tell that: it takes as long as the action, or what is rarer, has jobs.
const usesOfStarts = `
	SELECT u.action, u.path, u.ref, u.resolved_sha, u.version, u.image_digest, r.owner || '/' || r.name AS repository, u.workflow_name AS workflow,
	       u.jobs, u.first_job, u.last_job, u.first_used_at, u.last_used_at, lw.event AS last_event, lw.actor AS last_actor, u.in_setup
	FROM (SELECT a.action, a.path, a.ref, a.resolved_sha, a.version, ` + imageDigest + ` AS image_digest, j.repository_id, w.workflow_name, count(DISTINCT j.id) AS jobs, min(j.id) AS first_job,
	             max(j.id) AS last_job, min(j.created_at) AS first_used_at, max(j.created_at) AS last_used_at, bool_or(a.in_setup) AS in_setup
	      FROM job_actions a
	      JOIN jobs j ON j.id = a.job_id
	      JOIN workflow_runs w ON w.id = j.run_id
	      ` + joinAttempt + `
	      WHERE ` + ofName + ` AND ` + ofRef + ` AND ` + countsUses + ` AND ` + startedSo + `
	        AND ($5::bigint[] IS NULL OR j.repository_id = ANY($5)) AND ($6::timestamptz IS NULL OR j.created_at >= $6)
	      GROUP BY j.repository_id, w.workflow_name, a.resolved_sha, image_digest, a.ref, a.path, a.version, a.action) u` + usesInOrder
