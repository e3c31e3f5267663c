package ingest_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// What counts of a delivery is the time that it tells of, not when it comes: one that is
// late, or replayed, gives a repository no name back, and does not make it public.
func TestLateAndReplayedDeliveries(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]string{"renamed": "acme/starship", "transferred": "umbrella/rocket", "another case": "ACME/Rocket"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, ingesttest.Options{})
			old := ingesttest.Told(1, 7, "acme/rocket", "queued", 2*time.Hour, false)
			r.Hears(old, ingesttest.Told(2, 7, after, "completed", time.Hour, true))
			late := ingesttest.Told(3, 7, "acme/rocket", "queued", 90*time.Minute, false)
			r.Hears(late, old, late)
			r.WantNames("after late and replayed deliveries", map[int64]string{7: after + " *"})
			if private := ingesttest.Scalar[bool](r.Rig, `SELECT private FROM repositories`); !private {
				t.Error("an old delivery made it public")
			}
			if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs`); n != 3 {
				t.Errorf("%d jobs: what is late counts all the same", n)
			}
		})
	}
}

// A payload is not believed about the future: a time that has not come yet does not
// count, and a payload that comes again counts as of when it first came.
func TestPayloadsDoNotTellOfTheFuture(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	ahead := ingesttest.Told(1, 7, "acme/rocket", "completed", -3*time.Hour, false)
	r.Hears(ahead, ingesttest.Told(2, 7, "acme/starship", "completed", time.Hour, false))
	r.WantNames("a time ahead", map[int64]string{7: "acme/starship *"})
	soon := ingesttest.Told(3, 7, "acme/lander", "queued", -20*time.Second, false)
	r.Hears(soon)
	r.WantNames("within the difference of clocks", map[int64]string{7: "acme/lander *"})
	r.Hears(ingesttest.Told(4, 7, "acme/shuttle", "queued", 0, false))
	if at := ingesttest.Scalar[time.Time](r.Rig, `SELECT named_at FROM repositories`); at.After(time.Now()) {
		t.Errorf("named at %s", at)
	}
}

// A name that is used again, or was swapped, is the newest repository's.
func TestNamesUsedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	first, second := ingesttest.Told(1, 7, "acme/rocket", "queued", 3*time.Hour, true), ingesttest.Told(2, 8, "acme/rocket", "queued", time.Hour, true)
	r.Hears(second, first)
	r.WantNames("used again", map[int64]string{7: "acme/rocket", 8: "acme/rocket *"})
	ids, err := r.DB.RepositoriesWithin(t.Context(), []string{"acme/rocket"})
	if r.Check(err); !slices.Equal(ids, []int64{8}) {
		t.Errorf("a token of the name reads %v", ids)
	}
	named, err := r.DB.RepositoriesNamed(t.Context(), "acme", "rocket")
	if r.Check(err); len(named) != 2 || named[0].ID != 8 || named[1].HasName {
		t.Errorf("found by the name: %+v", named)
	}
	r.Hears(ingesttest.Told(3, 8, "acme/lander", "queued", 30*time.Minute, true))
	r.WantNames("the newer is renamed", map[int64]string{7: "acme/rocket", 8: "acme/lander *"})
	r.Hears(ingesttest.Told(4, 7, "acme/rocket", "queued", 10*time.Minute, true))
	r.WantNames("the older has it, GitHub says anew", map[int64]string{7: "acme/rocket *", 8: "acme/lander *"})
	r.Hears(ingesttest.Told(5, 7, "acme/lander", "queued", 5*time.Minute, true), ingesttest.Told(6, 8, "acme/rocket", "queued", 4*time.Minute, true))
	r.WantNames("swapped", map[int64]string{7: "acme/lander *", 8: "acme/rocket *"})
}

// The rows are the same in whatever order deliveries come, and however they are drained.
func TestNamesInAnyOrder(t *testing.T) {
	t.Parallel()
	payloads := [][]byte{
		ingesttest.Told(1, 7, "acme/a", "queued", 9*time.Hour, true), ingesttest.Told(1, 7, "acme/b", "completed", 7*time.Hour, false),
		ingesttest.Told(2, 8, "acme/a", "queued", 8*time.Hour, true), ingesttest.Told(2, 8, "acme/c", "completed", 5*time.Hour, true),
		ingesttest.Told(3, 9, "acme/c", "queued", 6*time.Hour, false), ingesttest.Told(4, 7, "acme/a", "queued", 4*time.Hour, true),
	}
	r := newRig(t, ingesttest.Options{})
	rows := func() []map[string]any {
		return r.Rows(`SELECT jsonb_agg(x ORDER BY x::text) AS all_of_it FROM (
			SELECT to_jsonb(r) - 'seen_at' || jsonb_build_object('has', has_name(r)) FROM repositories r
			UNION ALL SELECT to_jsonb(n) - 'until' FROM repository_names n) AS x(x)`)
	}
	var want []map[string]any
	for round := range 12 {
		r.Exec(`TRUNCATE repositories, deliveries CASCADE`)
		order := slices.Clone(payloads)
		for i := range order { // a different one each time
			j := (i*7 + round*5) % len(order)
			order[i], order[j] = order[j], order[i]
		}
		if round%2 == 0 {
			r.Hears(order...)
		} else {
			for _, p := range order {
				r.post(p, nil)
			}
			r.Drain()
		}
		if got := rows(); round == 0 {
			want = got
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("round %d (-want +got):\n%s", round, diff)
		}
	}
}

// JOBVAULT_REPOSITORIES goes by the names that repositories have: a late delivery of one
// that lost its name, or has another, gets no job, though the report is kept.
func TestSelectedByTheNameThatItHas(t *testing.T) {
	t.Parallel()
	selected := func(name string) bool { return name == "acme/rocket" }
	for name, c := range map[string]struct {
		before []byte // what is known
		jobs   int
	}{
		"its name":             {ingesttest.Told(2, 7, "acme/rocket", "queued", time.Hour, true), 2},
		"another has the name": {ingesttest.Told(2, 8, "acme/rocket", "queued", time.Hour, true), 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, ingesttest.Options{Selected: selected})
			r.Hears(c.before, ingesttest.Told(1, 7, "acme/rocket", "queued", 2*time.Hour, true))
			if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs`); n != c.jobs {
				t.Errorf("%d jobs, want %d", n, c.jobs)
			}
			if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM deliveries WHERE state <> 'done'`); n > 0 {
				t.Errorf("%d deliveries are not done", n)
			}
		})
	}
	t.Run("renamed", func(t *testing.T) {
		r := newRig(t, ingesttest.Options{Selected: selected})
		_, err := r.DB.SeeRepositories(t.Context(), []store.Repository{{ID: 7, Owner: "acme", Name: "secret"}})
		r.Check(err)
		r.Hears(ingesttest.Told(1, 7, "acme/rocket", "queued", 2*time.Hour, true))
		if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs`); n != 0 {
			t.Error("a job of a repository that is not selected any more")
		}
	})
}

// What is swept is what is selected by the name that it has now; a repository whose name
// is another's is found by its id.
func TestSweepsGoByTheNamesOfNow(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{Selected: func(name string) bool { return name == "acme/rocket" || name == "acme/starship" }})
	r.GitHub.AddRepository(githubsim.Repository{ID: 7, Owner: "acme", Name: "rocket"})
	r.Hears(ingesttest.Told(1, 7, "acme/rocket", "queued", 2*time.Hour, true))
	swept := func(want ...string) {
		t.Helper()
		rs, err := r.Sweeper().Repositories(t.Context())
		r.Check(err)
		var got []string
		for _, repo := range rs {
			got = append(got, fmt.Sprint(repo.ID, " ", repo.FullName()))
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	swept("7 acme/rocket")
	r.GitHub.RenameRepository(7, "acme", "starship")
	r.GitHub.AddRepository(githubsim.Repository{ID: 8, Owner: "acme", Name: "rocket"})
	r.Hears(ingesttest.Told(2, 8, "acme/rocket", "queued", time.Hour, true))
	swept("7 acme/starship", "8 acme/rocket")
	r.GitHub.RenameRepository(7, "acme", "secret") // not selected
	r.GitHub.AddRepository(githubsim.Repository{ID: 9, Owner: "acme", Name: "starship"})
	r.Hears(ingesttest.Told(3, 9, "acme/starship", "queued", 0, true))
	swept("8 acme/rocket", "9 acme/starship")
	r.WantNames("told by the API", map[int64]string{7: "acme/secret *", 8: "acme/rocket *", 9: "acme/starship *"})
	r.GitHub.RemoveRepository(8)
	r.GitHub.AddRepository(githubsim.Repository{ID: 10, Owner: "acme", Name: "rocket"})
	_, err := r.DB.SeeRepositories(t.Context(), []store.Repository{{ID: 10, Owner: "acme", Name: "rocket"}})
	r.Check(err)
	swept("10 acme/rocket", "9 acme/starship")
}

// What GitHub does not find is asked after once a day, and not in every round; but at
// once when there is a new word about it.
func TestARepositoryThatIsGoneIsAskedAfterOnceADay(t *testing.T) {
	t.Parallel()
	var ahead time.Duration
	r := newRig(t, ingesttest.Options{Now: func() time.Time { return time.Now().Add(ahead) }})
	const uses = 5
	r.GitHub.AddRepository(githubsim.Repository{ID: 100 + uses, Owner: "acme", Name: "temp"})
	for i := range uses + 1 {
		r.Hears(ingesttest.Told(int64(i+1), int64(100+i), "acme/temp", "queued", time.Duration(uses+1-i)*time.Hour, true))
	}
	s := r.Sweeper()
	asks := func(when string, want int64) {
		t.Helper()
		before := r.GitHub.Requests()[githubsim.EndpointRepository]
		rs, err := s.Repositories(t.Context())
		r.Check(err)
		if len(rs) != 1 || rs[0].ID != 100+uses {
			t.Errorf("%s: swept are %+v", when, rs)
		}
		if n := r.GitHub.Requests()[githubsim.EndpointRepository] - before; n != want {
			t.Errorf("%s: %d requests, want %d", when, n, want)
		}
	}
	const each = 2 // by its name, and by its id
	asks("the first round", uses*each)
	asks("the second", 0)
	ahead = 24*time.Hour - time.Minute
	asks("within a day", 0)
	r.Hears(ingesttest.Told(uses+2, 101, "acme/temp", "completed", 90*time.Minute, true)) // later than the word before, and still not the latest
	asks("a new word", each)
	asks("after that", 0)
	ahead += time.Hour
	asks("after a day", (uses-1)*each)
	// That GitHub could not say is no answer.
	ahead += 48 * time.Hour
	r.GitHub.Inject(githubsim.Fault{Kind: githubsim.ServerError, Endpoint: githubsim.EndpointRepository, Times: each})
	if _, err := s.Repositories(t.Context()); err == nil {
		t.Error("no error")
	}
	asks("after an error", each)
}

// A job of a repository whose name another has is not asked for under that name: what
// that one says is no answer.
func TestJobOfARepositoryThatLostItsName(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	j := ingesttest.Completed(1, time.Now(), githubsim.TextLog([]byte("x\n")))
	r.Know(j)
	r.GitHub.RenameRepository(ingesttest.Repository.ID, "acme", "rocket-classic")
	another := ingesttest.Repository
	another.ID = 4
	r.GitHub.AddRepository(another)
	_, err := r.DB.SeeRepositories(t.Context(), []store.Repository{{ID: 4, Owner: another.Owner, Name: another.Name}})
	r.Check(err)
	before := r.GitHub.Requests()[githubsim.EndpointJob]
	if says, _ := r.Try(1); says != "done" {
		t.Errorf("the worker says %s", says)
	}
	r.CompareLog(j)
	if n := r.GitHub.Requests()[githubsim.EndpointJob] - before; n != 1 {
		t.Errorf("%d requests for the job", n)
	}
	r.WantNames("resolved by its id", map[int64]string{ingesttest.Repository.ID: "acme/rocket-classic *", 4: another.Owner + "/" + another.Name + " *"})
}

// renamed has the repository be called otherwise, and another one have its name.
func renamed(r *rig) {
	r.GitHub.RenameRepository(ingesttest.Repository.ID, "acme", "rocket-classic")
	another := ingesttest.Repository
	another.ID = 4
	r.GitHub.AddRepository(another)
}

// A job that was given up and is asked for once more is asked for where its repository is:
// what has its name now knows nothing of it.
func TestAMissingJobOfARenamedRepositoryIsAskedForOnceMore(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]string{
		"described": `UPDATE job_logs SET state = 'missing', settled_at = now(), attempts = 5`,
		"never":     `UPDATE job_logs SET state = 'missing', settled_at = now()`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, ingesttest.Options{})
			j := ingesttest.Completed(1, time.Now(), githubsim.TextLog([]byte("x\n")))
			r.Know(j)
			if name == "described" {
				remove := r.GitHub.Inject(githubsim.Fault{Kind: githubsim.NotFoundXML, Endpoint: blb})
				r.Try(1)
				remove()
			}
			r.Exec(set)
			renamed(r)
			if says, _ := r.TryArgs(store.ArchiveArgs{JobID: 1, Again: true}); says != "done" {
				t.Errorf("the worker says %s", says)
			}
			r.wantState("asked for once more", 1, store.LogArchived)
			r.CompareLog(j)
		})
	}
}

// Of a deleted repository whose name is used again no job is settled by what its
// successor says: it is out of sight, for a week.
func TestJobOfADeletedRepositoryWhoseNameIsUsedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	r.Know(ingesttest.Completed(1, time.Now().Add(-30*24*time.Hour), githubsim.TextLog([]byte("x\n"))))
	r.GitHub.RemoveRepository(ingesttest.Repository.ID)
	another := ingesttest.Repository
	another.ID = 4
	r.GitHub.AddRepository(another)
	for range 3 {
		r.Try(1)
	}
	l, err := r.DB.JobLog(t.Context(), 1)
	if r.Check(err); l.State != store.LogDenied {
		t.Errorf("the ledger says %s: %s", l.State, *l.Reason)
	}
	r.WantNames("told by the API", map[int64]string{ingesttest.Repository.ID: ingesttest.Repository.Owner + "/" + ingesttest.Repository.Name, 4: another.Owner + "/" + another.Name + " *"})
}

// A sweep that finds nothing new still has heard that the repository has its name.
func TestSweepConfirmsTheName(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	j := ingesttest.Completed(1, time.Now(), githubsim.TextLog([]byte("x\n")))
	r.Know(j)
	before := r.Known(ingesttest.Repository.ID)
	_, err := r.Sweeper().Recent(context.Background(), before, time.Time{})
	r.Check(err)
	if after := r.Known(ingesttest.Repository.ID); !after.NamedAt.After(before.NamedAt) || !after.NamedByAPI {
		t.Errorf("named at %s by the API: %t; before at %s", after.NamedAt, after.NamedByAPI, before.NamedAt)
	}
}
