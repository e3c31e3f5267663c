package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Facts is all that is known of one job at one moment, from webhooks or from
// the REST API.
type Facts struct {
	Repository Repository
	OtherNames []Repository // the latest report of each other name of it
	Run        WorkflowRun
	Job        Job
	Steps      []Step
	Labels     []string
	Details    *Details // of its job.json in the bucket; nil: not known
}

// writeFacts writes the rows of jobs that this transaction has locked. Facts whose
// job has a FetchedAt come from the REST API, whose word on a completed job is
// final: from then on webhooks only fill what it left null.
//
// Every statement locks its rows in the order of their keys, and the tables come in one
// order, so that transactions cannot deadlock.
func writeFacts(ctx context.Context, tx pgx.Tx, facts []Facts) error {
	if err := writeRepositories(ctx, tx, facts); err != nil {
		return err
	}
	return writeJobs(ctx, tx, facts)
}

// writeInterpreted writes the facts of repositories that are selected, and of jobs that
// have rows already.
func writeInterpreted(ctx context.Context, tx pgx.Tx, u Interpretation) error {
	if u.Selected == nil || len(u.Facts) == 0 {
		return writeFacts(ctx, tx, u.Facts)
	}
	if err := writeRepositories(ctx, tx, u.Facts); err != nil {
		return err
	}
	var repositories, jobs []int64
	for _, f := range u.Facts {
		repositories, jobs = append(repositories, f.Repository.ID), append(jobs, f.Job.ID)
	}
	rs, err := repositoriesOf(ctx, tx, repositories)
	if err != nil {
		return fmt.Errorf("repositories: %w", err)
	}
	unwanted := make(map[int64]bool)
	for _, r := range rs {
		if !u.Selected(r) {
			unwanted[r.ID] = true
		}
	}
	if len(unwanted) == 0 {
		return writeJobs(ctx, tx, u.Facts)
	}
	known, err := pgx.CollectRows(query(ctx, tx, `SELECT id FROM jobs WHERE id = ANY($1)`, jobs), pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("known jobs: %w", err)
	}
	return writeJobs(ctx, tx, slices.DeleteFunc(slices.Clone(u.Facts), func(f Facts) bool {
		return unwanted[f.Repository.ID] && !slices.Contains(known, f.Job.ID)
	}))
}

func writeRepositories(ctx context.Context, tx pgx.Tx, facts []Facts) error {
	var reports []Repository
	for _, f := range facts {
		reports = append(append(reports, f.Repository), f.OtherNames...)
	}
	if len(reports) == 0 {
		return nil
	}
	if err := upsertRepositories(ctx, tx, reports); err != nil {
		return fmt.Errorf("repositories: %w", err)
	}
	return nil
}

// writeJobs is the part of writeFacts after the repositories.
func writeJobs(ctx context.Context, tx pgx.Tx, facts []Facts) error {
	if len(facts) == 0 {
		return nil
	}
	if err := upsertRuns(ctx, tx, facts); err != nil {
		return fmt.Errorf("workflow runs: %w", err)
	}
	newer, older, err := splitByAge(ctx, tx, facts)
	if err != nil {
		return fmt.Errorf("compare jobs: %w", err)
	}
	if err := upsertJobs(ctx, tx, newer, overwriteJobs); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	if err := upsertJobs(ctx, tx, older, fillJobs); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	if err := replaceSteps(ctx, tx, newer, older); err != nil {
		return fmt.Errorf("steps: %w", err)
	}
	if err := replaceLabels(ctx, tx, newer, older); err != nil {
		return fmt.Errorf("labels: %w", err)
	}
	return openLedger(ctx, tx, facts)
}

// splitByAge separates facts that may replace the values of the job's row from facts that
// may only fill its nulls.
func splitByAge(ctx context.Context, tx pgx.Tx, facts []Facts) (newer, older []Facts, err error) {
	ids := make([]int64, len(facts))
	for i, f := range facts {
		ids[i] = f.Job.ID
	}
	rows, err := tx.Query(ctx, `SELECT id, status, fetched_at IS NOT NULL FROM jobs WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, nil, err
	}
	var id int64
	var status string
	var final bool
	finals := make(map[int64]bool)
	stages := make(map[int64]int)
	_, err = pgx.ForEachRow(rows, []any{&id, &status, &final}, func() error {
		stages[id], finals[id] = Stage(status), final
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	for _, f := range facts {
		backwards := Stage(f.Job.Status) < stages[f.Job.ID]
		if finals[f.Job.ID] && f.Job.FetchedAt == nil || backwards {
			f.Job.FetchedAt = nil
			older = append(older, f)
		} else {
			newer = append(newer, f)
		}
	}
	return newer, older, nil
}

// RecordFetched writes the REST API's description of one job. Only the description of a
// completed job is final.
func (db *DB) RecordFetched(ctx context.Context, f Facts, at time.Time) error {
	f.Job.FetchedAt = nil
	if f.Job.Status == StatusCompleted {
		f.Job.FetchedAt = &at
	}
	return db.inTx(ctx, fmt.Sprintf("record job %d", f.Job.ID), func(ctx context.Context, tx pgx.Tx) error {
		if err := lockJobs(ctx, tx, []int64{f.Job.ID}); err != nil {
			return err
		}
		return writeFacts(ctx, tx, []Facts{f})
	})
}

// records makes the parameter of a statement that reads its rows with jsonb_to_recordset.
func records[T any](rows []T) (string, error) {
	b, err := json.Marshal(append([]T{}, rows...)) // of none: an empty list
	return string(b), err
}
