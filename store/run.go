package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// WorkflowRun is a workflow run as its jobs describe it.
type WorkflowRun struct {
	ID           int64   `json:"id"`
	RepositoryID int64   `json:"repository_id"`
	WorkflowName *string `json:"workflow_name"`
	HeadBranch   *string `json:"head_branch"`
	HeadSHA      *string `json:"head_sha"`
}

// upsertRuns merges what the jobs of a run say of it. They all say the same;
// greatest() passes over nulls and would make even a contradiction come out the
// same in whatever order it arrives. Until the transaction ends it holds the runs, also
// those that do not change: so that of two transactions that write jobs of one run, the
// second one sees what the first one wrote (see link_carried_over in the migrations).
func upsertRuns(ctx context.Context, tx pgx.Tx, facts []Facts) error {
	rows := make([]WorkflowRun, len(facts))
	for i, f := range facts {
		rows[i] = f.Run
	}
	param, err := records(rows)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO workflow_runs AS r (id, repository_id, workflow_name, head_branch, head_sha)
		SELECT id, max(repository_id), max(workflow_name), max(head_branch), max(head_sha)
		FROM jsonb_to_recordset($1::jsonb) AS f(
			id bigint, repository_id bigint, workflow_name text, head_branch text, head_sha text)
		GROUP BY id
		ORDER BY id
		ON CONFLICT (id) DO UPDATE SET
			workflow_name = greatest(r.workflow_name, excluded.workflow_name),
			head_branch = greatest(r.head_branch, excluded.head_branch),
			head_sha = greatest(r.head_sha, excluded.head_sha)
		WHERE (greatest(r.workflow_name, excluded.workflow_name), greatest(r.head_branch, excluded.head_branch),
		       greatest(r.head_sha, excluded.head_sha))
		      IS DISTINCT FROM (r.workflow_name, r.head_branch, r.head_sha)`, param)
	return err
}
