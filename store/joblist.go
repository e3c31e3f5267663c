package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// JobFilter selects jobs. Zero fields select all. The names of repositories and
// workflows are compared without regard to case.
type JobFilter struct {
	Repository string // OWNER/NAME, or NAME
	Workflow   string
	Branch     string
	SHA        string // the whole commit or its beginning
	Status     string
	Conclusion string
	Label      string
	Runner     string
	LogState   string
	RunID      int64
	Since      time.Time // created at or after
	Until      time.Time // created before
	Limit      int       // 0: 100
}

// JobSummary is a job as a list shows it.
type JobSummary struct {
	ID           int64      `json:"id"`
	Owner        string     `json:"owner"`
	Repository   string     `json:"repository"`
	RunID        int64      `json:"run_id"`
	RunAttempt   *int64     `json:"run_attempt"`
	WorkflowName *string    `json:"workflow_name"`
	HeadBranch   *string    `json:"head_branch"`
	HeadSHA      *string    `json:"head_sha" db:"head_sha"`
	Name         string     `json:"name"`
	Status       string     `json:"status"`
	Conclusion   *string    `json:"conclusion"`
	CreatedAt    *time.Time `json:"created_at"`
	StartedAt    *time.Time `json:"started_at"`
	CompletedAt  *time.Time `json:"completed_at"`
	RunnerName   *string    `json:"runner_name"`
	Labels       []string   `json:"labels"`
	LogState     string     `json:"log_state"`
	RawBytes     *int64     `json:"log_bytes"`
	Lines        *int64     `json:"log_lines"`
}

// defaultLimit is how many jobs a list shows unless told.
const defaultLimit = 100

// Jobs lists jobs, the newest first.
func (db *DB) Jobs(ctx context.Context, f JobFilter) ([]JobSummary, error) {
	where, args := f.conditions()
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	args = append(args, f.Limit)
	rows, err := db.pool.Query(ctx, `
		SELECT j.id, r.owner, r.name AS repository, j.run_id, j.run_attempt, w.workflow_name, w.head_branch, w.head_sha,
		       j.name, j.status, j.conclusion, j.created_at, j.started_at, j.completed_at, j.runner_name,
		       array(SELECT l.name FROM job_labels jl JOIN labels l ON l.id = jl.label_id
		             WHERE jl.job_id = j.id ORDER BY jl.position) AS labels,
		       g.state AS log_state, g.raw_bytes, g.lines
		FROM jobs j
		JOIN repositories r ON r.id = j.repository_id
		JOIN workflow_runs w ON w.id = j.run_id
		JOIN job_logs g ON g.job_id = j.id
		`+where+`
		ORDER BY j.created_at DESC NULLS LAST, j.id DESC
		LIMIT $`+fmt.Sprint(len(args)), args...)
	if err != nil {
		return nil, fmt.Errorf("store: list jobs: %w", err)
	}
	jobs, err := pgx.CollectRows(rows, pgx.RowToStructByName[JobSummary])
	if err != nil {
		return nil, fmt.Errorf("store: list jobs: %w", err)
	}
	return jobs, nil
}

// conditions makes the WHERE of a list.
func (f JobFilter) conditions() (string, []any) {
	var conditions []string
	var args []any
	add := func(use bool, condition string, arg any) {
		if use {
			args = append(args, arg)
			conditions = append(conditions, strings.ReplaceAll(condition, "?", fmt.Sprintf("$%d", len(args))))
		}
	}
	owner, name, both := strings.Cut(f.Repository, "/")
	if !both {
		name = owner
	}
	add(both, "lower(r.owner) = lower(?)", owner)
	add(name != "", "lower(r.name) = lower(?)", name)
	add(f.Workflow != "", "lower(w.workflow_name) = lower(?)", f.Workflow)
	add(f.Branch != "", "w.head_branch = ?", f.Branch)
	add(f.SHA != "", "w.head_sha LIKE ?", likePrefix(strings.ToLower(f.SHA)))
	add(f.Status != "", "j.status = ?", f.Status)
	add(f.Conclusion != "", "j.conclusion = ?", f.Conclusion)
	add(f.Label != "", "EXISTS (SELECT FROM job_labels jl JOIN labels l ON l.id = jl.label_id WHERE jl.job_id = j.id AND l.name = ?)", f.Label)
	add(f.Runner != "", "j.runner_name = ?", f.Runner)
	add(f.LogState != "", "g.state = ?", f.LogState)
	add(f.RunID != 0, "j.run_id = ?", f.RunID)
	add(!f.Since.IsZero(), "j.created_at >= ?", f.Since)
	add(!f.Until.IsZero(), "j.created_at < ?", f.Until)
	if len(conditions) == 0 {
		return "", nil
	}
	return "WHERE " + strings.Join(conditions, " AND "), args
}

// likePrefix is a LIKE pattern for texts that begin with s.
func likePrefix(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s) + "%"
}
