package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// retention apply leaves and names the logs of a repository that was renamed since
// retention plan, and says so in its exit status, until another plan shows what goes.
func TestApplyAfterARename(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.github.AddRepository(rocket)
	at := time.Now().Add(-50 * time.Hour).UTC().Truncate(time.Second)
	success := "success"
	w.github.AddJob(githubsim.Job{
		ID: 1, RunID: 101, RunAttempt: 1, RepositoryID: rocket.ID, Name: "build", Status: "completed", Conclusion: &success,
		HeadSHA: strings.Repeat("a", 40), CreatedAt: at, StartedAt: at, CompletedAt: &at, Log: githubsim.TextLog([]byte("x\n")),
	})
	w.want(0, "backfill", "--repo", "acme/rocket", "--since", "90h")
	w.want(0, "retention", "add", "--keep", "1d", "--repo", "acme/*")
	if s := w.want(0, "retention", "plan"); !strings.Contains(s.out, "acme/rocket") || !strings.Contains(s.out, "\n1 logs would go") {
		t.Fatalf("planned: %s", s.out)
	}
	w.github.RenameRepository(rocket.ID, "acme", "starship")
	_, err := w.db.SeeRepositories(t.Context(), []store.Repository{{ID: rocket.ID, Owner: "acme", Name: "starship"}})
	w.check(err)
	s := w.want(1, "retention", "apply", "--actor", "ada")
	if !strings.Contains(s.out, "was acme/rocket when this was planned, and is acme/starship now: 1 logs left, of jobs ") ||
		!strings.Contains(s.out, "\n0 logs removed") || !strings.Contains(s.err, "jobvault retention plan") {
		t.Errorf("applied: %s%s", s.out, s.err)
	}
	s = w.want(1, "retention", "apply", "--json", "--actor", "ada")
	var line struct{ Renamed renamedRepository }
	if first, _, _ := strings.Cut(s.out, "\n"); json.Unmarshal([]byte(first), &line) != nil || line.Renamed.Is.Name != "starship" || len(line.Renamed.Left) != 1 {
		t.Errorf("in JSON: %s", s.out)
	}
	if s := w.want(0, "retention", "plan"); !strings.Contains(s.out, "acme/starship") {
		t.Errorf("planned anew: %s", s.out)
	}
	if s := w.want(0, "retention", "apply", "--actor", "ada"); !strings.HasPrefix(s.out, "1 logs removed") {
		t.Errorf("applied: %s", s.out)
	}
}
