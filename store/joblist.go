package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// JobFilter selects jobs. Zero fields select all. The names of repositories and
// workflows are compared without regard to case; a repository is found under its
// former names too.
type JobFilter struct {
	Repository   string  // OWNER/NAME, NAME, or OWNER/
	Repositories []int64 // only jobs of these; nil: of any
	Workflow     string  // name of the workflow
	Branch       string  // branch or tag that the run was started for
	SHA          string  // that commit, or a prefix of it, in any case
	Status       string  // as GitHub words it
	Conclusion   string  // as GitHub words it
	Label        string  // a label that the job asked for
	Runner       string  // name of the runner
	LogState     string  // one of LogStateNames
	Event        string  // event that started the run
	Actor        string  // login of who caused that event, or started the job's attempt, in any case
	Fork         bool    // only of runs whose head commit is in a fork, as far as is known
	RunID        int64
	Since        time.Time // created at or after
	Until        time.Time // created before
	After        *Cursor   // where the list continues; nil: from the newest job
	Limit        int       // 0: 100
}

// Cursor is where a list of jobs, the newest first, continues.
type Cursor struct {
	CreatedAt time.Time // of the job before; zero: not known, such jobs come last
	ID        int64     // of the job before
}

// JobPage is a part of a list.
type JobPage struct {
	Jobs []JobSummary
	Next *Cursor // where the list continues; nil: this was its end
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
	RunStart

	CarriedOverFrom        *int64 `json:"carried_over_from"`         // the job of an earlier attempt that ran in place of this one; nil: it ran itself
	CarriedOverFromAttempt *int64 `json:"carried_over_from_attempt"` // of that job
}

// Cursor returns where a list continues after the job.
func (j JobSummary) Cursor() Cursor {
	p := Cursor{ID: j.ID}
	if j.CreatedAt != nil {
		p.CreatedAt = *j.CreatedAt
	}
	return p
}

// defaultLimit is how many jobs a list has where its filter has no Limit.
const defaultLimit = 100

// Jobs lists jobs, the newest first.
func (db *DB) Jobs(ctx context.Context, f JobFilter) ([]JobSummary, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	var jobs []JobSummary
	for {
		f.Limit = limit - len(jobs)
		page, err := db.JobPage(ctx, f)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, page.Jobs...)
		if page.Next == nil || len(jobs) == limit {
			return jobs, nil
		}
		f.After = page.Next
	}
}

// JobPage lists jobs, the newest first, as far as a bounded number of candidates goes
// (see plan): it takes no longer over millions of jobs than over few. A page may
// therefore have fewer jobs than the limit, or none, and still a Next. Filters that no
// index serves are those for completed jobs, for a state of the log, for a prefix of
// too many commits, and several that only together select few jobs.
func (db *DB) JobPage(ctx context.Context, f JobFilter) (JobPage, error) {
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	page := JobPage{Jobs: []JobSummary{}}
	err := db.inTx(ctx, "list jobs", func(ctx context.Context, tx pgx.Tx) error {
		if err := f.resolve(ctx, tx); err != nil {
			return err
		}
		if f.Repositories != nil && len(f.Repositories) == 0 {
			return nil
		}
		plan, err := f.plan(ctx, tx)
		if err != nil {
			return err
		}
		page.Jobs, page.Next, err = pageOf(ctx, tx, f, plan, summaryColumns, JobSummary.Cursor)
		return err
	})
	return page, err
}

// summaryColumns are those of a JobSummary.
const summaryColumns = `
	j.id, r.owner, r.name AS repository, j.run_id, j.run_attempt, w.workflow_name, w.head_branch, w.head_sha,
	j.name, j.status, j.conclusion, j.created_at, j.started_at, j.completed_at, j.runner_name,
	array(SELECT l.name FROM job_labels jl JOIN labels l ON l.id = jl.label_id
	      WHERE jl.job_id = j.id ORDER BY jl.position) AS labels,
	g.state AS log_state, g.raw_bytes, g.lines, j.carried_over_from,
	(SELECT o.run_attempt FROM jobs o WHERE o.id = j.carried_over_from) AS carried_over_from_attempt, ` + startColumns

// Summaries reads the summaries of jobs.
func (db *DB) Summaries(ctx context.Context, jobIDs []int64) (map[int64]JobSummary, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT `+summaryColumns+`
		FROM jobs j JOIN workflow_runs w ON w.id = j.run_id JOIN repositories r ON r.id = j.repository_id JOIN job_logs g ON g.job_id = j.id
		`+joinAttempt+`
		WHERE j.id = ANY($1)`, jobIDs)
	if err != nil {
		return nil, fmt.Errorf("store: summaries: %w", err)
	}
	jobs, err := pgx.CollectRows(rows, pgx.RowToStructByName[JobSummary])
	if err != nil {
		return nil, fmt.Errorf("store: summaries: %w", err)
	}
	byID := make(map[int64]JobSummary, len(jobs))
	for _, j := range jobs {
		byID[j.ID] = j
	}
	return byID, nil
}

// CountJobs counts the jobs that a filter selects, whatever its After and Limit. It
// reads all jobs.
func (db *DB) CountJobs(ctx context.Context, f JobFilter) (n int64, err error) {
	err = db.inTx(ctx, "count jobs", func(ctx context.Context, tx pgx.Tx) error {
		if err := f.resolve(ctx, tx); err != nil {
			return err
		}
		a := arguments{}
		sql := `SELECT count(*) FROM jobs j JOIN workflow_runs w ON w.id = j.run_id JOIN job_logs g ON g.job_id = j.id ` + joinAttempt + ` ` + f.conditions(&a)
		return tx.QueryRow(ctx, sql, a...).Scan(&n)
	})
	return n, err
}

// resolve turns the repository's name into ids.
func (f *JobFilter) resolve(ctx context.Context, tx pgx.Tx) error {
	owner, name, both := strings.Cut(f.Repository, "/")
	if !both {
		owner, name = "", owner
	}
	if name == "*" {
		name = ""
	}
	if owner == "" && name == "" {
		return nil
	}
	rows, err := tx.Query(ctx, `
		SELECT id FROM (SELECT id, owner, name FROM repositories
		                UNION SELECT repository_id, owner, name FROM repository_names) names
		WHERE ($1 = '' OR lower(owner) = lower($1)) AND ($2 = '' OR lower(name) = lower($2))
		  AND ($3::bigint[] IS NULL OR id = ANY($3))
		GROUP BY id`, owner, name, f.Repositories)
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	f.Repositories = append([]int64{}, ids...)
	return err
}
