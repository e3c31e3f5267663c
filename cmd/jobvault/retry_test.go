package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
)

// What was given up, or is refused, while a right was missing is archived once somebody
// asks for it again, from the command line; without that, a job that is given up costs
// nothing any more.
func TestRetryFromTheCommandLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault    githubsim.FaultKind
		code     int // of a backfill meanwhile
		retrying []string
	}{
		"missing": {githubsim.NotFoundXML, 0, []string{"backfill", "--since", "70d", "--retry", "--json", "--repo"}},
		"denied":  {githubsim.Forbidden, 1, []string{"reconcile", "--retry", "--json", "--repo"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			now := time.Now()
			day := w.github.AddHistory(githubsim.History{
				Seed: 12, Jobs: 40, Runs: 5, Repositories: 1, Begin: now.AddDate(0, 0, -60), End: now.AddDate(0, 0, -2), NoDeliveries: true,
			})
			repo := day.Repositories[0].Owner + "/" + day.Repositories[0].Name
			endpoint := githubsim.EndpointBlob
			if c.fault == githubsim.Forbidden {
				endpoint = githubsim.EndpointLog
			}
			remove := w.github.Inject(githubsim.Fault{Endpoint: endpoint, Kind: c.fault})
			backfill := []string{"backfill", "--repo", repo, "--since", "70d"}
			w.want(c.code, backfill...)
			if s := w.want(0, "jobs", "--log-state", name, "--json"); !strings.Contains(s.out, `"`+name+`"`) {
				t.Fatalf("no job is %s: %s", name, s.out)
			}
			remove()
			asked := w.github.Requests()[githubsim.EndpointLog]
			w.want(c.code, backfill...)
			if n := w.github.Requests()[githubsim.EndpointLog] - asked; n > 0 {
				t.Errorf("%d logs were asked for again unasked", n)
			}
			s := w.want(0, append(c.retrying, repo)...)
			var sum struct{ Retried int }
			w.check(json.Unmarshal([]byte(s.out), &sum))
			if sum.Retried == 0 {
				t.Errorf("nothing was retried: %s", s.out)
			}
			w.compare(day)
		})
	}
}
