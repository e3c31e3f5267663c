package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/jackc/pgx/v5"
)

// demoQueries are what the demo asks of the tables that it filled.
var demoQueries = []struct{ title, sql string }{
	{"Every job is accounted for", `SELECT state, count(*) AS jobs, pg_size_pretty(sum(raw_bytes)) AS raw, pg_size_pretty(sum(stored_bytes)) AS stored,
       min(reason) AS a_reason
FROM job_logs GROUP BY state ORDER BY jobs DESC;`},
	{"Which jobs fail most", `SELECT r.owner || '/' || r.name AS repository, j.name, count(*) AS failures,
       max(j.completed_at)::timestamp(0) AS last_failure
FROM jobs j JOIN repositories r ON r.id = j.repository_id
WHERE j.conclusion = 'failure' AND j.carried_over_from IS NULL GROUP BY 1, 2 ORDER BY failures DESC, last_failure DESC LIMIT 5;`},
	{"How long jobs wait for a runner, by label", `SELECT l.name AS label, count(*) AS jobs,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY j.started_at - j.created_at) AS median_wait,
       max(j.started_at - j.created_at) AS longest_wait
FROM jobs j JOIN job_labels jl ON jl.job_id = j.id JOIN labels l ON l.id = jl.label_id
WHERE j.runner_id IS NOT NULL AND j.carried_over_from IS NULL AND j.started_at >= j.created_at
GROUP BY l.name ORDER BY jobs DESC LIMIT 5;`},
	{"The longest logs", `SELECT j.id AS job_id, j.name, g.lines, pg_size_pretty(g.raw_bytes) AS raw, left(encode(g.sha256, 'hex'), 16) AS sha256
FROM job_logs g JOIN jobs j ON j.id = g.job_id
WHERE g.state = 'archived' ORDER BY g.raw_bytes DESC LIMIT 3;`},
}

// reportDay prints each query with its result.
func reportDay(ctx context.Context, out io.Writer, s *service) error {
	for _, q := range demoQueries {
		fmt.Fprintf(out, "\n%s\n\n  %s\n\n", q.title, strings.ReplaceAll(q.sql, "\n", "\n  "))
		if err := printQuery(ctx, out, s, q.sql); err != nil {
			return fmt.Errorf("%s: %w", q.title, err)
		}
	}
	return nil
}

func printQuery(ctx context.Context, out io.Writer, s *service, sql string) error {
	// The simple protocol gives every value as text, as psql shows it.
	rows, err := s.database.pool.Query(ctx, sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return err
	}
	defer rows.Close()
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for i, f := range rows.FieldDescriptions() {
		fmt.Fprint(w, columnStart(i), f.Name)
	}
	fmt.Fprintln(w)
	for rows.Next() {
		for i, v := range rows.RawValues() {
			fmt.Fprint(w, columnStart(i), plain(string(v)))
		}
		fmt.Fprintln(w)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return w.Flush()
}

func columnStart(i int) string {
	if i == 0 {
		return "  "
	}
	return "\t"
}
