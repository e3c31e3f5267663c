package githubsim

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAddHistory(t *testing.T) {
	c := newClock()
	s := start(t, Options{Now: c.Now})
	h := History{
		Seed: 3, Runs: 300, Jobs: 2000, Repositories: 5, NoDeliveries: true,
		Begin: c.Now().AddDate(0, 0, -10), End: c.Now().AddDate(0, 0, -1),
	}
	day := s.AddHistory(h)
	if len(day.Jobs) != h.Jobs || len(day.Expected) != h.Jobs || len(day.Repositories) != h.Repositories || day.Deliveries != nil {
		t.Fatalf("%d jobs, %d repositories, %d deliveries", len(day.Jobs), len(day.Repositories), len(day.Deliveries))
	}
	runs := map[int64][]Job{}
	states := map[string]int{}
	var bytes int64
	for i, j := range day.Jobs {
		runs[j.RunID] = append(runs[j.RunID], j)
		states[day.Expected[j.ID]]++
		bytes += j.Log.Size()
		if i > 0 && j.ID <= day.Jobs[i-1].ID {
			t.Errorf("job %d after %d", j.ID, day.Jobs[i-1].ID)
		}
		for _, at := range []time.Time{j.CreatedAt, j.StartedAt, *j.CompletedAt} {
			if at.Before(h.Begin) || at.After(h.End.Add(historyRunTime)) || at.Nanosecond() != 0 || at.Location() != time.UTC {
				t.Errorf("job %d: %v", j.ID, at)
			}
		}
	}
	if len(runs) != h.Runs || states[none] < 30 || states[none] > 90 || states[expired] < 15 || states[expired] > 70 || states[archived] < 1800 {
		t.Errorf("%d runs, %v", len(runs), states)
	}
	if mean := bytes / int64(h.Jobs); mean < 1700 || mean > 2300 {
		t.Errorf("logs of %d bytes", mean)
	}
	private := map[bool]int{}
	for _, r := range day.Repositories {
		private[r.Private]++
		if r.InstallationID == 0 || r.InstallationID != day.Repositories[0].InstallationID {
			t.Error(r)
		}
	}
	if private[true] != 2 || private[false] != 3 {
		t.Error(private)
	}
	secondAttempts(t, runs, 3)
}

// secondAttempts looks at the runs that were run again: the jobs that were carried
// over have new ids and the logs of the old.
func secondAttempts(t *testing.T, runs map[int64][]Job, want int) {
	t.Helper()
	again := 0
	for run, js := range runs {
		first, second := attemptOf(js, 1), attemptOf(js, 2)
		if len(second) == 0 {
			continue
		}
		again++
		if len(second) < len(first) {
			t.Errorf("run %d: attempts of %d and %d jobs", run, len(first), len(second))
		}
		for i, j := range first {
			carried := is(j.Conclusion, "success")
			if carried != (i < len(first)-1) || second[i].Name != j.Name || carried != (second[i].Log == j.Log) ||
				carried != (second[i].CompletedAt.Before(second[i].CreatedAt)) {
				t.Errorf("run %d: %s %s, then %s", run, j.Name, *j.Conclusion, second[i].Name)
			}
		}
	}
	if again != want {
		t.Errorf("%d runs were run again, want %d", again, want)
	}
}

// TestHistoryEndsAsExpected asks the server for each log.
func TestHistoryEndsAsExpected(t *testing.T) {
	c := newClock()
	s := start(t, Options{Now: c.Now})
	day := s.AddHistory(History{Jobs: 150, NoDeliveries: true})
	states := map[string]int{}
	for _, j := range day.Jobs {
		got := settle(t, s, j)
		states[got]++
		if got != day.Expected[j.ID] {
			t.Errorf("job %d: %s, expected %s", j.ID, got, day.Expected[j.ID])
		}
		if j.CompletedAt.After(c.Now()) {
			t.Errorf("job %d is not of the past: %v", j.ID, j.CompletedAt)
		}
	}
	if states[none] == 0 || states[expired] == 0 {
		t.Error(states)
	}
}

func TestHistoryIsDeterministic(t *testing.T) {
	history := func(seed uint64) Day {
		return start(t, Options{Now: newClock().Now}).AddHistory(History{Seed: seed, Runs: 10, Jobs: 60, LogSize: 500})
	}
	a, b, c := history(7), history(7), history(8)
	if diff := cmp.Diff(tell(a), tell(b)); diff != "" || len(a.Deliveries) < 100 {
		t.Error(diff)
	}
	if diff := cmp.Diff(a.Expected, b.Expected); diff != "" {
		t.Error(diff)
	}
	for _, j := range a.Jobs {
		if _, ok := c.Expected[j.ID]; ok || j.RunID == c.Jobs[0].RunID {
			t.Errorf("job %d in both histories", j.ID)
		}
	}
	for i, r := range a.Repositories {
		if other := c.Repositories[i]; r.ID == other.ID || r.Owner == other.Owner || r.InstallationID == other.InstallationID {
			t.Errorf("%v and %v", r, other)
		}
	}
}

func TestSmallHistories(t *testing.T) {
	for _, c := range []struct {
		history    History
		runs, jobs int
	}{
		{History{}, 0, 0},
		{History{Runs: 3}, 3, 3},
		{History{Jobs: 7}, 2, 7},
		{History{Runs: 9, Jobs: 4}, 9, 9},
		{History{Runs: 1, Jobs: 300}, 1, 300},
		{History{Runs: 8, Jobs: 12, LogSize: 1}, 8, 12},
	} {
		c.history.NoDeliveries = true
		day := start(t, Options{}).AddHistory(c.history)
		runs := map[int64]bool{}
		for _, j := range day.Jobs {
			runs[j.RunID] = true
		}
		if len(runs) != c.runs || len(day.Jobs) != c.jobs {
			t.Errorf("%+v: %d runs, %d jobs", c.history, len(runs), len(day.Jobs))
		}
	}
}

// TestListingALongHistory walks all runs of a day at a time, as a backfill does.
func TestListingALongHistory(t *testing.T) {
	c := newClock()
	s := start(t, Options{Now: c.Now})
	const runs = 1500
	day := s.AddHistory(History{Runs: runs, Jobs: 3 * runs, Repositories: 1, NoDeliveries: true, Begin: c.Now().AddDate(0, 0, -3)})
	r := day.Repositories[0]
	seen, last := map[int64]bool{}, c.Now()
	for d := range 4 {
		date := c.Now().AddDate(0, 0, -d).Format(time.DateOnly)
		link := "repos/" + r.Owner + "/" + r.Name + "/actions/runs?per_page=100&created=" + date
		for link != "" {
			resp, body := get(t, s, link)
			wantStatus(t, resp, body, 200)
			var list struct {
				Runs []struct {
					ID        int64
					CreatedAt time.Time `json:"created_at"`
				} `json:"workflow_runs"`
			}
			if err := json.Unmarshal([]byte(body), &list); err != nil {
				t.Fatal(err)
			}
			for _, u := range list.Runs {
				if seen[u.ID] = true; u.CreatedAt.After(last) {
					t.Errorf("run %d of %v after one of %v", u.ID, u.CreatedAt, last)
				}
				last = u.CreatedAt
			}
			link = nextLink(s, resp.Header.Get("Link"))
		}
	}
	if len(seen) != runs {
		t.Errorf("%d runs", len(seen))
	}
}

// nextLink is the path of a Link header's next page; empty: there is none.
func nextLink(s *Server, header string) string {
	for _, part := range strings.Split(header, ", ") {
		if url, ok := strings.CutSuffix(part, `>; rel="next"`); ok {
			return strings.TrimPrefix(url, "<"+s.URL())
		}
	}
	return ""
}
