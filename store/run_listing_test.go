package store_test

import (
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/jobvault/jobvault/store"
)

// Listings and jobs hold the runs that they write in one order, those that are new and
// those that are not: neither waits for the other for ever.
func TestListingsAndJobsOfTheSameRunsDoNotDeadlock(t *testing.T) {
	f := newFixture(t)
	f.repository(1, "acme", "rocket")
	const rounds = 150
	for n := range int64(rounds) {
		known, added := 10*n+1, 10*n+2
		f.exec(fmt.Sprintf(`INSERT INTO workflow_runs (id, repository_id) VALUES (%d, 1)`, known))
		var g errgroup.Group
		g.Go(func() error {
			return f.db.RecordRuns(t.Context(), []store.ListedRun{
				{ID: added, RepositoryID: 1, Origin: store.RunOrigin{Event: new("push")}, Attempt: store.RunAttemptFacts{RunAttempt: 1}},
				{ID: known, RepositoryID: 1, Origin: store.RunOrigin{Event: new("push")}, Attempt: store.RunAttemptFacts{RunAttempt: 1}},
			})
		})
		g.Go(func() error {
			var facts []store.Facts
			for i, run := range []int64{added, known} {
				facts = append(facts, factsOf(100*n+int64(i)+1, store.StatusCompleted, func(x *store.Facts) { x.Run.ID, x.Job.RunID = run, run }))
			}
			return f.db.RecordListed(t.Context(), facts, day, store.PrioritySweep)
		})
		if err := g.Wait(); err != nil {
			t.Fatalf("round %d: %v", n, err)
		}
	}
	if n := scalar[int](f, `SELECT count(*) FROM workflow_runs w JOIN jobs j ON j.run_id = w.id WHERE event = 'push'`); n != 2*rounds {
		t.Errorf("%d jobs of listed runs, want %d", n, 2*rounds)
	}
}
