package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	wantView      = 2 * time.Second
	wantViewGrows = 10.0 // with ten times as many jobs
)

// analyticsViews are those whose rows have a day.
var analyticsViews = []string{"job_facts", "step_facts", "run_facts", "workflow_daily", "label_daily", "runner_daily", "flaky_jobs", "failure_signatures"}

// viewTimes is how long it takes to make 30 days of each view, all columns of all rows:
// they are counted, not fetched, as a row's way through the network is not its view's.
func viewTimes(ctx context.Context, databaseURL string) (map[string]time.Duration, error) {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	times := make(map[string]time.Duration)
	for _, view := range analyticsViews {
		for range 2 { // the second time counts
			started := time.Now()
			var n int64
			err := conn.QueryRow(ctx, `SELECT count(v) FROM (SELECT * FROM `+view+` WHERE day > current_date - 30 OFFSET 0) v`).Scan(&n)
			if err != nil {
				return nil, errors.Join(fmt.Errorf("%s: %w", view, err), conn.Close(ctx))
			}
			times[view] = time.Since(started)
		}
	}
	return times, conn.Close(ctx)
}

// viewRows tells of each view, over few jobs and over many.
func viewRows(few, many map[string]time.Duration, jobs int) []row {
	var rows []row
	for _, view := range analyticsViews {
		ratio := many[view].Seconds() / few[view].Seconds()
		rows = append(rows, row{
			what: fmt.Sprintf("30 days of %s within %d jobs", view, jobs), ours: ms(many[view]), against: ms(few[view]) + " within a tenth of them",
			ratio: fmt.Sprintf("%.1f", ratio), wanted: fmt.Sprintf("< %s, ≤ %.0f ×", ms(wantView), wantViewGrows),
			// Of next to nothing, a ratio says nothing.
			missed: many[view] >= wantView || ratio > wantViewGrows && many[view] > 100*time.Millisecond,
		})
	}
	return rows
}
