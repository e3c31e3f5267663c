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
			ID: 10_000 + i, RunID: 50_000 + i, RunAttempt: 1, RepositoryID: repository.ID, Name: "never", Status: "completed",
			Conclusion: ptr("skipped"), CreatedAt: at, StartedAt: at, CompletedAt: &at, HeadSHA: strings.Repeat("a", 40),
		}
		gh.AddJob(j)
	}
}

// know makes the repository known, as a listing would.
func (r *rig) knowRepository() store.Repository {
	r.t.Helper()
	r.github.AddRepository(repository)
	rs, err := r.db.SeeRepositories(r.t.Context(), []store.Repository{{ID: repository.ID, Owner: repository.Owner, Name: repository.Name}})
	r.check(err)
	return rs[0]
}

func (r *rig) jobs() int {
	r.t.Helper()
	return scalar[int](r, `SELECT count(*) FROM jobs`)
}

// More runs than one listing has, and counts that are wrong: all are found, and
// the listing ends.
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
			r := newRig(t, rigOptions{})
			repo := r.knowRepository()
			skippedRuns(r.github, time.Now().Add(-time.Hour), c.runs)
			r.github.LieAboutTotal(runsList, c.lie)
			r.github.LieAboutTotal(attempts, c.lieOf)
			swept, err := r.sweeper().Recent(t.Context(), repo, time.Time{})
			r.check(err)
			if got := r.jobs(); got != c.runs {
				t.Errorf("%d of %d jobs found", got, c.runs)
			}
			if swept.Pages > c.pages {
				t.Errorf("%d pages, want at most %d", swept.Pages, c.pages)
			}
			if scalar[int](r, `SELECT count(*) FROM sweeps WHERE succeeded_at IS NOT NULL`) != 1 {
				t.Error("the sweep is not noted")
			}
		})
	}
}

// The listing shifts while it is read: runs are deleted, which pulls others onto
// pages that were read already, and new ones come.
func TestListingThatChangesBetweenPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	repo := r.knowRepository()
	begin := time.Now().Add(-2 * time.Hour)
	skippedRuns(r.github, begin, 350)
	var pages atomic.Int64
	r.github.OnRequest(func(e githubsim.Endpoint, _ *http.Request) {
		if e != runsList {
			return
		}
		// Before the second and the third page of the first reading, newest first:
		// thirty that were listed go, so thirty that were not are passed over.
		if n := pages.Add(1); n == 2 || n == 3 {
			for i := range int64(30) {
				r.github.RemoveJob(10_000 + 349 - (n-2)*30 - i)
			}
		}
	})
	_, err := r.sweeper().Recent(t.Context(), repo, time.Time{})
	r.check(err)
	// What is still there is known; what went may be.
	var missing []int64
	for id := int64(10_000); id < 10_290; id++ {
		if scalar[int](r, `SELECT count(*) FROM jobs WHERE id = $1`, id) == 0 {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		t.Errorf("%d jobs were passed over: %v", len(missing), missing)
	}
}

// A sweep that fails or is killed at any request, again and again, never moves
// the watermark past a run whose jobs are not written, and at last is done.
func TestWatermarkNeverPassesWhatIsNotWritten(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	repo := r.knowRepository()
	begin := time.Now().Add(-3 * time.Hour)
	const runs = 400
	skippedRuns(r.github, begin, runs)
	for round := 0; ; round++ {
		remove := failAfter(r.github, attempts, 60)
		if round%3 == 2 {
			remove()
			remove = failAfter(r.github, runsList, round/3)
		}
		_, err := r.sweeper().Recent(t.Context(), repo, time.Time{})
		remove()
		s, serr := r.db.Sweep(t.Context(), repo.ID)
		r.check(serr)
		if s.Watermark != nil {
			before := int(s.Watermark.Sub(begin.UTC().Truncate(time.Second)) / time.Second)
			if got := scalar[int](r, `SELECT count(*) FROM jobs WHERE created_at < $1`, *s.Watermark); got < min(before, runs) {
				t.Fatalf("round %d: the watermark is past %d runs, and %d are written", round, before, got)
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
	if s, _ := r.db.Sweep(t.Context(), repo.ID); s.FailedAt != nil || s.Error != nil {
		t.Errorf("it succeeded, and still says %v", *s.Error)
	}
}

// Our clock is an hour fast, or slow: the watermark is by GitHub's.
func TestSweepWithAWrongClock(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"fast": time.Hour, "slow": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			theirs := newClock()
			r := newRig(t, rigOptions{
				github: githubsim.Options{Now: theirs.Now, RateLimit: 1000}, now: func() time.Time { return theirs.Now().Add(off) },
			})
			repo := r.knowRepository()
			id := int64(0)
			// Every twelve minutes a run, and every hour a sweep.
			for range 8 {
				for range 5 {
					theirs.advance(12 * time.Minute)
					id++
					j := completed(id, theirs.Now(), githubsim.Log{})
					j.Conclusion, j.CreatedAt, j.StartedAt = ptr("skipped"), theirs.Now(), theirs.Now()
					j.CompletedAt = ptr(theirs.Now())
					r.github.AddJob(j)
				}
				_, err := r.sweeper().Recent(t.Context(), repo, time.Time{})
				r.check(err)
				if got := r.jobs(); got != int(id) {
					t.Fatalf("%d of %d jobs", got, id)
				}
				if s, err := r.db.Sweep(t.Context(), repo.ID); err != nil || s.Watermark.Sub(theirs.Now()).Abs() > time.Second {
					t.Fatalf("the watermark is %s, GitHub's time %s (%v)", s.Watermark, theirs.Now(), err)
				}
			}
		})
	}
}

// An unchanged listing is asked for with its ETag, and costs nothing.
func TestUnchangedListingIsFree(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := newRig(t, rigOptions{now: now.Now, github: githubsim.Options{Now: now.Now, RateLimit: 5000}})
	repo := r.knowRepository()
	skippedRuns(r.github, now.Now().Add(-time.Hour), 30)
	sweep := func() {
		t.Helper()
		_, err := r.sweeper().Recent(t.Context(), repo, time.Time{})
		r.check(err)
	}
	sweep()
	sweep()
	used := func() string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.github.URL()+"rate_limit", nil)
		r.check(err)
		req.Header.Set("Authorization", "Bearer "+r.github.Token())
		resp, err := http.DefaultClient.Do(req)
		r.check(err)
		defer resp.Body.Close()
		return resp.Header.Get("X-RateLimit-Used")
	}
	before := used()
	for range 10 {
		now.advance(time.Minute)
		sweep()
	}
	if after := used(); after != before {
		t.Errorf("ten sweeps of what had not changed took the limit from %s to %s", before, after)
	}
	if s, err := r.db.Sweep(t.Context(), repo.ID); err != nil || now.Now().Sub(*s.Watermark) > time.Second {
		t.Errorf("the watermark stays at %v", s.Watermark)
	}
	skippedRunsFrom(r.github, 1000, now.Now().Add(-20*time.Second), 10)
	now.advance(time.Minute)
	sweep()
	if got := scalar[int](r, `SELECT count(*) FROM run_attempts WHERE run_created_at > $1`, now.Now().Add(-90*time.Second)); got != 10 {
		t.Errorf("%d of 10 new runs were seen", got)
	}
}

// The repository is renamed, moved, made private, deleted, or its name becomes
// another's, between two pages of its listing.
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
		{"renamed", func(gh *githubsim.Server) { gh.RenameRepository(repository.ID, "acme", "Rakete") }, 130, "acme/Rakete", ""},
		{"moved", func(gh *githubsim.Server) {
			gh.RenameRepository(repository.ID, "umbrella", "rocket")
			moved := repository
			moved.Owner, moved.InstallationID = "umbrella", 77
			gh.AddRepository(moved)
		}, 130, "umbrella/rocket", ""},
		{"deleted", func(gh *githubsim.Server) { gh.RemoveRepository(repository.ID) }, 100, "acme/rocket", "not found"},
		{"out of sight", func(gh *githubsim.Server) {
			away := repository
			away.InstallationID = 0
			gh.AddRepository(away)
		}, 100, "acme/rocket", "not found"},
		{"name taken by another", func(gh *githubsim.Server) {
			gh.RenameRepository(repository.ID, "acme", "rocket-classic")
			gh.AddRepository(githubsim.Repository{ID: 4, Owner: "acme", Name: "rocket", Private: true, InstallationID: repository.InstallationID})
			at := time.Now().Add(-time.Minute).UTC().Truncate(time.Second)
			gh.AddJob(githubsim.Job{
				ID: 999, RunID: 9999, RunAttempt: 1, RepositoryID: 4, Name: "theirs", Status: "completed", Conclusion: ptr("skipped"),
				CreatedAt: at, StartedAt: at, CompletedAt: &at, HeadSHA: strings.Repeat("b", 40),
			})
		}, 130, "acme/rocket-classic", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newAppRig(t)
			repo := r.knowRepository()
			// So that the new owner has an installation.
			r.github.AddRepository(githubsim.Repository{ID: 70, Owner: "umbrella", Name: "other", InstallationID: 77})
			skippedRuns(r.github, time.Now().Add(-time.Hour), 130)
			var pages atomic.Int64
			r.github.OnRequest(func(e githubsim.Endpoint, _ *http.Request) {
				if e == runsList && pages.Add(1) == 2 {
					c.change(r.github)
				}
			})
			_, err := r.sweeper().Recent(t.Context(), repo, time.Time{})
			if (c.fails == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("the sweep says %v", err)
			}
			// The next one is told of the change by GitHub, if by nobody before.
			_, _ = r.sweeper().Recent(t.Context(), r.known(repository.ID), time.Time{})
			if got := scalar[int](r, `SELECT count(*) FROM jobs WHERE repository_id = $1`, repository.ID); got < c.jobs {
				t.Errorf("%d jobs, want %d", got, c.jobs)
			}
			if got := r.known(repository.ID).FullName(); got != c.named {
				t.Errorf("it is known as %s, want %s", got, c.named)
			}
			if n := scalar[int](r, `SELECT count(*) FROM jobs WHERE name = 'theirs' AND repository_id = $1`, repository.ID); n > 0 {
				t.Error("it has another repository's job")
			}
		})
	}
}

func (r *rig) known(id int64) store.Repository {
	r.t.Helper()
	rs, err := r.db.Repositories(r.t.Context())
	r.check(err)
	for _, repo := range rs {
		if repo.ID == id {
			return repo
		}
	}
	r.t.Fatalf("no repository %d", id)
	return store.Repository{}
}

// What an App's installations see is swept without a webhook ever having come;
// what is not selected is not.
func TestEveryVisibleRepositoryIsSwept(t *testing.T) {
	t.Parallel()
	r := newAppRig(t)
	r.selected = func(name string) bool { return !strings.HasSuffix(name, "-2") }
	day := r.github.AddHistory(githubsim.History{Seed: 9, Jobs: 60, Runs: 12, Begin: time.Now().Add(-40 * time.Hour), NoDeliveries: true})
	done := r.reconcile()
	want := 0
	for _, repo := range day.Repositories {
		if r.selected(repo.Owner + "/" + repo.Name) {
			want++
		}
	}
	if done.Repositories != want || want == len(day.Repositories) {
		t.Errorf("%d repositories swept, want %d of %d", done.Repositories, want, len(day.Repositories))
	}
	for _, j := range day.Jobs {
		known := scalar[int](r, `SELECT count(*) FROM jobs WHERE id = $1`, j.ID) == 1
		named := ""
		for _, repo := range day.Repositories {
			if repo.ID == j.RepositoryID {
				named = repo.Owner + "/" + repo.Name
			}
		}
		if known != r.selected(named) {
			t.Fatalf("job %d of %s: known %v", j.ID, named, known)
		}
	}
}

// One repository that fails, however, does not keep the others from being swept,
// and a limit of one installation is that installation's alone.
func TestOneRepositoryHarmsNoOther(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	day := r.github.AddHistory(githubsim.History{Seed: 9, Jobs: 60, Runs: 12, Begin: time.Now().Add(-40 * time.Hour), NoDeliveries: true})
	for _, repo := range day.Repositories {
		_, err := r.db.SeeRepositories(t.Context(), []store.Repository{{ID: repo.ID, Owner: repo.Owner, Name: repo.Name}})
		r.check(err)
	}
	gone := day.Repositories[1].ID
	r.github.RemoveRepository(gone)
	_, err := r.sweeper().Reconcile(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("sweep of %s/%s", day.Repositories[1].Owner, day.Repositories[1].Name)) {
		t.Errorf("the round says %v", err)
	}
	for _, j := range day.Jobs {
		if known := scalar[int](r, `SELECT count(*) FROM jobs WHERE id = $1`, j.ID) == 1; known != (j.RepositoryID != gone) {
			t.Fatalf("job %d of repository %d: known %v", j.ID, j.RepositoryID, known)
		}
	}
}

// newAppRig is a rig that asks as a GitHub App.
func newAppRig(t testing.TB) *rig {
	t.Helper()
	key, asPEM := appKey()
	return newRig(t, rigOptions{
		github: githubsim.Options{AppID: 7, AppKey: &key.PublicKey},
		client: func(c *ghapi.Config) { c.Token, c.AppID, c.AppKey = "", 7, asPEM },
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
