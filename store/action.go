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

// ActionUse is how a workflow used an action, at one commit.
type ActionUse struct {
	Action      string     `json:"action"`
	Path        *string    `json:"path"`
	Ref         string     `json:"ref"`
	SHA         *string    `json:"resolved_sha" db:"resolved_sha"`
	Version     *string    `json:"version"`
	Repository  string     `json:"repository"`
	Workflow    *string    `json:"workflow"`
	Jobs        int64      `json:"jobs"`
	FirstJob    int64      `json:"first_job"`
	LastJob     int64      `json:"last_job"`
	FirstUsedAt *time.Time `json:"first_used_at"`
	LastUsedAt  *time.Time `json:"last_used_at"`
	InSetup     bool       `json:"in_setup"` // whether a job said so where no step can have forged it
}

// leastCommit is how much of a commit is taken for one.
const leastCommit = 7

// ActionUses lists who used an action: by repository and workflow, under which ref,
// and at which commit; those used last come first.
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
		if len(f.Ref) >= leastCommit {
			commit = likePrefix(strings.ToLower(f.Ref))
		}
		rows, err := tx.Query(ctx, `
			SELECT u.action, u.path, u.ref, u.resolved_sha, u.version, r.owner || '/' || r.name AS repository, u.workflow,
			       u.jobs, u.first_job, u.last_job, u.first_used_at, u.last_used_at, u.in_setup
			FROM (SELECT a.action, a.path, a.ref, a.resolved_sha, a.version, j.repository_id, w.workflow_name AS workflow,
			             count(DISTINCT a.job_id) AS jobs, min(a.job_id) AS first_job, max(a.job_id) AS last_job,
			             min(j.created_at) AS first_used_at, max(j.created_at) AS last_used_at, bool_or(a.in_setup) AS in_setup
			      FROM job_actions a JOIN jobs j ON j.id = a.job_id JOIN workflow_runs w ON w.id = j.run_id
			      WHERE lower(a.action) = lower($1) AND ($2 = '' OR lower(a.path) = lower($2))
			        AND ($3 = '' OR a.ref = $3 OR ($4 <> '' AND a.resolved_sha LIKE $4))
			        AND ($5::bigint[] IS NULL OR j.repository_id = ANY($5)) AND ($6::timestamptz IS NULL OR j.created_at >= $6)
			      GROUP BY a.action, a.path, a.ref, a.resolved_sha, a.version, j.repository_id, w.workflow_name) u
			JOIN repositories r ON r.id = u.repository_id
			ORDER BY u.last_used_at DESC NULLS LAST, repository, u.workflow, u.ref, u.resolved_sha`,
			parts[0]+"/"+parts[1], path, f.Ref, commit, jobs.Repositories, timeOrNull(f.Since))
		if err != nil {
			return err
		}
		uses, err = pgx.CollectRows(rows, pgx.RowToStructByName[ActionUse])
		return err
	})
	return uses, err
}
