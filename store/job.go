package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// StatusCompleted is the status of a job that does not change any more.
const StatusCompleted = "completed"

// Stage ranks a status by how far the job has come. An unknown status ranks between
// waiting for a runner and running.
func Stage(status string) int {
	switch status {
	case "requested":
		return 0
	case "pending":
		return 1
	case "waiting":
		return 2
	case "queued":
		return 3
	case "in_progress":
		return 5
	case StatusCompleted:
		return 6
	default:
		return 4
	}
}

// ErrNotFound says that the row that was asked for does not exist.
var ErrNotFound = errors.New("not found")

// Job is a job of a run attempt. Nil: GitHub did not say.
type Job struct {
	ID              int64      `json:"id"`
	RunID           int64      `json:"run_id"`
	RunAttempt      *int64     `json:"run_attempt"`
	RepositoryID    int64      `json:"repository_id"`
	Name            string     `json:"name"`
	Status          string     `json:"status"`
	Conclusion      *string    `json:"conclusion"`
	NodeID          *string    `json:"node_id"`
	HTMLURL         *string    `json:"html_url" db:"html_url"`
	CheckRunURL     *string    `json:"check_run_url" db:"check_run_url"`
	CreatedAt       *time.Time `json:"created_at"`
	StartedAt       *time.Time `json:"started_at"`
	CompletedAt     *time.Time `json:"completed_at"`
	RunnerID        *int64     `json:"runner_id"`
	RunnerName      *string    `json:"runner_name"`
	RunnerGroupID   *int64     `json:"runner_group_id"`
	RunnerGroupName *string    `json:"runner_group_name"`
	FetchedAt       *time.Time `json:"fetched_at"`
}

// jobValues are the columns of jobs that may change after the first insert.
var jobValues = []string{
	"run_attempt", "name", "status", "conclusion", "node_id", "html_url", "check_run_url", "created_at", "started_at",
	"completed_at", "runner_id", "runner_name", "runner_group_id", "runner_group_name", "fetched_at",
}

// jobColumns lists the columns of a Job.
const jobColumns = `id, run_id, run_attempt, repository_id, name, status, conclusion, node_id, html_url, check_run_url,
	created_at, started_at, completed_at, runner_id, runner_name, runner_group_id, runner_group_name, fetched_at`

// The two ways in which new facts meet a job's row. In neither does a null
// replace a value.
var (
	overwriteJobs = upsertJobsSQL("coalesce(excluded.%[1]s, j.%[1]s)")
	fillJobs      = upsertJobsSQL("coalesce(j.%[1]s, excluded.%[1]s)")
)

func upsertJobsSQL(merge string) string {
	merged := make([]string, len(jobValues))
	for i, c := range jobValues {
		merged[i] = fmt.Sprintf(merge, c)
	}
	sets := strings.Join(jobValues, ", ")
	values := strings.Join(merged, ", ")
	return `
		INSERT INTO jobs AS j (` + jobColumns + `)
		SELECT ` + jobColumns + `
		FROM jsonb_to_recordset($1::jsonb) AS f(
			id bigint, run_id bigint, run_attempt bigint, repository_id bigint, name text, status text, conclusion text,
			node_id text, html_url text, check_run_url text, created_at timestamptz, started_at timestamptz,
			completed_at timestamptz, runner_id bigint, runner_name text, runner_group_id bigint, runner_group_name text,
			fetched_at timestamptz)
		ORDER BY id
		ON CONFLICT (id) DO UPDATE SET (` + sets + `) = (` + values + `)
		WHERE (j.` + strings.Join(jobValues, ", j.") + `) IS DISTINCT FROM (` + values + `)`
}

func upsertJobs(ctx context.Context, tx pgx.Tx, facts []Facts, sql string) error {
	if len(facts) == 0 {
		return nil
	}
	rows := make([]Job, len(facts))
	for i, f := range facts {
		rows[i] = f.Job
	}
	param, err := records(rows)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, sql, param)
	return err
}

// JobToArchive is what an archive job has to know of a job.
type JobToArchive struct {
	Job        Job
	Repository Repository
	Log        JobLog
}

// JobToArchive reads a job with its repository and its row in the ledger. It fails with
// ErrNotFound for an unknown job.
func (db *DB) JobToArchive(ctx context.Context, id int64) (JobToArchive, error) {
	var j JobToArchive
	err := db.inTx(ctx, fmt.Sprintf("read job %d", id), func(ctx context.Context, tx pgx.Tx) error {
		var err error
		if j.Job, err = queryRow[Job](ctx, tx, `SELECT `+jobColumns+` FROM jobs WHERE id = $1`, id); err != nil {
			return err
		}
		if j.Repository, err = queryRow[Repository](ctx, tx, `
			SELECT `+repositoryColumns+` FROM repositories r WHERE id = $1`, j.Job.RepositoryID); err != nil {
			return err
		}
		j.Log, err = queryRow[JobLog](ctx, tx, `SELECT `+jobLogColumns+` FROM job_logs WHERE job_id = $1`, id)
		return err
	})
	return j, err
}

// queryRow reads the single row of a query. It fails with ErrNotFound if there is none.
func queryRow[T any](ctx context.Context, tx pgx.Tx, sql string, args ...any) (T, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		var zero T
		return zero, err
	}
	v, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[T])
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	return v, err
}
