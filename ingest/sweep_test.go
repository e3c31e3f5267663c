package ingest_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

const (
	runsList = githubsim.EndpointRuns
	attempts = githubsim.EndpointAttemptJobs
)

// skippedRuns adds runs of one skipped job each, one a second from begin on: the
// cheapest jobs there are.
func skippedRuns(gh *githubsim.Server, begin time.Time, n int) { skippedRunsFrom(gh, 0, begin, n) }

func skippedRunsFrom(gh *githubsim.Server, first int64, begin time.Time, n int) {
	for i := first; i < first+int64(n); i++ {
		at := begin.Add(time.Duration(i-first) * time.Second).UTC().Truncate(time.Second)
		j := githubsim.Job{
			ID: 10_000 + i, RunID: 50_000 + i, RunAttempt: 1, RepositoryID: ingesttest.Repository.ID, Name: "never", Status: "completed",
			Conclusion: ingesttest.Ptr("skipped"), CreatedAt: at, StartedAt: at, CompletedAt: &at, HeadSHA: strings.Repeat("a", 40),
		}
		gh.AddJob(j)
	}
}

// know makes the repository known, as a listing would.
func (r *rig) knowRepository() store.Repository {
	r.T.Helper()
	r.GitHub.AddRepository(ingesttest.Repository)
	rs, err := r.DB.SeeRepositories(r.T.Context(), []store.Repository{{ID: ingesttest.Repository.ID, Owner: ingesttest.Repository.Owner, Name: ingesttest.Repository.Name}})
	r.Check(err)
	return rs[0]
}

func (r *rig) jobs() int {
	r.T.Helper()
	return ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs`)
}

// All runs are found and the listing ends, also if there are more than one listing has,
// or GitHub's counts are wrong.
func TestSweepListsEveryRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		runs  int
		lie   int // about the number of runs
		lieOf int // about the number of jobs
		pages int // at most
	}{
		{"none", 0, 0, 0, 1},
		{"one page", 40, 0, 0, 1},
		{"three pages", 250, 0, 0, 3},
		{"beyond the cap", 1150, 0, 0, 30},
		{"many more announced", 150, 5000, 0, 40},
		{"some more announced", 150, 7, 0, 6},
		{"fewer announced", 250, -200, 0, 9},
		{"beyond the cap, and fewer announced", 1100, -1050, 0, 130},
		{"more jobs announced", 20, 0, 3, 1},
		{"fewer jobs announced", 20, 0, -1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, ingesttest.Options{})
			repo := r.knowRepository()
			skippedRuns(r.GitHub, time.Now().Add(-time.Hour), c.runs)
			r.GitHub.LieAboutTotal(runsList, c.lie)
			r.GitHub.LieAboutTotal(attempts, c.lieOf)
			swept, err := r.Sweeper().Recent(t.Context(), repo, time.Time{})
			r.Check(err)
			if got := r.jobs(); got != c.runs {
				t.Errorf("%d of %d jobs found", got, c.runs)
			}
			if swept.Pages > c.pages {
				t.Errorf("%d pages, want at most %d", swept.Pages, c.pages)
			}
			if ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM sweeps WHERE succeeded_at IS NOT NULL`) != 1 {
				t.Error("the sweep is not noted")
			}
		})
	}
}

// An answer that has runs of another time does not keep a sweep from looking for all that
// GitHub's search has: whether it is one run, wherever it stands, or a whole page, once.
func TestSweepsBelieveNoOddAnswer(t *testing.T) {
	t.Parallel()
	const old = 40_000
	for name, c := range map[string]struct {
		runs int
		odd  func(*githubsim.Server)
	}{
		"first, beyond the cap":  {1150, func(gh *githubsim.Server) { gh.StrayRun(old, 0) }},
		"last of the first page": {250, func(gh *githubsim.Server) { gh.StrayRun(old, 99) }},
		"last of the cap":        {1150, func(gh *githubsim.Server) { gh.StrayRun(old, 999) }},
		"a page, beyond the cap": {1150, func(gh *githubsim.Server) { gh.ForgetCreated(1) }},
		"a page":                 {250, func(gh *githubsim.Server) { gh.ForgetCreated(1) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, ingesttest.Options{})
			repo := r.knowRepository()
			end := time.Now().Add(-10 * time.Hour).Truncate(time.Second)
			skippedRuns(r.GitHub, end.Add(-time.Hour), c.runs)
			j := ingesttest.Completed(1, end.Add(-80*24*time.Hour), githubsim.TextLog([]byte("x\n")))
			j.RunID = old
			r.GitHub.AddJob(j)
			skippedRunsFrom(r.GitHub, 5000, time.Now().Add(-5*time.Hour), 120) // of after the time
			c.odd(r.GitHub)
			swept, err := r.Sweeper().Backfill(t.Context(), repo, end.Add(-2*time.Hour), end)
			r.Check(err)
			if n := r.jobs(); n != c.runs || swept.Runs != int64(c.runs) || swept.Pages > 40 {
				t.Errorf("%d of %d jobs, %d runs, on %d pages", n, c.runs, swept.Runs, swept.Pages)
			}
			gaps, err := r.DB.Unswept(t.Context(), repo.ID, end.Add(-2*time.Hour), end, time.Now())
			if err != nil || len(gaps) > 0 {
				t.Errorf("still to list: %+v, %v", gaps, err)
			}
		})
	}
}

// No run is missed if the listing shifts while it is read: deleted runs pull others onto
// pages that were read already, and new runs come.
func TestListingThatChangesBetweenPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	repo := r.knowRepository()
	begin := time.Now().Add(-2 * time.Hour)
	skippedRuns(r.GitHub, begin, 350)
	var pages atomic.Int64
	r.GitHub.OnRequest(func(e githubsim.Endpoint, _ *http.Request) {
		if e != runsList {
			return
		}
		// Before the second and the third page of the first reading, newest first:
		// thirty that were listed go, so thirty that were not are passed over.
		if n := pages.Add(1); n == 2 || n == 3 {
			for i := range int64(30) {
				r.GitHub.RemoveJob(10_000 + 349 - (n-2)*30 - i)
			}
		}
	})
	_, err := r.Sweeper().Recent(t.Context(), repo, time.Time{})
	r.Check(err)
	// What is still there is known; what went may be.
	var missing []int64
	for id := int64(10_000); id < 10_290; id++ {
		if ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs WHERE id = $1`, id) == 0 {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		t.Errorf("%d jobs were passed over: %v", len(missing), missing)
	}
}

// A sweep that fails or is killed at any request, again and again, never moves
// the watermark past a run whose jobs are not written, unless a row has them asked for
// again, and at last is done.
func TestWatermarkNeverPassesWhatIsNotWritten(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	repo := r.knowRepository()
	begin := time.Now().Add(-3 * time.Hour)
	const runs = 400
	skippedRuns(r.GitHub, begin, runs)
	for round := 0; ; round++ {
		remove := failAfter(r.GitHub, attempts, 60)
		if round%3 == 2 {
			remove()
			remove = failAfter(r.GitHub, runsList, round/3)
		}
		sweeper := r.Sweeper()
		sweeper.Eager = true
		_, err := sweeper.Recent(t.Context(), repo, time.Time{})
		remove()
		s, serr := r.DB.Sweep(t.Context(), repo.ID)
		r.Check(serr)
		if s.Watermark != nil {
			before := int(s.Watermark.Sub(begin.UTC().Truncate(time.Second)) / time.Second)
			if got := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM workflow_runs w WHERE EXISTS (SELECT FROM jobs j WHERE j.run_id = w.id AND j.created_at < $1)
				OR EXISTS (SELECT FROM run_attempts a WHERE a.run_id = w.id AND a.run_created_at < $1 AND NOT a.complete AND a.trying_since IS NOT NULL)`, *s.Watermark); got < min(before, runs) {
				t.Fatalf("round %d: the watermark is past %d runs, and %d are written or asked for again", round, before, got)
			}
		}
		if err == nil {
			break
		}
		if s.FailedAt == nil || s.Error == nil {
			t.Fatalf("round %d failed (%v) and nothing says so", round, err)
		}
		if round > 60 {
			t.Fatalf("no end after %d rounds: %v", round, err)
		}
	}
	if got := r.jobs(); got != runs {
		t.Errorf("%d of %d jobs", got, runs)
	}
	if s, _ := r.DB.Sweep(t.Context(), repo.ID); s.FailedAt != nil || s.Error != nil {
		t.Errorf("it succeeded, and still says %v", *s.Error)
	}
}

// If our clock is an hour fast or slow, the watermark goes by GitHub's.
func TestSweepWithAWrongClock(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"fast": time.Hour, "slow": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			theirs := ingesttest.NewClock()
			r := newRig(t, ingesttest.Options{
				GitHub: githubsim.Options{Now: theirs.Now, RateLimit: 1000}, Now: func() time.Time { return theirs.Now().Add(off) },
			})
			repo := r.knowRepository()
			id := int64(0)
			// Every twelve minutes a run, and every hour a sweep.
			for range 8 {
				for range 5 {
					theirs.Advance(12 * time.Minute)
					id++
					j := ingesttest.Completed(id, theirs.Now(), githubsim.Log{})
					j.Conclusion, j.CreatedAt, j.StartedAt = ingesttest.Ptr("skipped"), theirs.Now(), theirs.Now()
					j.CompletedAt = ingesttest.Ptr(theirs.Now())
					r.GitHub.AddJob(j)
				}
				_, err := r.Sweeper().Recent(t.Context(), repo, time.Time{})
				r.Check(err)
				if got := r.jobs(); got != int(id) {
					t.Fatalf("%d of %d jobs", got, id)
				}
				if s, err := r.DB.Sweep(t.Context(), repo.ID); err != nil || s.Watermark.Sub(theirs.Now()).Abs() > time.Second {
					t.Fatalf("the watermark is %s, GitHub's time %s (%v)", s.Watermark, theirs.Now(), err)
				}
			}
		})
	}
}

// An unchanged listing is asked for with its ETag, and costs nothing.
func TestUnchangedListingIsFree(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now, GitHub: githubsim.Options{Now: now.Now, RateLimit: 5000}})
	repo := r.knowRepository()
	skippedRuns(r.GitHub, now.Now().Add(-time.Hour), 30)
	sweep := func() {
		t.Helper()
		_, err := r.Sweeper().Recent(t.Context(), repo, time.Time{})
		r.Check(err)
	}
	sweep()
	sweep()
	used := func() string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.GitHub.URL()+"rate_limit", nil)
		r.Check(err)
		req.Header.Set("Authorization", "Bearer "+r.GitHub.Token())
		resp, err := http.DefaultClient.Do(req)
		r.Check(err)
		defer resp.Body.Close()
		return resp.Header.Get("X-RateLimit-Used")
	}
	before := used()
	for range 10 {
		now.Advance(time.Minute)
		sweep()
	}
	if after := used(); after != before {
		t.Errorf("ten sweeps of what had not changed took the limit from %s to %s", before, after)
	}
	if s, err := r.DB.Sweep(t.Context(), repo.ID); err != nil || now.Now().Sub(*s.Watermark) > time.Second {
		t.Errorf("the watermark stays at %v", s.Watermark)
	}
	skippedRunsFrom(r.GitHub, 1000, now.Now().Add(-20*time.Second), 10)
	now.Advance(time.Minute)
	sweep()
	if got := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM run_attempts WHERE run_created_at > $1`, now.Now().Add(-90*time.Second)); got != 10 {
		t.Errorf("%d of 10 new runs were seen", got)
	}
}

// A repository may be renamed, moved, made private or deleted, or another may take its
// name, between two pages of its listing.
func TestRepositoryChangesInTheMiddle(t *testing.T) {
	t.Parallel()
	type change func(*githubsim.Server)
	for _, c := range []struct {
		name   string
		change change
		jobs   int    // known after one sweep at least
		named  string // afterwards
		fails  string
	}{
		{"renamed", func(gh *githubsim.Server) { gh.RenameRepository(ingesttest.Repository.ID, "acme", "Rakete") }, 130, "acme/Rakete", ""},
		{"moved", func(gh *githubsim.Server) {
			gh.RenameRepository(ingesttest.Repository.ID, "umbrella", "rocket")
			moved := ingesttest.Repository
			moved.Owner, moved.InstallationID = "umbrella", 77
			gh.AddRepository(moved)
		}, 130, "umbrella/rocket", ""},
		{"deleted", func(gh *githubsim.Server) { gh.RemoveRepository(ingesttest.Repository.ID) }, 100, "acme/rocket", "not found"},
		{"out of sight", func(gh *githubsim.Server) {
			away := ingesttest.Repository
			away.InstallationID = 0
			gh.AddRepository(away)
		}, 100, "acme/rocket", "not found"},
		{"name taken by another", func(gh *githubsim.Server) {
			gh.RenameRepository(ingesttest.Repository.ID, "acme", "rocket-classic")
			gh.AddRepository(githubsim.Repository{ID: 4, Owner: "acme", Name: "rocket", Private: true, InstallationID: ingesttest.Repository.InstallationID})
			at := time.Now().Add(-time.Minute).UTC().Truncate(time.Second)
			gh.AddJob(githubsim.Job{
				ID: 999, RunID: 9999, RunAttempt: 1, RepositoryID: 4, Name: "theirs", Status: "completed", Conclusion: ingesttest.Ptr("skipped"),
				CreatedAt: at, StartedAt: at, CompletedAt: &at, HeadSHA: strings.Repeat("b", 40),
			})
		}, 130, "acme/rocket-classic", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newAppRig(t)
			repo := r.knowRepository()
			// So that the new owner has an installation.
			r.GitHub.AddRepository(githubsim.Repository{ID: 70, Owner: "umbrella", Name: "other", InstallationID: 77})
			skippedRuns(r.GitHub, time.Now().Add(-time.Hour), 130)
			var pages atomic.Int64
			r.GitHub.OnRequest(func(e githubsim.Endpoint, _ *http.Request) {
				if e == runsList && pages.Add(1) == 2 {
					c.change(r.GitHub)
				}
			})
			_, err := r.Sweeper().Recent(t.Context(), repo, time.Time{})
			if (c.fails == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("the sweep says %v", err)
			}
			// The next one is told of the change by GitHub, if by nobody before.
			_, _ = r.Sweeper().Recent(t.Context(), r.Known(ingesttest.Repository.ID), time.Time{})
			if got := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs WHERE repository_id = $1`, ingesttest.Repository.ID); got < c.jobs {
				t.Errorf("%d jobs, want %d", got, c.jobs)
			}
			if got := r.Known(ingesttest.Repository.ID).FullName(); got != c.named {
				t.Errorf("it is known as %s, want %s", got, c.named)
			}
			if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs WHERE name = 'theirs' AND repository_id = $1`, ingesttest.Repository.ID); n > 0 {
				t.Error("it has another repository's job")
			}
		})
	}
}

// What an App's installations see is swept without a webhook ever having come;
// what is not selected is not.
func TestEveryVisibleRepositoryIsSwept(t *testing.T) {
	t.Parallel()
	r := newAppRig(t)
	r.Selected = func(name string) bool { return !strings.HasSuffix(name, "-2") }
	day := r.GitHub.AddHistory(githubsim.History{Seed: 9, Jobs: 60, Runs: 12, Begin: time.Now().Add(-40 * time.Hour), NoDeliveries: true})
	done := r.Reconcile()
	want := 0
	for _, repo := range day.Repositories {
		if r.Selected(repo.Owner + "/" + repo.Name) {
			want++
		}
	}
	if done.Repositories != want || want == len(day.Repositories) {
		t.Errorf("%d repositories swept, want %d of %d", done.Repositories, want, len(day.Repositories))
	}
	for _, j := range day.Jobs {
		known := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs WHERE id = $1`, j.ID) == 1
		named := ""
		for _, repo := range day.Repositories {
			if repo.ID == j.RepositoryID {
				named = repo.Owner + "/" + repo.Name
			}
		}
		if known != r.Selected(named) {
			t.Fatalf("job %d of %s: known %v", j.ID, named, known)
		}
	}
}

// One repository that fails, however, does not keep the others from being swept,
// and a limit of one installation is that installation's alone.
func TestOneRepositoryHarmsNoOther(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	day := r.GitHub.AddHistory(githubsim.History{Seed: 9, Jobs: 60, Runs: 12, Begin: time.Now().Add(-40 * time.Hour), NoDeliveries: true})
	for _, repo := range day.Repositories {
		_, err := r.DB.SeeRepositories(t.Context(), []store.Repository{{ID: repo.ID, Owner: repo.Owner, Name: repo.Name}})
		r.Check(err)
	}
	gone := day.Repositories[1].ID
	// A job of it is not settled: otherwise there was nothing to fail.
	r.Exec(`INSERT INTO workflow_runs (id, repository_id) VALUES (1, $1)`, gone)
	r.Exec(`INSERT INTO jobs (id, run_id, repository_id, name, status) VALUES (1, 1, $1, 'x', 'completed')`, gone)
	r.GitHub.RemoveRepository(gone)
	_, err := r.Sweeper().Reconcile(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("sweep of %s/%s", day.Repositories[1].Owner, day.Repositories[1].Name)) {
		t.Errorf("the round says %v", err)
	}
	for _, j := range day.Jobs {
		if known := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs WHERE id = $1`, j.ID) == 1; known != (j.RepositoryID != gone) {
			t.Fatalf("job %d of repository %d: known %v", j.ID, j.RepositoryID, known)
		}
	}
}

// newAppRig is a rig that asks as a GitHub App.
func newAppRig(t testing.TB) *rig {
	t.Helper()
	key, asPEM := appKey()
	return newRig(t, ingesttest.Options{
		GitHub: githubsim.Options{AppID: 7, AppKey: &key.PublicKey},
		Client: func(c *ghapi.Config) { c.Token, c.AppID, c.AppKey = "", 7, asPEM },
	})
}

// appKey is the App's private key, and as PEM.
var appKey = sync.OnceValues(func() (*rsa.PrivateKey, []byte) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
})
