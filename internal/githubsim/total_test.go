package githubsim

import (
	"encoding/json"
	"testing"
)

func TestLieAboutTotal(t *testing.T) {
	s := start(t, Options{})
	for id := range int64(3) {
		s.AddJob(aJob(id + 1))
	}
	paths := map[Endpoint]string{
		EndpointRuns:        "repos/acme/rocket/actions/runs",
		EndpointRunJobs:     "repos/acme/rocket/actions/runs/9001/jobs",
		EndpointAttemptJobs: "repos/acme/rocket/actions/runs/9001/attempts/1/jobs",
	}
	truth := map[Endpoint]int{EndpointRuns: 1, EndpointRunJobs: 3, EndpointAttemptJobs: 3}
	for liar := range paths {
		for _, delta := range []int{5, -1, -9, 0} {
			s.LieAboutTotal(liar, delta)
			for e, path := range paths {
				want := truth[e]
				if e == liar {
					want = max(0, want+delta)
				}
				resp, body := get(t, s, path+"?per_page=3")
				var list struct {
					Total int `json:"total_count"`
				}
				if err := json.Unmarshal([]byte(body), &list); err != nil {
					t.Fatal(err)
				}
				if list.Total != want || resp.Header.Get("Link") != "" {
					t.Errorf("%s with %d for %s: %d, want %d", e, delta, liar, list.Total, want)
				}
			}
		}
	}
}
