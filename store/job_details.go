package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// JobDetails is all that the tables say of a job.
type JobDetails struct {
	Job         Job
	Run         WorkflowRun
	RunStart    RunStart
	Repository  Repository
	Steps       []Step // by number
	Labels      []string
	Log         JobLog
	CarriedOver *CarriedOver // nil: it ran itself
}

// CarriedOver says which job ran in place of one that a new attempt of its run has taken
// over from an earlier attempt, with runner and times, and not run again.
type CarriedOver struct {
	From       int64 // the job
	RunAttempt int64 // its attempt
}

// JobDetails reads a job. It fails with ErrNotFound for an unknown one.
func (db *DB) JobDetails(ctx context.Context, id int64) (JobDetails, error) {
	var found []JobDetails
	err := db.inTx(ctx, fmt.Sprintf("details of job %d", id), func(ctx context.Context, tx pgx.Tx) (err error) {
		if found, err = jobDetails(ctx, tx, []int64{id}); err == nil && len(found) == 0 {
			err = ErrNotFound
		}
		return err
	})
	if err != nil {
		return JobDetails{}, err
	}
	return found[0], nil
}

// JobsOfRun selects jobs of a run.
type JobsOfRun struct {
	RunID        int64
	Repositories []int64 // only if the run is of one of these; nil: of any
	Attempt      int64   // of this attempt only; 0: of all
	Latest       bool    // of the latest attempt only
	LatestFirst  bool    // the limit cuts off the first attempts, not the last; the order is that of ids in any case
	Limit        int     // 0: all
	Offset       int
}

// RunJobs lists jobs of a run in the order of ids, and how many there are altogether:
// none for an unknown run or attempt. A job without a RunAttempt counts as one of the
// first attempt.
func (db *DB) RunJobs(ctx context.Context, q JobsOfRun) (jobs []JobDetails, total int, err error) {
	err = db.inTx(ctx, fmt.Sprintf("jobs of run %d", q.RunID), func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT id FROM jobs
			WHERE run_id = $1 AND ($2 = 0 OR coalesce(run_attempt, 1) = $2)
			  AND (NOT $3 OR coalesce(run_attempt, 1) = (SELECT max(coalesce(run_attempt, 1)) FROM jobs WHERE run_id = $1))
			  AND ($4::bigint[] IS NULL OR repository_id = ANY($4))
			ORDER BY CASE WHEN $5 THEN -coalesce(run_attempt, 1) END, id`, q.RunID, q.Attempt, q.Latest, q.Repositories, q.LatestFirst)
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return err
		}
		total = len(ids)
		ids = ids[min(q.Offset, total):]
		if q.Limit > 0 {
			ids = ids[:min(q.Limit, len(ids))]
		}
		jobs, err = jobDetails(ctx, tx, ids)
		return err
	})
	return jobs, total, err
}

// jobDetails reads jobs in the order of ids. Unknown ids are left out.
func jobDetails(ctx context.Context, tx pgx.Tx, ids []int64) ([]JobDetails, error) {
	jobs, err := pgx.CollectRows(query(ctx, tx, `SELECT `+jobColumns+` FROM jobs WHERE id = ANY($1) ORDER BY id`, ids), pgx.RowToStructByName[Job])
	if err != nil {
		return nil, err
	}
	runs, starts, err := readRuns(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	repositories, err := byID(query(ctx, tx, `
		SELECT `+repositoryColumns+` FROM repositories r
		WHERE id IN (SELECT repository_id FROM jobs WHERE id = ANY($1))`, ids), func(r Repository) int64 { return r.ID })
	if err != nil {
		return nil, err
	}
	logs, err := byID(query(ctx, tx, `SELECT `+jobLogColumns+` FROM job_logs WHERE job_id = ANY($1)`, ids), func(l JobLog) int64 { return l.JobID })
	if err != nil {
		return nil, err
	}
	if err := readRemovals(ctx, tx, logs); err != nil {
		return nil, err
	}
	if err := readShorter(ctx, tx, logs); err != nil {
		return nil, err
	}
	details, place := make([]JobDetails, len(jobs)), make(map[int64]int, len(jobs))
	for i, j := range jobs {
		place[j.ID] = i
		details[i] = JobDetails{Job: j, Run: runs[j.RunID], RunStart: starts[j.ID].RunStart, Repository: repositories[j.RepositoryID], Log: logs[j.ID], Steps: []Step{}, Labels: []string{}}
	}
	steps, err := pgx.CollectRows(query(ctx, tx, `SELECT `+stepColumns+` FROM steps WHERE job_id = ANY($1) ORDER BY job_id, number`, ids), pgx.RowToStructByName[Step])
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		d := &details[place[s.JobID]]
		d.Steps = append(d.Steps, s)
	}
	if err := readOrigins(ctx, tx, ids, details, place); err != nil {
		return nil, err
	}
	labels, err := pgx.CollectRows(query(ctx, tx, `
		SELECT jl.job_id, l.name, jl.position FROM job_labels jl JOIN labels l ON l.id = jl.label_id
		WHERE jl.job_id = ANY($1) ORDER BY jl.job_id, jl.position`, ids), pgx.RowToStructByName[jobLabel])
	for _, l := range labels {
		d := &details[place[l.JobID]]
		d.Labels = append(d.Labels, l.Name)
	}
	return details, err
}

// readRuns reads the runs of jobs by their ids, and by the jobs' ids how these were started.
func readRuns(ctx context.Context, tx pgx.Tx, ids []int64) (runs map[int64]WorkflowRun, starts map[int64]jobStart, err error) {
	runs, err = byID(query(ctx, tx, `
		SELECT id, repository_id, workflow_name, head_branch, head_sha FROM workflow_runs
		WHERE id IN (SELECT run_id FROM jobs WHERE id = ANY($1))`, ids), func(r WorkflowRun) int64 { return r.ID })
	if err != nil {
		return nil, nil, err
	}
	starts, err = byID(query(ctx, tx, `
		SELECT j.id AS job_id, `+startColumns+` FROM jobs j JOIN workflow_runs w ON w.id = j.run_id `+joinAttempt+` WHERE j.id = ANY($1)`, ids),
		func(s jobStart) int64 { return s.JobID })
	return runs, starts, err
}

// readOrigins reads which job ran in place of each that is carried over.
func readOrigins(ctx context.Context, tx pgx.Tx, ids []int64, details []JobDetails, place map[int64]int) error {
	var id int64
	var from CarriedOver
	_, err := pgx.ForEachRow(query(ctx, tx, `
		SELECT j.id, o.id, coalesce(o.run_attempt, 1) FROM jobs j JOIN jobs o ON o.id = j.carried_over_from
		WHERE j.id = ANY($1)`, ids), []any{&id, &from.From, &from.RunAttempt}, func() error {
		details[place[id]].CarriedOver = new(from)
		return nil
	})
	return err
}

// jobStart is the start of a job's run.
type jobStart struct {
	JobID int64
	RunStart
}

// querier is a transaction, or the pool.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// query runs a query. Its error, if any, is that of the rows.
func query(ctx context.Context, on querier, sql string, args ...any) pgx.Rows {
	rows, _ := on.Query(ctx, sql, args...) // the rows have the error
	return rows
}

// byID collects rows by an id of theirs.
func byID[T any](rows pgx.Rows, id func(T) int64) (map[int64]T, error) {
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	found := make(map[int64]T, len(list))
	for _, v := range list {
		found[id(v)] = v
	}
	return found, err
}
