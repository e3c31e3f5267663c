package ingest_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// listWalk is one wrong answer to a request for a list, without end.
type listWalk struct {
	status int
	body   body
	header http.Header
}

func (s listWalk) String() string {
	return strings.TrimSpace(fmt.Sprintf("%d, %s %v", s.status, s.body.name, s.header))
}

// refused: it counts for JOBVAULT_DENIED_DEADLINE.
func (s listWalk) refused() bool { return s.status == 401 || s.status == 403 || s.status == 429 }

// listWalks are the classes of answers: what is taken for a yes and is no list, what fails,
// what refuses, and limits.
func listWalks() []listWalk {
	var all []listWalk
	for _, status := range []int{201, 202, 204, 302, 304, 400, 401, 403, 410, 422, 429, 451, 500, 502, 503, 599} {
		all = append(all, listWalk{status: status, body: bodies[0]})
	}
	for _, b := range append(slices.Clone(bodies[1:]), body{"an object that is no list", "application/json", `{}`},
		body{"a list of what is none", "application/json", `{"total_count":1,"jobs":[7],"workflow_runs":[7]}`},
		body{"a list that never ends", "application/json", `{"total_count":9,"jobs":[{"id":"x"}],"workflow_runs":[{"id":"x"}]}`}) {
		all = append(all, listWalk{status: 200, body: b})
	}
	return append(all, listWalk{503, bodies[0], http.Header{"Retry-After": {"86400"}}}, listWalk{403, bodies[0], http.Header{"Retry-After": {"1"}}})
}

// inject has GitHub say that, and nothing else, at an endpoint.
func (s listWalk) inject(gh *githubsim.Server, e githubsim.Endpoint) (remove func()) {
	header := s.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if s.body.kind != "" {
		header.Set("Content-Type", s.body.kind)
	}
	return gh.Inject(githubsim.Fault{Endpoint: e, Kind: githubsim.Status, Status: s.status, Header: header, Body: s.body.text})
}

// walkLists sweeps every hour, and later once a day, until a condition on the rows holds, and returns on how
// many days it did.
func (r *rig) walkLists(now *ingesttest.Clock, s listWalk, until string) int {
	r.T.Helper()
	repo, days := r.knowRepository(), map[string]bool{}
	for round := 0; ; round++ {
		days[now.Now().Format(time.DateOnly)] = true
		_, _ = r.Sweeper().Recent(r.T.Context(), repo, time.Time{}) // what it says is told by the rows
		if ingesttest.Scalar[bool](r.Rig, until) {
			return len(days)
		}
		if round > 200 {
			r.T.Fatalf("%s: without end", s)
		}
		if now.Advance(time.Hour); round > 6 {
			now.Advance(23 * time.Hour)
		}
	}
}

// walkShards is how many jobvaults share the walks.
const walkShards = 4

// eachListWalk does something for each wrong answer, a few beside each other.
func eachListWalk(t *testing.T, try func(r *rig, now *ingesttest.Clock, i int64, s listWalk)) {
	t.Helper()
	all := listWalks()
	for shard := range walkShards {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			now := ingesttest.NewClock()
			r := newRig(t, ingesttest.Options{Now: now.Now, DeniedDays: walkDeniedDays, GitHub: githubsim.Options{Now: now.Now}})
			r.Logger = slog.New(slog.DiscardHandler)
			for i := shard; i < len(all); i += walkShards {
				skippedRunsFrom(r.GitHub, int64(i), now.Now().Add(-time.Hour), 1)
				try(r, now, int64(i), all[i])
			}
		})
	}
}

// Whatever GitHub answers without end to one list of jobs, the run is given up, with what
// was last heard, and the sweep goes on.
func TestEveryListOfJobsComesToAnEnd(t *testing.T) {
	t.Parallel()
	eachListWalk(t, func(r *rig, now *ingesttest.Clock, i int64, s listWalk) {
		before := r.GitHub.Requests()[attempts]
		remove := s.inject(r.GitHub, attempts)
		days := r.walkLists(now, s, fmt.Sprintf(`SELECT count(*) = 1 FROM run_attempts WHERE run_id = %d AND given_up_at IS NOT NULL`, 50_000+i))
		after := r.GitHub.Requests()[attempts]
		r.wantListEnd(s, days, after-before)
		if got := ingesttest.Scalar[string](r.Rig, `SELECT reason FROM run_attempts WHERE run_id = $1`, 50_000+i); !strings.HasPrefix(got, fmt.Sprintf("given up after %d days ", days)) {
			r.T.Errorf("%s: the reason is %q", s, got)
		}
		now.Advance(25 * time.Hour)
		r.sweepRecent(r.knowRepository())
		if n := r.GitHub.Requests()[attempts]; n != after {
			r.T.Errorf("%s: what was given up is asked for still", s)
		}
		remove()
	})
}

// wantListEnd compares how long it took, and what it cost, with what is to be.
func (r *rig) wantListEnd(s listWalk, days int, asked int64) {
	r.T.Helper()
	last, limit := failedDay, int64(failingRequests)
	if s.refused() {
		last, limit = refusedDay, refusedRequests+refusedRequestsDay*refusedDay
	}
	if days < last || days > last+1 {
		r.T.Errorf("%s: it took %d days, want %d", s, days, last)
	}
	if asked > limit || asked < int64(last) {
		r.T.Errorf("%s: %d requests, want %d to %d", s, asked, last, limit)
	}
}

// The same of the listing of runs: once it is given up it holds nothing, and which runs there
// were is said to be unknown; when it comes again, all of it is listed.
func TestEveryListingOfRunsComesToAnEnd(t *testing.T) {
	t.Parallel()
	eachListWalk(t, func(r *rig, now *ingesttest.Clock, _ int64, s listWalk) {
		before, known := r.GitHub.Requests()[githubsim.EndpointRuns], r.jobs()
		remove := s.inject(r.GitHub, githubsim.EndpointRuns)
		days := r.walkLists(now, s, `SELECT count(*) = 1 FROM sweeps WHERE given_up_at IS NOT NULL AND failed_at IS NULL AND NOT isempty(unlisted)`)
		r.wantListEnd(s, days, r.GitHub.Requests()[githubsim.EndpointRuns]-before)
		remove()
		now.Advance(25 * time.Hour)
		r.sweepRecent(r.knowRepository())
		if n := r.jobs(); n != known+1 || !ingesttest.Scalar[bool](r.Rig, `SELECT isempty(unlisted) AND given_up_at IS NULL AND failed_days IS NULL AND error IS NULL FROM sweeps`) {
			r.T.Errorf("%s: %d jobs of %d are known: %v", s, n, known+1, r.Rows(`SELECT * FROM sweeps`))
		}
	})
}

// Where the lists of all runs fail without end, each run comes to its end by itself: younger
// ones, whose lists fail still, hold neither the watermark nor the days before.
func TestListsThatFailHoldNoOthers(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now, GitHub: githubsim.Options{Now: now.Now}})
	remove := r.GitHub.Inject(githubsim.Fault{Endpoint: attempts, Kind: githubsim.ServerError})
	const days = 12
	for day := range int64(days) {
		skippedRunsFrom(r.GitHub, day, now.Now().Add(-time.Hour), 1)
		for range 4 {
			if _, err := r.Sweeper().Recent(t.Context(), r.knowRepository(), time.Time{}); err == nil {
				t.Fatal("a list that failed is no failure")
			}
			now.Advance(6 * time.Hour)
		}
	}
	if !ingesttest.Scalar[bool](r.Rig, `SELECT watermark > $1 FROM sweeps`, now.Now().Add(-24*time.Hour)) {
		t.Errorf("the watermark is held: %v", r.Rows(`SELECT watermark, error FROM sweeps`))
	}
	givenUp := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM run_attempts WHERE given_up_at IS NOT NULL`)
	if givenUp < 3 || givenUp == days {
		t.Errorf("%d of %d runs are given up", givenUp, days)
	}
	remove()
	now.Advance(7 * time.Hour)
	r.sweepRecent(r.knowRepository())
	if n := r.jobs(); n != days-givenUp {
		t.Errorf("%d jobs are known, want those of %d runs", n, days-givenUp)
	}
}

// A backfill asks also for what a sweep has gone past, and does not end in success without it.
func TestABackfillAsksForWhatASweepWentPast(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now, GitHub: githubsim.Options{Now: now.Now}})
	repo, begin := r.knowRepository(), now.Now().Add(-time.Hour)
	skippedRuns(r.GitHub, begin, 1)
	remove := r.GitHub.Inject(githubsim.Fault{Endpoint: attempts, Kind: githubsim.ServerError})
	if _, err := r.Sweeper().Recent(t.Context(), repo, time.Time{}); err == nil {
		t.Fatal("a list that failed is no failure")
	}
	backfill := func() error {
		s := r.Sweeper()
		s.Eager = true
		_, err := s.Backfill(t.Context(), repo, begin.Add(-time.Minute), now.Now())
		return err
	}
	if err := backfill(); err == nil {
		t.Error("the backfill succeeded without the list")
	}
	remove()
	if err := backfill(); err != nil || r.jobs() != 1 {
		t.Errorf("%v; %d jobs are known, want 1", err, r.jobs())
	}
}

// Days on which nobody asked count for nothing.
func TestOurOwnAbsenceGivesNoListUp(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now, GitHub: githubsim.Options{Now: now.Now}})
	repo := r.knowRepository()
	skippedRuns(r.GitHub, now.Now().Add(-time.Hour), 1)
	remove := r.GitHub.Inject(githubsim.Fault{Endpoint: attempts, Kind: githubsim.ServerError})
	for range 7 {
		if _, err := r.Sweeper().Recent(t.Context(), repo, time.Time{}); err == nil {
			t.Fatal("a list that failed is no failure")
		}
		now.Advance(20 * 24 * time.Hour)
	}
	if n := ingesttest.Scalar[int](r.Rig, `SELECT failed_days FROM run_attempts WHERE given_up_at IS NULL AND NOT complete`); n != 7 {
		t.Errorf("%d days are counted, want 7", n)
	}
	remove()
	now.Advance(24 * time.Hour)
	r.sweepRecent(repo)
	if !ingesttest.Scalar[bool](r.Rig, `SELECT complete AND trying_since IS NULL AND reason IS NULL FROM run_attempts`) || r.jobs() != 1 {
		t.Errorf("after it is given: %v", r.Rows(`SELECT * FROM run_attempts`))
	}
}

// What was given up is listed once somebody asks for it once more, and stays given up
// without an error as long as it cannot be.
func TestGivenUpListsAreTakenUpAgain(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now, GitHub: githubsim.Options{Now: now.Now}})
	begin := now.Now().Add(-time.Hour)
	skippedRuns(r.GitHub, begin, 1)
	s := listWalk{status: 500, body: bodies[0]}
	remove := s.inject(r.GitHub, attempts)
	r.walkLists(now, s, `SELECT count(*) = 1 FROM run_attempts WHERE given_up_at IS NOT NULL`)
	coverage := func() []store.Coverage {
		days, err := r.DB.Coverage(t.Context(), "", time.Time{})
		r.Check(err)
		return days
	}
	if days := coverage(); len(days) != 1 || days[0].Jobs != 0 || days[0].Unlisted == nil || *days[0].Unlisted != 1 {
		t.Errorf("given up, coverage is %+v", days)
	}
	again := func() {
		sweeper := r.Sweeper()
		sweeper.Eager = true
		_, err := sweeper.RetryUnlisted(t.Context(), r.knowRepository(), begin.Add(-time.Minute), time.Time{})
		r.Check(err)
	}
	again()
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM run_attempts WHERE given_up_at IS NOT NULL AND failed_days = 8`); n != 1 {
		t.Error("asked for once more in vain, it is not given up any more")
	}
	remove()
	again()
	if r.jobs() != 1 || !ingesttest.Scalar[bool](r.Rig, `SELECT complete AND given_up_at IS NULL FROM run_attempts`) {
		t.Error("it is not listed")
	}
	if days := coverage(); len(days) != 1 || days[0].Jobs != 1 || *days[0].Unlisted != 0 {
		t.Errorf("listed, coverage is %+v", days)
	}
}

// Where no sweep ever succeeded, what is not known begins where the first one began: no day
// between that and the end of patience is left open for ever.
func TestRunsAreUnlistedFromTheFirstSweepOn(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now, GitHub: githubsim.Options{Now: now.Now}})
	begin := now.Now()
	s := listWalk{status: 500, body: bodies[0]}
	defer s.inject(r.GitHub, githubsim.EndpointRuns)()
	r.walkLists(now, s, `SELECT count(*) = 1 FROM sweeps WHERE given_up_at IS NOT NULL`)
	if !ingesttest.Scalar[bool](r.Rig, `SELECT unlisted @> tstzrange($1, given_up_at) FROM sweeps`, begin.Add(-71*time.Hour)) {
		t.Errorf("from %s on, nothing was listed: %v", begin, r.Rows(`SELECT unlisted::text, watermark FROM sweeps`))
	}
}

// A listing of runs that is given up fails no sweep; but who asks for one now hears that
// nothing was listed.
func TestWhoAsksForWhatIsGivenUpHearsOfIt(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now, GitHub: githubsim.Options{Now: now.Now}})
	s := listWalk{status: 500, body: bodies[0]}
	defer s.inject(r.GitHub, githubsim.EndpointRuns)()
	r.walkLists(now, s, `SELECT count(*) = 1 FROM sweeps WHERE given_up_at IS NOT NULL`)
	now.Advance(7 * time.Hour)
	r.sweepRecent(r.knowRepository())
	sweeper := r.Sweeper()
	sweeper.Eager = true
	if _, err := sweeper.Recent(t.Context(), r.knowRepository(), time.Time{}); err == nil || !strings.Contains(err.Error(), "given up") {
		t.Errorf("asked for at once, it says %v", err)
	}
	if !ingesttest.Scalar[bool](r.Rig, `SELECT failed_at IS NULL AND given_up_at IS NOT NULL FROM sweeps`) {
		t.Errorf("the rows say %v", r.Rows(`SELECT * FROM sweeps`))
	}
}

// A range that somebody asks for, and that is not listed, is a failure: that what is new
// since the last sweep can be listed is not what was asked.
func TestARangeThatIsNotListedIsAFailure(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now, GitHub: githubsim.Options{Now: now.Now}})
	repo := r.knowRepository()
	skippedRuns(r.GitHub, now.Now().Add(-9*24*time.Hour), 1)
	r.sweepRecent(repo)
	now.Advance(25 * time.Hour) // a deep sweep is due
	since := now.Now().Add(-20 * 24 * time.Hour)
	r.GitHub.Inject(githubsim.Fault{Endpoint: githubsim.EndpointRuns, Kind: githubsim.ServerError, Times: 1})
	if _, err := r.Sweeper().Recent(t.Context(), repo, since); err == nil {
		t.Errorf("the range failed, and %d of its 1 jobs are known", r.jobs())
	}
	if _, err := r.Sweeper().Recent(t.Context(), repo, since); err != nil || r.jobs() != 1 {
		t.Errorf("%v; %d jobs are known, want 1", err, r.jobs())
	}
}
