package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
)

// What is printed of a step comes with a note if it may be another's, and a line that steps
// share names them all; so it is from a jobvault elsewhere.
func TestCommandsSayHowStepsAreKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	day := w.github.AddHistory(githubsim.History{Seed: 13, Jobs: 20, Runs: 2, Repositories: 1, Begin: now.Add(-30 * time.Hour), End: now.Add(-time.Hour), NoDeliveries: true})
	w.want(0, "backfill", "--org", day.Repositories[0].Owner, "--since", "3d")
	var job, lines int64
	var run string
	w.check(w.pool.QueryRow(t.Context(), `
		SELECT s.job_id, l.lines, j.run_id::text FROM steps s JOIN job_logs l USING (job_id) JOIN jobs j ON j.id = s.job_id
		WHERE l.state = 'archived' GROUP BY 1, 2, 3 HAVING count(*) >= 4 AND l.lines > 9 ORDER BY 1 LIMIT 1`).Scan(&job, &lines, &run))
	_, err := w.pool.Exec(t.Context(), `
		UPDATE steps s SET name = 'step ' || n, log_first_line = (ARRAY[1, 3, 3, 6])[n], log_last_line = (ARRAY[2, 5, 5, $2])[n],
			log_lines = (ARRAY['exact', 'shared', 'shared', 'estimated'])[n]
		FROM (SELECT number, row_number() OVER (ORDER BY number) AS n FROM steps WHERE job_id = $1) o WHERE s.job_id = $1 AND s.number = o.number`, job, lines)
	w.check(err)
	var numbers []string
	w.check(w.pool.QueryRow(t.Context(), `SELECT array_agg(number::text ORDER BY number) FROM steps WHERE job_id = $1`, job).Scan(&numbers))
	server := startProcess(t, append(w.settings, "JOBVAULT_ROLES=lookup")...)
	id := fmt.Sprint(job)
	for _, where := range [][]string{nil, {"--server", server.url}} {
		for step, want := range map[int]string{
			0: "", 1: "lines of step " + numbers[1] + ": 3-5; shared with steps " + numbers[2] + "\n", 3: fmt.Sprintf("lines of step %s: 6-%d; estimated\n", numbers[3], lines),
		} {
			got := w.want(0, append([]string{"log", id, "--step", numbers[step]}, where...)...)
			if want != "" {
				want = "jobvault: " + want
			}
			if got.err != want || got.out == "" {
				t.Errorf("%v step %s: standard error says %q, want %q", where, numbers[step], got.err, want)
			}
		}
		grep := func(step string) said {
			return w.want(0, append([]string{"grep", "--run", run, "--step", step, ""}, where...)...)
		}
		shared := grep("step 2")
		prefix := ":" + id + ":" + numbers[1] + "," + numbers[2] + ":"
		if n := strings.Count(shared.out, prefix); n != 3 || shared.err != "jobvault: 3 of the lines are shared with other steps, which may have printed them\n" {
			t.Errorf("%v: %d lines with %s, %q", where, n, prefix, shared.err)
		}
		if estimated := grep("step 4"); !strings.HasPrefix(estimated.err, fmt.Sprintf("jobvault: of %d of the lines it is an estimate", lines-5)) {
			t.Errorf("%v: %q", where, estimated.err)
		}
		if exact := grep("step 1"); exact.err != "" || strings.Count(exact.out, "\n") != 2 {
			t.Errorf("%v: %q, %q", where, exact.out, exact.err)
		}
	}
}
