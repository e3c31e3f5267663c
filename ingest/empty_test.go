package ingest_test

import (
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// takeName gives the repository's name to another, in which nothing ever ran.
func takeName(gh *githubsim.Server) {
	gh.AddRepository(githubsim.Repository{ID: 4, Owner: ingesttest.Repository.Owner, Name: ingesttest.Repository.Name, InstallationID: ingesttest.Repository.InstallationID})
}

// An empty list does not say whose it is. It is noted as swept only if the name
// is the repository's still.
func TestEmptyListingIsTheRepositorysOwn(t *testing.T) {
	t.Parallel()
	sweeps := map[string]func(r *rig, repo store.Repository) (ingest.SweepResult, error){
		"recent": func(r *rig, repo store.Repository) (ingest.SweepResult, error) {
			return r.Sweeper().Recent(r.T.Context(), repo, time.Time{})
		},
		"past": func(r *rig, repo store.Repository) (ingest.SweepResult, error) {
			return r.Sweeper().Backfill(r.T.Context(), repo, r.Now().Add(-10*time.Hour), r.Now())
		},
	}
	for sweep, run := range sweeps {
		for _, c := range []struct {
			name  string
			world func(*githubsim.Server)
			fails bool
			jobs  int
		}{
			{"ours", func(*githubsim.Server) {}, false, 0},
			{"renamed, and the name taken", func(gh *githubsim.Server) {
				skippedRuns(gh, time.Now().Add(-time.Hour), 3)
				gh.RenameRepository(ingesttest.Repository.ID, "acme", "rocket-classic")
				takeName(gh)
			}, false, 3},
			{"deleted, and the name taken", func(gh *githubsim.Server) {
				gh.RemoveRepository(ingesttest.Repository.ID)
				takeName(gh)
			}, sweep == "past", 0}, // nothing of it is left to fail, unless somebody asks for it
			{"nobody can say", func(gh *githubsim.Server) {
				gh.Inject(githubsim.Fault{Endpoint: githubsim.EndpointRepository, Kind: githubsim.ServerError})
			}, true, 0},
		} {
			t.Run(sweep+", "+c.name, func(t *testing.T) {
				t.Parallel()
				r := newAppRig(t)
				repo := r.knowRepository()
				c.world(r.GitHub)
				if _, err := run(r, repo); (err != nil) != c.fails {
					t.Fatalf("the sweep says %v", err)
				}
				if n := r.jobs(); n != c.jobs {
					t.Errorf("%d jobs, want %d", n, c.jobs)
				}
				if c.fails || c.name == "deleted, and the name taken" {
					r.wantNotSwept("afterwards")
				} else if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM sweeps WHERE swept <> '{}' AND repository_id = $1`, ingesttest.Repository.ID); n != 1 {
					t.Error("what was listed is not noted as swept")
				}
			})
		}
	}
}

// One sweep asks once whose the name is, however many of its lists are empty, and
// not at all where a run says it.
func TestEmptyListingsAskOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		runs int
		want int64
	}{{"all are empty", 0, 1}, {"not all are", 3, 1}, {"none is", 0, 0}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, ingesttest.Options{})
			repo := r.knowRepository()
			begin := time.Now().Add(-100 * 24 * time.Hour).UTC().Truncate(24 * time.Hour)
			days := func(n int) time.Time { return begin.AddDate(0, 0, n) }
			// What was swept lies between; three gaps are left.
			for _, n := range []int{2, 6} {
				r.Check(r.DB.NoteSwept(t.Context(), repo.ID, store.TimeRange{From: days(n), To: days(n + 1), Certain: true}))
			}
			skippedRuns(r.GitHub, days(4), c.runs)
			if c.want == 0 {
				for _, n := range []int{1, 4, 8} {
					skippedRunsFrom(r.GitHub, int64(10*n), days(n), 1)
				}
			}
			_, err := r.Sweeper().Backfill(t.Context(), repo, days(0), days(10))
			r.Check(err)
			if n := r.GitHub.Requests()[githubsim.EndpointRepository]; n != c.want {
				t.Errorf("the repository was asked for %d times, want %d", n, c.want)
			}
			gaps, err := r.DB.Unswept(t.Context(), repo.ID, days(0), days(10), days(20))
			if err != nil || len(gaps) > 0 {
				t.Errorf("still to list: %+v (%v)", gaps, err)
			}
		})
	}
}
