package ghapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// runPages reads a listing of runs to its end.
func runPages(t testing.TB, c *ghapi.Client, from, to time.Time, etag string) (pages []ghapi.RunPage) {
	t.Helper()
	for p, err := range c.Runs(soon(t), owner, repo, from, to, etag) {
		check(t, err)
		pages = append(pages, p)
	}
	return pages
}

func runIDs(pages []ghapi.RunPage) (ids []int64) {
	for _, p := range pages {
		for _, r := range p.Runs {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// runsOf makes n runs, created a minute apart from noon on, with the ids from 1.
func runsOf(n int) (jobs []githubsim.Job) {
	for i := range n {
		j := completed(int64(1000+i), githubsim.Log{})
		j.RunID, j.CreatedAt = int64(i+1), j.CreatedAt.Add(time.Duration(i)*time.Minute)
		jobs = append(jobs, j)
	}
	return jobs
}

// asked collects the queries of requests for one endpoint.
func asked(gh *githubsim.Server, e githubsim.Endpoint) func() []string {
	var mu sync.Mutex
	var list []string
	gh.OnRequest(func(at githubsim.Endpoint, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if at == e {
			list = append(list, r.URL.RawQuery)
		}
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(list)
	}
}

var firstRun = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Times are asked for in GitHub's search syntax, in UTC and whole seconds; both
// ends count.
func TestRunsAreAskedForByTime(t *testing.T) {
	gh := simulate(t, githubsim.Options{}, runsOf(5)...)
	queries := asked(gh, githubsim.EndpointRuns)
	c := ask(t, gh)
	east := time.FixedZone("", 2*3600)
	for _, q := range []struct {
		from, to time.Time
		query    string
		want     []int64
	}{
		{firstRun, time.Time{}, "created=%3E%3D2026-03-01T12%3A00%3A00Z&per_page=100", []int64{5, 4, 3, 2, 1}},
		{firstRun.Add(time.Minute), firstRun.Add(3 * time.Minute), "created=2026-03-01T12%3A01%3A00Z..2026-03-01T12%3A03%3A00Z&per_page=100", []int64{4, 3, 2}},
		{firstRun.Add(61 * time.Second), firstRun.Add(179 * time.Second), "created=2026-03-01T12%3A01%3A01Z..2026-03-01T12%3A02%3A59Z&per_page=100", []int64{3}},
		{firstRun.In(east), firstRun.In(east), "created=2026-03-01T12%3A00%3A00Z..2026-03-01T12%3A00%3A00Z&per_page=100", []int64{1}},
		{firstRun.Add(time.Second / 2), firstRun.Add(time.Second), "created=2026-03-01T12%3A00%3A00Z..2026-03-01T12%3A00%3A01Z&per_page=100", []int64{1}},
		{firstRun.Add(time.Hour), time.Time{}, "created=%3E%3D2026-03-01T13%3A00%3A00Z&per_page=100", nil},
	} {
		got := runPages(t, c, q.from, q.to, "")
		if diff := cmp.Diff(q.want, runIDs(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", q.query, diff)
		}
		if list := queries(); list[len(list)-1] != q.query {
			t.Errorf("asked %s\nwant  %s", list[len(list)-1], q.query)
		}
	}
}

// A run tells what is needed to list its jobs.
func TestRunIsReadAsGitHubMeansIt(t *testing.T) {
	first, second := completed(7, githubsim.Log{}), completed(8, githubsim.Log{})
	second.RunAttempt, second.Status, second.CreatedAt = 2, "in_progress", firstRun.Add(time.Hour)
	second.CompletedAt, second.Conclusion = nil, nil
	gh := simulate(t, githubsim.Options{}, first, second)
	c := ask(t, gh)
	listed := runPages(t, c, firstRun, time.Time{}, "")[0].Runs[0]
	one, err := c.Run(t.Context(), owner, repo, 100)
	check(t, err)
	if diff := cmp.Diff(listed, one); diff != "" {
		t.Errorf("listed and alone differ:\n%s", diff)
	}
	if name, short := one.Repository.Names(); name != owner || short != repo || one.Repository.ID != repository.ID {
		t.Errorf("of repository %+v", one.Repository)
	}
	if !json.Valid(one.Raw) || !bytes.Contains(one.Raw, []byte(`"event":"push"`)) {
		t.Errorf("as sent: %s", one.Raw)
	}
	one.Repository, one.Raw = ghapi.Repository{}, nil
	want := ghapi.Run{ID: 100, Attempt: 2, Status: "in_progress", CreatedAt: firstRun, StartedAt: firstRun.Add(time.Hour), CreatedBy: firstRun}
	if diff := cmp.Diff(want, one); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A server that tells of no attempts has one of each run.
func TestRunWithoutAttemptHasOne(t *testing.T) {
	gh := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/repos/acme/rocket/actions/runs/7" {
			fmt.Fprint(w, `{"id":7,"status":"completed"}`)
			return
		}
		fmt.Fprint(w, `{"total_count":2,"workflow_runs":[{"id":7,"run_attempt":null},{"id":8,"run_attempt":3}]}`)
	})
	c := clientOf(t, ghapi.Config{BaseURL: gh.URL})
	if r, err := c.Run(t.Context(), owner, repo, 7); err != nil || r.Attempt != 1 || !r.CreatedAt.IsZero() {
		t.Errorf("%+v, %v", r, err)
	}
	if rs := runPages(t, c, firstRun, time.Time{}, "")[0].Runs; len(rs) != 2 || rs[0].Attempt != 1 || rs[1].Attempt != 3 {
		t.Errorf("%+v", rs)
	}
}

// An answer about another run is none.
func TestRunMustBeTheOneAskedFor(t *testing.T) {
	gh := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"id":8}`) })
	_, err := clientOf(t, ghapi.Config{BaseURL: gh.URL}).Run(t.Context(), owner, repo, 7)
	refusal(t, err, ghapi.Transient, 200, "get run 7: transient (200): the answer is about run 8")
	sim := simulate(t, githubsim.Options{})
	_, err = ask(t, sim).Run(t.Context(), owner, repo, 7)
	refusal(t, err, ghapi.NotFound, 404, "get run 7: not found (404)")
	for _, err := range ask(t, sim).Runs(t.Context(), owner, "nothing", firstRun, time.Time{}, "") {
		refusal(t, err, ghapi.NotFound, 404, "list runs of acme/nothing: not found (404)")
	}
}

// Every page comes, tells GitHub's count whatever it is, and whether more follow.
func TestRunsHaveEveryPage(t *testing.T) {
	gh := simulate(t, githubsim.Options{}, runsOf(250)...)
	for _, lie := range []int{0, 13, -200} {
		gh.LieAboutTotal(githubsim.EndpointRuns, lie)
		pages := runPages(t, ask(t, gh), firstRun, time.Time{}, "")
		if got := runIDs(pages); len(got) != 250 || got[0] != 250 || got[249] != 1 {
			t.Errorf("%d runs, from %d", len(got), got[0])
		}
		if len(pages) != 3 {
			t.Fatalf("%d pages, want 3", len(pages))
		}
		for i, p := range pages {
			if p.Total != 250+lie || p.More != (i < 2) || p.ETag == "" || p.Unchanged {
				t.Errorf("page %d: total %d, more %v, ETag %q", i, p.Total, p.More, p.ETag)
			}
		}
	}
	for p, err := range ask(t, gh).Runs(t.Context(), owner, repo, firstRun, time.Time{}, "") {
		if check(t, err); len(p.Runs) == 100 {
			break // who has enough is asked no more
		}
	}
	if n := gh.Requests()[githubsim.EndpointRuns]; n != 10 {
		t.Errorf("%d requests, want 10", n)
	}
}

// left is how many requests GitHub says remain of the hour. Asking costs nothing.
func left(t testing.TB, gh *githubsim.Server) (n int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, gh.URL()+"rate_limit", nil)
	check(t, err)
	r.Header.Set("Authorization", "Bearer "+gh.Token())
	resp, err := http.DefaultClient.Do(r)
	check(t, err)
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	var body struct {
		Rate struct{ Remaining int }
	}
	check(t, json.NewDecoder(resp.Body).Decode(&body))
	return body.Rate.Remaining
}

// With the ETag of the listing, one that is unchanged is one page that says so,
// however many it had, and costs nothing; one that has changed is listed.
func TestUnchangedRunsCostNothing(t *testing.T) {
	for _, runs := range []int{0, 5, 100, 250} {
		gh := simulate(t, githubsim.Options{RateLimit: 100}, runsOf(runs)...)
		c := ask(t, gh)
		first := runPages(t, c, firstRun, time.Time{}, "")
		before := left(t, gh)
		for range 3 {
			again := runPages(t, c, firstRun, time.Time{}, first[0].ETag)
			if len(again) != 1 || !again[0].Unchanged || len(again[0].Runs) != 0 || again[0].At.IsZero() || again[0].More {
				t.Fatalf("of %d runs, unchanged: %d pages, %+v", runs, len(again), again[0])
			}
			if again[0].ETag != first[0].ETag {
				t.Errorf("of %d runs: ETag %q, before %q", runs, again[0].ETag, first[0].ETag)
			}
		}
		if after := left(t, gh); after != before {
			t.Errorf("of %d runs: %d remain, before %d", runs, after, before)
		}
		more := completed(5000, githubsim.Log{})
		more.RunID, more.CreatedAt = 5000, firstRun.Add(1000*time.Hour)
		gh.AddJob(more)
		now := runPages(t, c, firstRun, time.Time{}, first[0].ETag)
		if got := runIDs(now); now[0].Unchanged || len(got) != runs+1 || got[0] != 5000 || now[0].ETag == first[0].ETag {
			t.Errorf("of %d runs, after another: %d, %+v", runs, len(got), now[0])
		}
	}
}

// A 304 that nobody asked for is not what it says.
func TestUnaskedNotModifiedIsNoAnswer(t *testing.T) {
	gh := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
	for _, err := range clientOf(t, ghapi.Config{BaseURL: gh.URL}).Runs(t.Context(), owner, repo, firstRun, time.Time{}, "") {
		refusal(t, err, ghapi.Transient, 304, "list runs of acme/rocket")
	}
}

// When GitHub answered is told by its own clock, to which the runs' times belong.
func TestRunsAreListedAtGitHubsTime(t *testing.T) {
	for _, off := range []time.Duration{0, time.Hour, -time.Hour, 30 * 24 * time.Hour} {
		ours := newClock()
		theirs := func() time.Time { return ours.Now().Add(off) }
		gh := simulate(t, githubsim.Options{Now: theirs}, runsOf(2)...)
		c := clientOf(t, ghapi.Config{BaseURL: gh.URL(), Token: gh.Token(), Now: ours.Now})
		first := runPages(t, c, firstRun, time.Time{}, "")[0]
		if !first.At.Equal(theirs()) {
			t.Errorf("%s off: at %s, want %s", off, first.At, theirs())
		}
		ours.advance(time.Minute)
		if again := runPages(t, c, firstRun, time.Time{}, first.ETag)[0]; !again.Unchanged || !again.At.Equal(theirs()) {
			t.Errorf("%s off, unchanged: at %s, want %s", off, again.At, theirs())
		}
	}
}
