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

// A repository out of our sight is told as denied, for a week: access that was
// taken away by mistake can be given back. Then its jobs are given up.
func TestJobOfAHiddenRepository(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		after time.Duration
		state string
	}{
		{"found again after a day", 24 * time.Hour, store.LogArchived},
		{"gone for more than a week", 7*24*time.Hour + time.Minute, store.LogMissing},
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
			now.Advance(c.after)
			if c.state == store.LogArchived {
				r.GitHub.AddRepository(ingesttest.Repository)
				r.GitHub.AddJob(j)
			}
			if says, _ := r.Try(1); says != "done" {
				t.Errorf("the worker says %s", says)
			}
			if l, err = r.DB.JobLog(t.Context(), 1); err != nil || l.State != c.state {
				t.Errorf("the ledger says %s (%v), want %s", l.State, err, c.state)
			}
		})
	}
}
