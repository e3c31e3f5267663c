package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jobvault/jobvault/store"
)

// Listings, webhooks, archiving and what brings back the lost come to the same
// jobs at once, in any order: none waits for another in a ring, and no job goes
// backwards.
func TestListingsDoNotDeadlock(t *testing.T) {
	f := newFixture(t)
	const jobs, workers, rounds = 12, 8, 40
	// The jobs are others after a while: what is completed holds few surprises.
	var begun atomic.Int64
	some := func(r *rand.Rand) []int64 {
		var ids []int64
		for _, i := range r.Perm(jobs)[:1+r.IntN(jobs)] {
			ids = append(ids, begun.Load()/workers/3*jobs+int64(i+1))
		}
		return ids
	}
	all := func(r *rand.Rand, status string) (facts []store.Facts) {
		for _, id := range some(r) {
			facts = append(facts, full(id, status, r.IntN(3)))
			facts[len(facts)-1].Steps, facts[len(facts)-1].Labels = steps(id, "a", "b"), []string{"linux", fmt.Sprint(r.IntN(3))}
			facts[len(facts)-1].Repository.Name, facts[len(facts)-1].Repository.SeenAt = fmt.Sprint("rocket-", r.IntN(3)), hour(r.IntN(9))
		}
		return facts
	}
	attempt := func(r *rand.Rand) store.RunAttempt { return attemptOf(2, 0, r.IntN(100), r.IntN(2) == 0) }
	statuses := []string{"queued", "in_progress", "completed"}
	f.tell(factsOf(1, "queued"))
	f.exec(`CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'job % was completed', OLD.id; END $$`)
	f.exec(`CREATE TRIGGER forward BEFORE UPDATE ON jobs FOR EACH ROW
		WHEN (OLD.status = 'completed' AND NEW.status <> 'completed' OR OLD.fetched_at IS NOT NULL AND NEW.fetched_at IS NULL) EXECUTE FUNCTION forbid()`)
	acts := []func(context.Context, *rand.Rand) error{
		func(ctx context.Context, r *rand.Rand) error {
			return f.db.RecordListed(ctx, all(r, statuses[r.IntN(3)]), hour(r.IntN(9)), store.PriorityBackfill)
		},
		func(ctx context.Context, r *rand.Rand) error {
			return f.db.RecordAttempt(ctx, attempt(r), all(r, "completed"), store.PrioritySweep)
		},
		func(ctx context.Context, r *rand.Rand) error {
			var ds []store.Delivery
			for _, facts := range all(r, statuses[r.IntN(3)]) {
				ds = append(ds, deliveryOf(facts))
			}
			if err := f.db.InsertDeliveries(ctx, ds); err != nil {
				return err
			}
			_, err := f.db.DrainDeliveries(ctx, 100, believeLast)
			return err
		},
		func(ctx context.Context, r *rand.Rand) error {
			for _, id := range some(r) {
				state := []string{store.LogPending, store.LogDenied, store.LogMissing}[r.IntN(3)]
				s := settledAs(id, state)
				s.Steps = linesOf(store.StepLines{Number: 1, First: 1, Last: 2}, store.StepLines{Number: 2, First: 3, Last: 4})
				if _, err := f.db.Settle(ctx, s, day); err != nil {
					return err
				}
			}
			return nil
		},
		func(ctx context.Context, _ *rand.Rand) error {
			_, err := f.db.RequeuePending(ctx)
			return err
		},
		func(ctx context.Context, _ *rand.Rand) error {
			_, err := f.db.EnqueueStale(ctx, hour(1000))
			return err
		},
		func(ctx context.Context, r *rand.Rand) error {
			_, err := f.db.SeeRepositories(ctx, []store.Repository{{ID: 1, Owner: "acme", Name: fmt.Sprint("seen-", r.IntN(3))}})
			return err
		},
		func(ctx context.Context, r *rand.Rand) error {
			var listed []store.ListedRun
			for _, n := range r.Perm(4) {
				listed = append(listed, store.ListedRun{
					ID: int64(n + 1), RepositoryID: 1, Origin: store.RunOrigin{Event: new(fmt.Sprint(r.IntN(9))), Actor: new(fmt.Sprint(r.IntN(9)))},
					Attempt: store.RunAttemptFacts{RunAttempt: int64(1 + r.IntN(3)), TriggeringActor: new(fmt.Sprint(r.IntN(9)))},
				})
			}
			return f.db.RecordRuns(ctx, listed)
		},
		func(ctx context.Context, r *rand.Rand) error {
			return f.db.NoteSwept(ctx, 1, store.TimeRange{From: hour(r.IntN(9)), To: hour(9 + r.IntN(9)), Certain: true, Onward: true})
		},
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(w)))
			for range rounds {
				begun.Add(1)
				i := r.IntN(len(acts))
				if err := acts[i](ctx, r); err != nil {
					t.Errorf("act %d: %v", i, err)
					return
				}
			}
		})
	}
	running.Wait()
	f.drain()
	if n := scalar[int](f, `SELECT count(*) FROM jobs j FULL JOIN job_logs l ON l.job_id = j.id WHERE j.id IS NULL OR l.job_id IS NULL`); n != 0 {
		t.Errorf("%d jobs and lines of the ledger have no counterpart", n)
	}
	if twice := scalar[int](f, `SELECT count(*) - count(DISTINCT args) FROM queue.river_job`); twice != 0 {
		t.Errorf("%d are enqueued twice", twice)
	}
}
