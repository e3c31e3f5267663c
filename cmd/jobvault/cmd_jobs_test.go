package main

import (
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// The table of jobs says which did not run again, and which attempt they ran in.
func TestRunOfAJobMarksWhatIsCarriedOver(t *testing.T) {
	t.Parallel()
	for want, j := range map[string]store.JobSummary{
		"7":                          {RunID: 7, RunAttempt: new(int64(1))},
		"8":                          {RunID: 8},
		"7#3":                        {RunID: 7, RunAttempt: new(int64(3))},
		"7#3 carried over from #1":   {RunID: 7, RunAttempt: new(int64(3)), CarriedOverFrom: new(int64(1)), CarriedOverFromAttempt: new(int64(1))},
		"7#12 carried over from #10": {RunID: 7, RunAttempt: new(int64(12)), CarriedOverFrom: new(int64(1)), CarriedOverFromAttempt: new(int64(10))},
	} {
		if got := runOf(j); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Lists and searches by what started runs say how many jobs they leave out as that is not
// known, from the database and from a server.
func TestJobsLeftOutAreCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	day := w.github.AddHistory(githubsim.History{Seed: 3, Jobs: 30, Runs: 5, Repositories: 1, Begin: now.AddDate(0, 0, -2), End: now.Add(-time.Hour), NoDeliveries: true})
	w.want(0, "backfill", "--org", day.Repositories[0].Owner, "--since", "3d")
	served := startProcess(t, append(w.settings, "JOBVAULT_ROLES=lookup")...)
	both := func(says string, code int, args ...string) {
		t.Helper()
		for _, more := range [][]string{nil, {"--server", served.url}} {
			s := w.want(code, append(args, more...)...)
			if said := strings.Contains(s.err, says); !said || says == "" && strings.Contains(s.err, "left out") {
				t.Errorf("%q %q: %s", args, more, s.err)
			}
		}
	}
	both("", 0, "jobs", "--event", "push", "--json")
	// As before their listing.
	_, err := w.pool.Exec(t.Context(), `UPDATE workflow_runs SET event = NULL, actor = NULL, triggering_actor = NULL, head_repository_id = NULL, run_attempt = NULL`)
	w.check(err)
	both("jobvault: 30 jobs are left out: it is not known what started them", 0, "jobs", "--event", "push")
	both("jobvault: 30 jobs are left out", 0, "jobs", "--fork", "--json")
	both("", 0, "jobs", "--limit", "3")
	both(" jobs are left out: it is not known what started them", 1, "grep", "-c", ".", "--event", "push")
	both("", 0, "grep", "-c", ".")
}
