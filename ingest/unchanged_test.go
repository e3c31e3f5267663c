package ingest_test

import (
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// A list that was empty and is unchanged by its ETag may by now be that of another
// repository: then it says nothing about ours.
func TestUnchangedEmptyListingOfAnother(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*githubsim.Server){
		"renamed": func(gh *githubsim.Server) { gh.RenameRepository(ingesttest.Repository.ID, "acme", "rocket-classic") },
		"deleted": func(gh *githubsim.Server) { gh.RemoveRepository(ingesttest.Repository.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newAppRig(t)
			repo := r.knowRepository()
			r.sweepRecent(repo)
			r.sweepRecent(repo) // with a listing of the last two hours, and its ETag
			before, err := r.DB.Sweep(t.Context(), repo.ID)
			r.Check(err)
			leave(r.GitHub)
			takeName(r.GitHub)
			skippedRuns(r.GitHub, time.Now().Add(-time.Hour), 3) // ours
			_, err = r.Sweeper().Recent(t.Context(), repo, time.Time{})
			after, serr := r.DB.Sweep(t.Context(), repo.ID)
			r.Check(serr)
			switch {
			case name == "renamed" && (err != nil || r.jobs() != 3):
				t.Errorf("%d of 3 jobs, %v", r.jobs(), err)
			case name == "deleted" && (err != nil || after.GoneAt == nil || after.Watermark.After(*before.Watermark)):
				t.Errorf("the watermark went from %s to %s, %v", before.Watermark, after.Watermark, err)
			}
		})
	}
}
