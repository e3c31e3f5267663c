package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// pageOf reads columns of the jobs among a plan's candidates that the filter selects, and
// says where the list continues. testdata/joblist has the statements.
func pageOf[T any](ctx context.Context, tx pgx.Tx, f JobFilter, p plan, columns string, cursor func(T) Cursor) ([]T, *Cursor, error) {
	a := arguments{}
	sql := f.pageSQL(&a, p, columns)
	rows, err := tx.Query(ctx, sql, a...)
	if err != nil {
		return nil, nil, err
	}
	jobs, err := pgx.AppendRows([]T{}, rows, pgx.RowToStructByName[T])
	if err != nil {
		return nil, nil, err
	}
	if len(jobs) > f.Limit {
		jobs = jobs[:f.Limit]
		return jobs, new(cursor(jobs[f.Limit-1])), nil
	}
	// There may be more where the candidates were cut short.
	a = arguments{}
	sql = f.endSQL(&a, p)
	last, err := pgx.CollectRows(query(ctx, tx, sql, a...), pgx.RowToStructByName[Cursor])
	if err != nil || len(last) == 0 {
		return jobs, nil, err
	}
	return jobs, &last[0], nil
}

// pageSQL is the statement that reads one job more than the limit.
func (f *JobFilter) pageSQL(a *arguments, p plan, columns string) string {
	return `
		SELECT ` + columns + `
		FROM (` + f.candidates(a, p) + `) c
		JOIN jobs j ON j.id = c.job_id AND coalesce(j.created_at, '-infinity') = c.at
		JOIN workflow_runs w ON w.id = j.run_id
		JOIN repositories r ON r.id = j.repository_id
		JOIN job_logs g ON g.job_id = j.id
		` + joinAttempt + `
		` + f.conditions(a) + a.bind(`
		ORDER BY c.at DESC, c.job_id DESC
		LIMIT ?`, f.Limit+1)
}

// endSQL is the statement that reads the last candidate, as a Cursor, if the candidates
// were cut short there; no row if these were all.
func (f *JobFilter) endSQL(a *arguments, p plan) string {
	return `SELECT coalesce(nullif(at, '-infinity'), '0001-01-01Z') AS created_at, job_id AS id FROM (` + f.end(a, p) + `) c`
}

// conditions is the WHERE of a list, over jobs j, workflow_runs w, job_logs g and
// joinAttempt's x.
func (f *JobFilter) conditions(a *arguments) string {
	var conditions []string
	add := func(use bool, condition string, value any) {
		if use {
			conditions = append(conditions, a.bind(condition, value))
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
	add(f.Event != "", "w.event = ?", f.Event)
	add(f.Actor != "", "lower(?) IN (lower(w.actor), lower(x.triggering_actor))", f.Actor)
	add(f.Fork, "(w.head_repository_id <> w.repository_id) = ?", f.Fork)
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

// arguments are the values of a statement that is put together from fragments.
type arguments []any

// bind returns a fragment with the numbered placeholder of one value in place of each ?,
// of which the fragment must have as many as there are values, and adds the values. A
// fragment is ours: what a user gave is a value.
func (a *arguments) bind(fragment string, values ...any) string {
	parts := strings.Split(fragment, "?")
	if len(parts) != len(values)+1 {
		panic(fmt.Sprintf("%d values for the placeholders of %q", len(values), fragment))
	}
	var sql strings.Builder
	for i, part := range parts {
		sql.WriteString(part)
		if i < len(values) {
			*a = append(*a, values[i])
			fmt.Fprintf(&sql, "$%d", len(*a))
		}
	}
	return sql.String()
}
