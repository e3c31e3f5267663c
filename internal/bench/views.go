package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	wantView      = 2 * time.Second
	wantViewGrows = 10.0 // with ten times as many jobs
)

// viewNames are the views in the order of the table; all but the last have a day.
var viewNames = []string{
	"job_facts", "step_facts", "run_facts", "workflow_daily", "label_daily", "runner_daily", "flaky_jobs", "failure_signatures", "coverage", "action_uses",
}

// slowestQuery is the name under which viewTimes has that of the dashboards' queries
// that takes longest.
const slowestQuery = "the dashboards' slowest query"

// viewTimes is how long it takes to make 30 days of each view, all columns of all rows:
// they are counted, not fetched, as a row's way through the network is not its view's.
func viewTimes(ctx context.Context, databaseURL string) (map[string]time.Duration, error) {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	times := make(map[string]time.Duration)
	queries, err := dashboardQueries()
	for _, sql := range queries {
		var took time.Duration
		if took, err = timeQuery(ctx, conn, sql); err != nil {
			break
		}
		times[slowestQuery] = max(times[slowestQuery], took)
	}
	for _, view := range viewNames {
		since := "day > current_date - 30"
		if view == "action_uses" {
			since = "last_used_at > current_date - 30"
		}
		if err == nil {
			times[view], err = timeQuery(ctx, conn, `SELECT * FROM `+view+` WHERE `+since)
		}
	}
	return times, errors.Join(err, conn.Close(ctx))
}

// timeQuery runs a query twice and returns the second time.
func timeQuery(ctx context.Context, conn *pgx.Conn, sql string) (time.Duration, error) {
	var took time.Duration
	for range 2 {
		started := time.Now()
		var n int64
		if err := conn.QueryRow(ctx, `SELECT count(v) FROM (`+sql+` OFFSET 0) v`).Scan(&n); err != nil {
			return 0, fmt.Errorf("%s: %w", sql, err)
		}
		took = time.Since(started)
	}
	return took, nil
}

// dashboardQueries are those of deploy/grafana, over 30 days.
func dashboardQueries() ([]string, error) {
	paths, err := filepath.Glob(filepath.Join("deploy", "grafana", "dashboards", "*.json"))
	if err != nil || len(paths) == 0 {
		return nil, errors.Join(errors.New("no dashboards in deploy/grafana"), err)
	}
	var queries []string
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var board struct {
			Panels []struct{ Targets []struct{ RawSQL string } }
		}
		if err := json.Unmarshal(text, &board); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for _, p := range board.Panels {
			for _, t := range p.Targets {
				queries = append(queries, strings.NewReplacer("$__timeFrom()", "(now() - interval '30 days')", "$__timeTo()", "now()").Replace(t.RawSQL))
			}
		}
	}
	return queries, nil
}

// viewRows makes the table's rows of each view, over few jobs and over many.
func viewRows(few, many map[string]time.Duration, jobs int) []row {
	var rows []row
	for _, view := range append(viewNames, slowestQuery) {
		ratio := many[view].Seconds() / few[view].Seconds()
		rows = append(rows, row{
			what: fmt.Sprintf("30 days of %s within %d jobs", view, jobs), ours: ms(many[view]), against: ms(few[view]) + " within a tenth of them",
			ratio: fmt.Sprintf("%.1f", ratio), wanted: fmt.Sprintf("< %s, ≤ %.0f ×", ms(wantView), wantViewGrows),
			// A ratio of times near zero means nothing.
			missed: many[view] >= wantView || ratio > wantViewGrows && many[view] > 100*time.Millisecond,
		})
	}
	return rows
}
