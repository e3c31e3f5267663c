package store

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/jackc/pgx/v5"
)

// ListedRun is a run as a listing of runs describes it, with its latest attempt.
type ListedRun struct {
	ID           int64
	RepositoryID int64
	WorkflowName *string // nil: the listing does not say; its jobs may
	Origin       RunOrigin
	Attempt      RunAttemptFacts
}

// RecordRuns writes what listings say of runs, also of those that have no job yet. It
// folds: runs may be told of again, in any order and at the same time, and the rows come
// out the same. What would make no difference is not written. A run that is known as
// another repository's is left as it is.
func (db *DB) RecordRuns(ctx context.Context, listed []ListedRun) error {
	if len(listed) == 0 {
		return nil
	}
	return db.inTx(ctx, "record listed runs", func(ctx context.Context, tx pgx.Tx) error {
		told, err := lockRuns(ctx, tx, listed)
		if err != nil {
			return err
		}
		for _, l := range listed {
			if run := told[l.ID]; run != nil && run.RepositoryID == l.RepositoryID {
				run.fold(l)
			}
		}
		return writeRuns(ctx, tx, told)
	})
}

// UnlistedRuns counts the runs that no listing has told of, so that nothing is known of
// what started them. It reads all runs.
func (db *DB) UnlistedRuns(ctx context.Context) (n int64, err error) {
	if err := db.pool.QueryRow(ctx, `SELECT count(*) FROM workflow_runs WHERE run_attempt IS NULL`).Scan(&n); err != nil {
		return 0, fmt.Errorf("store: unlisted runs: %w", err)
	}
	return n, nil
}

// runRow is the part of a row of workflow_runs that listings tell of, with the status of
// the latest attempt.
type runRow struct {
	ID           int64 `json:"id"`
	RepositoryID int64 `json:"repository_id"`
	RunOrigin
	RunAttempt        *int64  `json:"run_attempt"`
	TriggeringActorID *int64  `json:"triggering_actor_id"`
	TriggeringActor   *string `json:"triggering_actor"`
	Status            *string `json:"status"`
	Conclusion        *string `json:"conclusion"`
}

// runAttemptRow is a row of workflow_run_attempts.
type runAttemptRow struct {
	RunID int64 `json:"run_id"`
	RunAttemptFacts
}

// toldRun is a run with attempts of it, and how they were before.
type toldRun struct {
	runRow
	before   runRow
	attempts map[int64]RunAttemptFacts
	stored   map[int64]RunAttemptFacts
}

// lockRuns makes rows of runs that have none, and locks and reads all of them, with the
// attempts that are listed.
func lockRuns(ctx context.Context, tx pgx.Tx, listed []ListedRun) (map[int64]*toldRun, error) {
	if err := insertRuns(ctx, tx, listed); err != nil {
		return nil, err
	}
	ids, attempts := make([]int64, len(listed)), make([]int64, len(listed))
	for i, l := range listed {
		ids[i], attempts[i] = l.ID, l.Attempt.RunAttempt
	}
	runs, err := pgx.CollectRows(query(ctx, tx, `
		SELECT id, repository_id, `+originColumns+`, run_attempt, triggering_actor_id, triggering_actor, status, conclusion
		FROM workflow_runs w WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE`, ids), pgx.RowToStructByName[runRow])
	if err != nil {
		return nil, err
	}
	told := make(map[int64]*toldRun, len(runs))
	for _, r := range runs {
		told[r.ID] = &toldRun{runRow: r, before: r, attempts: make(map[int64]RunAttemptFacts), stored: make(map[int64]RunAttemptFacts)}
	}
	known, err := pgx.CollectRows(query(ctx, tx, `
		SELECT run_id, run_attempt, triggering_actor_id, triggering_actor, status, conclusion, started_at, updated_at
		FROM workflow_run_attempts WHERE run_id = ANY($1) AND run_attempt = ANY($2)`, ids, attempts), pgx.RowToStructByName[runAttemptRow])
	for _, a := range known {
		told[a.RunID].attempts[a.RunAttempt], told[a.RunID].stored[a.RunAttempt] = a.RunAttemptFacts, a.RunAttemptFacts
	}
	return told, err
}

// insertRuns makes rows of runs that have none, and locks the others: all in the order of
// ids, and what workflow they are of merged, as upsertRuns does.
func insertRuns(ctx context.Context, tx pgx.Tx, listed []ListedRun) error {
	rows := make([]WorkflowRun, len(listed))
	for i, l := range listed {
		rows[i] = WorkflowRun{ID: l.ID, RepositoryID: l.RepositoryID, WorkflowName: l.WorkflowName}
	}
	param, err := records(rows)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO workflow_runs AS r (id, repository_id, workflow_name)
		SELECT id, min(repository_id), max(workflow_name)
		FROM jsonb_to_recordset($1::jsonb) AS f(id bigint, repository_id bigint, workflow_name text) GROUP BY id ORDER BY id
		ON CONFLICT (id) DO UPDATE SET workflow_name = greatest(r.workflow_name, excluded.workflow_name)
		WHERE r.repository_id = excluded.repository_id AND greatest(r.workflow_name, excluded.workflow_name) IS DISTINCT FROM r.workflow_name`, param)
	return err
}

// originColumns are those of a RunOrigin, of workflow_runs w.
const originColumns = `w.event, w.actor_id, w.actor, w.run_number, w.display_title, w.workflow_id, w.path, w.head_repository_id, w.head_repository,
	w.pull_requests, w.referenced_workflows, w.created_at`

// fold adds what a listing says.
func (t *toldRun) fold(l ListedRun) {
	before := t.RunOrigin
	t.RunOrigin = before.Fold(l.Origin)
	attempt := l.Attempt
	if known, ok := t.attempts[attempt.RunAttempt]; ok {
		attempt = known.Fold(attempt)
	}
	t.attempts[attempt.RunAttempt] = attempt
	if t.RunAttempt == nil || *t.RunAttempt <= attempt.RunAttempt {
		t.RunAttempt, t.TriggeringActorID, t.TriggeringActor = &attempt.RunAttempt, attempt.TriggeringActorID, attempt.TriggeringActor
		t.Status, t.Conclusion = attempt.Status, attempt.Conclusion
	}
}

// writeRuns writes the runs and attempts that have changed.
func writeRuns(ctx context.Context, tx pgx.Tx, told map[int64]*toldRun) error {
	var runs []runRow
	var attempts []runAttemptRow
	for _, id := range slices.Sorted(maps.Keys(told)) {
		t := told[id]
		if !reflect.DeepEqual(t.runRow, t.before) {
			runs = append(runs, t.runRow)
		}
		for n, a := range t.attempts {
			if stored, ok := t.stored[n]; !ok || !reflect.DeepEqual(a, stored) {
				attempts = append(attempts, runAttemptRow{id, a})
			}
		}
	}
	for _, w := range []struct {
		sql  string
		rows any
		n    int
	}{{updateRuns, runs, len(runs)}, {upsertRunAttempts, attempts, len(attempts)}} {
		if w.n == 0 {
			continue
		}
		if _, err := tx.Exec(ctx, w.sql, w.rows); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

const updateRuns = `
	UPDATE workflow_runs r SET
		(event, actor_id, actor, run_number, display_title, workflow_id, path, head_repository_id, head_repository, pull_requests, referenced_workflows, created_at,
		 run_attempt, triggering_actor_id, triggering_actor, status, conclusion)
		= (f.event, f.actor_id, f.actor, f.run_number, f.display_title, f.workflow_id, f.path, f.head_repository_id, f.head_repository, f.pull_requests,
		   f.referenced_workflows, f.created_at, f.run_attempt, f.triggering_actor_id, f.triggering_actor, f.status, f.conclusion)
	FROM jsonb_to_recordset($1::jsonb) AS f(
		id bigint, event text, actor_id bigint, actor text, run_number bigint, display_title text, workflow_id bigint, path text, head_repository_id bigint,
		head_repository text, pull_requests bigint[], referenced_workflows jsonb, created_at timestamptz, run_attempt bigint, triggering_actor_id bigint,
		triggering_actor text, status text, conclusion text)
	WHERE r.id = f.id`

const upsertRunAttempts = `
	INSERT INTO workflow_run_attempts (run_id, run_attempt, triggering_actor_id, triggering_actor, status, conclusion, started_at, updated_at)
	SELECT run_id, run_attempt, triggering_actor_id, triggering_actor, status, conclusion, started_at, updated_at
	FROM jsonb_to_recordset($1::jsonb) AS f(
		run_id bigint, run_attempt bigint, triggering_actor_id bigint, triggering_actor text, status text, conclusion text, started_at timestamptz,
		updated_at timestamptz)
	ORDER BY run_id, run_attempt
	ON CONFLICT (run_id, run_attempt) DO UPDATE SET (triggering_actor_id, triggering_actor, status, conclusion, started_at, updated_at)
		= (excluded.triggering_actor_id, excluded.triggering_actor, excluded.status, excluded.conclusion, excluded.started_at, excluded.updated_at)`
