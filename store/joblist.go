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
	Workflow     string
	Branch       string
	SHA          string // the whole commit or its beginning
	Status       string
	Conclusion   string
	Label        string
	Runner       string
	LogState     string
	RunID        int64
	Since        time.Time // created at or after
	Until        time.Time // created before
	After        *Place    // where the list goes on
	Limit        int       // 0: 100
}

// Place is a place in a list of jobs, the newest first.
type Place struct {
	CreatedAt time.Time // zero: not known; such jobs come last
	ID        int64     // of the job before the place
}

// JobPage is a part of a list.
type JobPage struct {
	Jobs []JobSummary
	Next *Place // where the list goes on; nil: it has come to its end
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

// Place is the place after the job.
func (j JobSummary) Place() Place {
	p := Place{ID: j.ID}
	if j.CreatedAt != nil {
		p.CreatedAt = *j.CreatedAt
	}
	return p
}

const (
	// defaultLimit is how many jobs a list shows unless told.
	defaultLimit = 100
	// mostCandidates bounds how many jobs are looked at for one page.
	mostCandidates = 5000
)

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

// JobPage lists jobs, the newest first, as far as one look at the database goes:
// it takes no longer over millions of jobs than over few. A page may hold fewer
// jobs than the limit, or none, and still have a Next: it has looked at so many
// others. Filters that jobs cannot be found by are those for completed jobs, a state
// of the log, the beginning of too many commits, and several that only together
// select few.
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
		way, err := f.way(ctx, tx)
		if err != nil {
			return err
		}
		page.Jobs, page.Next, err = pageOf(ctx, tx, f, way, summaryColumns, JobSummary.Place)
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
	g.state AS log_state, g.raw_bytes, g.lines`

// Summaries reads the summaries of jobs.
func (db *DB) Summaries(ctx context.Context, jobIDs []int64) (map[int64]JobSummary, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT `+summaryColumns+`
		FROM jobs j JOIN workflow_runs w ON w.id = j.run_id JOIN repositories r ON r.id = j.repository_id JOIN job_logs g ON g.job_id = j.id
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

// CountJobs counts the jobs that a filter selects, wherever its list would begin. It
// looks at all jobs.
func (db *DB) CountJobs(ctx context.Context, f JobFilter) (n int64, err error) {
	err = db.inTx(ctx, "count jobs", func(ctx context.Context, tx pgx.Tx) error {
		if err := f.resolve(ctx, tx); err != nil {
			return err
		}
		a := arguments{}
		query := `SELECT count(*) FROM jobs j JOIN workflow_runs w ON w.id = j.run_id JOIN job_logs g ON g.job_id = j.id ` + f.conditions(&a)
		return tx.QueryRow(ctx, query, a...).Scan(&n)
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

// pageOf reads columns of the jobs that a way leads to and the filter selects, and says
// where the list goes on.
func pageOf[T any](ctx context.Context, tx pgx.Tx, f JobFilter, w way, columns string, place func(T) Place) ([]T, *Place, error) {
	a := arguments{}
	candidates := f.candidates(&a, w)
	query := `
		SELECT ` + columns + `
		FROM (` + candidates + `) c
		JOIN jobs j ON j.id = c.job_id AND coalesce(j.created_at, '-infinity') = c.at
		JOIN workflow_runs w ON w.id = j.run_id
		JOIN repositories r ON r.id = j.repository_id
		JOIN job_logs g ON g.job_id = j.id
		` + f.conditions(&a) + `
		ORDER BY c.at DESC, c.job_id DESC
		LIMIT ` + a.add(f.Limit+1)
	rows, err := tx.Query(ctx, query, a...)
	if err != nil {
		return nil, nil, err
	}
	jobs, err := pgx.AppendRows([]T{}, rows, pgx.RowToStructByName[T])
	if err != nil {
		return nil, nil, err
	}
	if len(jobs) > f.Limit {
		jobs = jobs[:f.Limit]
		return jobs, new(place(jobs[f.Limit-1])), nil
	}
	a = arguments{}
	rows, err = tx.Query(ctx, `SELECT coalesce(nullif(at, '-infinity'), '0001-01-01Z') AS created_at, job_id AS id FROM (`+f.end(&a, w)+`) c`, a...)
	if err != nil {
		return nil, nil, err
	}
	last, err := pgx.CollectRows(rows, pgx.RowToStructByName[Place])
	if err != nil || len(last) == 0 {
		return jobs, nil, err
	}
	return jobs, &last[0], nil
}

// conditions is the WHERE of a list, over jobs j, workflow_runs w and job_logs g.
func (f *JobFilter) conditions(a *arguments) string {
	var conditions []string
	add := func(use bool, condition string, arg any) {
		if use {
			conditions = append(conditions, strings.ReplaceAll(condition, "?", a.add(arg)))
		}
	}
	add(f.Repositories != nil, "j.repository_id = ANY(?::bigint[])", f.Repositories)
	add(f.Workflow != "", "lower(w.workflow_name) = lower(?)", f.Workflow)
	add(f.Branch != "", "w.head_branch = ?", f.Branch)
	add(f.SHA != "", "w.head_sha LIKE ?", likePrefix(strings.ToLower(f.SHA)))
	add(f.Status != "", "j.status = ?", f.Status)
	add(f.Conclusion != "", "j.conclusion = ?", f.Conclusion)
	// OFFSET 0 has it looked up for each candidate; without, Postgres may first
	// collect all jobs that have the label.
	add(f.Label != "", "EXISTS (SELECT FROM job_labels jl JOIN labels l ON l.id = jl.label_id WHERE jl.job_id = j.id AND l.name = ? OFFSET 0)", f.Label)
	add(f.Runner != "", "j.runner_name = ?", f.Runner)
	add(f.LogState != "", "g.state = ?", f.LogState)
	add(f.RunID != 0, "j.run_id = ?", f.RunID)
	add(!f.Since.IsZero(), "j.created_at >= ?", f.Since)
	add(!f.Until.IsZero(), "j.created_at < ?", f.Until)
	if len(conditions) == 0 {
		return ""
	}
	return "WHERE " + strings.Join(conditions, " AND ")
}

// likePrefix is a LIKE pattern for texts that begin with s.
func likePrefix(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s) + "%"
}

// arguments are those of a query that is put together.
type arguments []any

// add returns the place holder of one more.
func (a *arguments) add(v any) string {
	*a = append(*a, v)
	return fmt.Sprintf("$%d", len(*a))
}
