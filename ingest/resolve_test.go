package ingest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// A 404 is not taken for the end of a job before it is sure that it was the job's
// own repository that was asked: it may have moved, and its name may be another's.
func TestJobOfAMovedRepository(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]func(*githubsim.Server){
		"name taken by another": func(gh *githubsim.Server) {
			gh.RenameRepository(ingesttest.Repository.ID, "acme", "rocket-classic")
			gh.AddRepository(githubsim.Repository{ID: 4, Owner: "acme", Name: "rocket", Private: true, InstallationID: ingesttest.Repository.InstallationID})
		},
		"another owner": func(gh *githubsim.Server) {
			there := ingesttest.Repository
			there.Owner, there.InstallationID = "umbrella", 77
			gh.RenameRepository(ingesttest.Repository.ID, there.Owner, there.Name)
			gh.AddRepository(there)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newAppRig(t)
			r.GitHub.AddRepository(githubsim.Repository{ID: 70, Owner: "umbrella", Name: "other", InstallationID: 77})
			j := ingesttest.Completed(1, time.Now(), githubsim.TextLog([]byte("x\n")))
			r.Know(j)
			move(r.GitHub)
			for range 5 {
				if says, _ := r.Try(1); says == "done" {
					break
				}
			}
			r.CompareLog(j)
		})
	}
}

// A repository out of our sight is told as denied, for a week that we have seen: access
// that was taken away by mistake can be given back. Then its jobs are given up; later, if
// webhooks go on telling of it, so that somebody could show it to us.
func TestJobOfAHiddenRepository(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		absent   time.Duration // for how long nobody asks
		heardOf  bool          // by webhooks
		back     bool          // after that
		atLeast  time.Duration // of asking
		atMost   time.Duration
		state    string
		requests int64 // for the repository, two a try
	}{
		{name: "found again after a day", absent: aDay, back: true, state: store.LogArchived, requests: 20},
		{name: "found again after weeks in which nobody asked", absent: 60 * aDay, back: true, state: store.LogArchived, requests: 20},
		{name: "gone", atLeast: 6 * aDay, atMost: 9 * aDay, state: store.LogMissing, requests: 140},
		{name: "hidden", heardOf: true, atLeast: 29 * aDay, atMost: 32 * aDay, state: store.LogMissing, requests: 360},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			now := ingesttest.NewClock()
			now.Set(time.Now()) // when it was last seen is told by the database
			r := newRig(t, ingesttest.Options{Now: now.Now})
			j := ingesttest.Completed(1, now.Now(), githubsim.TextLog([]byte("x\n")))
			r.Know(j)
			r.GitHub.RemoveRepository(ingesttest.Repository.ID)
			for range 3 {
				r.Try(1)
			}
			l, err := r.DB.JobLog(t.Context(), 1)
			r.Check(err)
			if l.State != store.LogDenied || l.Reason == nil || !strings.Contains(*l.Reason, "gone, or not shown to us") {
				t.Fatalf("the ledger says %s: %v", l.State, l.Reason)
			}
			now.Advance(c.absent)
			if says, _ := r.Try(1); says != "snooze" {
				t.Errorf("after %s the worker says %s", c.absent, says)
			}
			if c.heardOf {
				r.Exec(`UPDATE repositories SET seen_at = now() + interval '60 days'`)
			}
			if c.back {
				r.GitHub.AddRepository(ingesttest.Repository)
				r.GitHub.AddJob(j)
			}
			if took := r.tryUntil(now, 1, ever); took < c.atLeast || took > c.atMost {
				t.Errorf("it took %s, want %s to %s", took, c.atLeast, c.atMost)
			}
			r.wantState("in the end", 1, c.state)
			if n := r.GitHub.Requests()[githubsim.EndpointRepository]; n > c.requests {
				t.Errorf("%d requests for the repository, more than %d", n, c.requests)
			}
		})
	}
}
