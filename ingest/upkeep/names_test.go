package upkeep_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// What is repaired is fetched from the job's own repository, wherever that is now.
func TestRepairOfARepositoryThatLostItsName(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"which is known": true, "which nobody told": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, ingesttest.Options{})
			j := ingesttest.Completed(1, time.Now().Add(-time.Minute), githubsim.TextLog([]byte("x\n")))
			r.Know(j)
			if says, _ := r.Try(1); says != "done" {
				t.Fatalf("the worker says %s", says)
			}
			r.GitHub.RenameRepository(ingesttest.Repository.ID, "acme", "rocket-classic")
			another := ingesttest.Repository
			another.ID = 4
			r.GitHub.AddRepository(another)
			if known {
				_, err := r.DB.SeeRepositories(t.Context(), []store.Repository{{ID: 4, Owner: another.Owner, Name: another.Name}})
				r.Check(err)
			}
			r.Check(r.Archive.Bucket().Purge(t.Context(), r.Object(1, "job.json")))
			r.Check(r.Archive.Bucket().Purge(t.Context(), r.Object(1, "log.zst")))
			if faults, sum := r.verify(upkeep.VerifyOptions{Deep: true, Repair: true}); sum.Repaired != sum.Faults || sum.Faults == 0 {
				t.Errorf("%+v, %q", sum, faults)
			}
			r.CompareLog(j)
			if got := r.Get(r.Object(1, "job.json")); !bytes.Contains(got, []byte("acme/rocket-classic")) {
				t.Errorf("made of a webhook: %s", got)
			}
		})
	}
}

// Names out of the bucket are as old as the jobs that tell them: they do not beat what
// GitHub has told since, and of two repositories of one name the newest job's has it.
func TestRebuildTellsOldNames(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	r.Know(ingesttest.Completed(1, time.Now().Add(-2*time.Hour), githubsim.TextLog([]byte("x\n"))))
	if says, _ := r.Try(1); says != "done" {
		t.Fatalf("the worker says %s", says)
	}
	was := r.Known(ingesttest.Repository.ID).FullName()
	_, err := r.DB.SeeRepositories(t.Context(), []store.Repository{{ID: ingesttest.Repository.ID, Owner: "acme", Name: "starship"}})
	r.Check(err)
	r.Exec(`TRUNCATE jobs CASCADE`)
	r.rebuild(0)
	r.WantNames("rebuilt beside what is known", map[int64]string{ingesttest.Repository.ID: "acme/starship *"})
	r.Exec(`TRUNCATE repositories, deliveries CASCADE`)
	r.rebuild(0)
	r.WantNames("rebuilt from nothing", map[int64]string{ingesttest.Repository.ID: was + " *"})
	if at := r.Known(ingesttest.Repository.ID).NamedAt; time.Since(at) < time.Hour {
		t.Errorf("named at %s, as if it were news", at)
	}
}
