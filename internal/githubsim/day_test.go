package githubsim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// settle does what an archive does with a job, in the simplest way: what has no
// log is told by the job, the rest by asking for the log, three times at most.
func settle(t *testing.T, s *Server, j Job) string {
	t.Helper()
	if j.RunnerID == nil && len(j.Steps) == 0 {
		return none
	}
	r, _ := s.world.repository(j.RepositoryID)
	for range 3 {
		resp, body := get(t, s, "repos/"+r.Owner+"/"+r.Name+"/actions/jobs/"+pathOf(j)+"/logs")
		if resp.StatusCode == http.StatusGone {
			return expired
		}
		wantStatus(t, resp, body, http.StatusFound)
		resp, body = getURL(t, resp.Header.Get("Location"))
		if resp.StatusCode == http.StatusOK {
			if body != string(j.Log.Bytes()) {
				t.Errorf("job %d: not its log", j.ID)
			}
			return archived
		}
		wantStatus(t, resp, body, http.StatusNotFound)
	}
	return missing
}

func pathOf(j Job) string { return string(appendJSON(nil, j.ID)) }

func TestPlayableDay(t *testing.T) {
	c := newClock()
	s := start(t, Options{Now: c.Now})
	const jobs = 120
	day := s.PlayableDay(7, jobs, 6<<20)
	if len(day.Jobs) != jobs || len(day.Expected) != jobs {
		t.Errorf("%d jobs, %d expectations", len(day.Jobs), len(day.Expected))
	}
	states := map[string]int{}
	for _, j := range day.Jobs {
		got := settle(t, s, j)
		if got != day.Expected[j.ID] {
			t.Errorf("%s (%d): %s, expected %s", j.Name, j.ID, got, day.Expected[j.ID])
		}
		states[got]++
		if j.CompletedAt == nil || j.CompletedAt.After(c.Now()) || c.Now().Sub(j.CreatedAt) > 24*time.Hour {
			t.Errorf("%s: not of the day: %v to %v", j.Name, j.CreatedAt, j.CompletedAt)
		}
	}
	if states[none] < 3 || states[expired] != 1 || states[missing] != 1 {
		t.Errorf("states %v", states)
	}
}

func TestPlayableDayDeliveries(t *testing.T) {
	s := start(t, Options{Now: newClock().Now})
	day := s.PlayableDay(7, 0, 1000)
	if !slices.IsSortedFunc(day.Deliveries, func(a, b Delivery) int { return a.At.Compare(b.At) }) {
		t.Error("not in the order of time")
	}
	lives := map[int64][]string{}
	for _, d := range day.Deliveries {
		lives[d.JobID] = append(lives[d.JobID], d.Action)
	}
	if len(lives) != len(day.Jobs) {
		t.Errorf("%d of %d jobs are told", len(lives), len(day.Jobs))
	}
	byName := map[string]Job{}
	for _, j := range day.Jobs {
		byName[j.Name] = j
	}
	for name, want := range map[string]string{
		"deploy / apply":           "queued in_progress completed",
		"publish":                  "completed",
		"gpu":                      "queued completed",
		"security/scan":            "completed",
		"release to production":    "queued waiting queued in_progress completed",
		"spot instance taken away": "queued in_progress completed",
	} {
		if got := strings.Join(lives[byName[name].ID], " "); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	// Two later attempts: jobs that did not run again, told in one second each.
	burst := map[string]int{}
	for _, j := range day.Jobs {
		ran, carried := day.CarriedOver[j.ID]
		if !carried {
			continue
		}
		burst[fmt.Sprint(j.RunAttempt, " ", lifeOf(day, j.ID)[0].At)]++
		i := slices.IndexFunc(day.Jobs, func(o Job) bool { return o.ID == ran })
		if first := day.Jobs[i]; first.RunAttempt >= j.RunAttempt || first.Life != nil || !first.StartedAt.Equal(j.StartedAt) || *first.RunnerID != *j.RunnerID {
			t.Errorf("job %d did not run as %d", j.ID, ran)
		}
	}
	if counts := slices.Collect(maps.Values(burst)); !slices.Equal(counts, []int{2, 2}) {
		t.Errorf("carried over in %v", burst)
	}
}

func lifeOf(day Day, jobID int64) (ds []Delivery) {
	for _, d := range day.Deliveries {
		if d.JobID == jobID {
			ds = append(ds, d)
		}
	}
	return ds
}

func TestPlayableDayIsDeterministic(t *testing.T) {
	day := func(seed uint64) Day {
		return start(t, Options{Now: newClock().Now}).PlayableDay(seed, 80, 2000)
	}
	a, b, c := day(7), day(7), day(8)
	if diff := cmp.Diff(tell(a), tell(b)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(a.Expected, b.Expected); diff != "" {
		t.Error(diff)
	}
	for _, j := range a.Jobs {
		if _, ok := c.Expected[j.ID]; ok {
			t.Errorf("job %d in both days", j.ID)
		}
	}
}

// tell puts into words all that a day is.
func tell(d Day) (words []string) {
	for _, j := range d.Jobs {
		words = append(words, fmt.Sprintf("%s %x", encode(jobObject(d.Repositories[0], j)), j.Log.SHA256()))
	}
	for _, w := range d.Deliveries {
		words = append(words, fmt.Sprintf("%v %s %s", w.At, w.GUID, w.Body))
	}
	return words
}
