package store_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/store"
)

// await polls Postgres until the query says true: what is waited for is what
// another connection waits for.
func (f *fixture) await(query string, args ...any) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !scalar[bool](f, "SELECT "+query, args...) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.t.Fatalf("never: %s", query)
		}
	}
}

// held is a drain that stands still where it understands.
type held struct {
	release func()
	done    chan []store.Verdict
}

// holdDrain returns when a drain of one batch has taken what it takes.
func (f *fixture) holdDrain(limit int) held {
	f.t.Helper()
	reached, released := make(chan struct{}), make(chan struct{})
	h := held{release: sync.OnceFunc(func() { close(released) }), done: make(chan []store.Verdict, 1)}
	f.t.Cleanup(h.release)
	go func() {
		defer close(h.done)
		verdicts, err := f.db.DrainDeliveries(f.t.Context(), limit, func(ds []store.Delivery) store.Interpretation {
			close(reached)
			<-released
			return believeLast(ds)
		})
		if err != nil {
			f.t.Error(err)
		}
		h.done <- verdicts
	}()
	<-reached
	return h
}

func TestDrainPassesOverWhatAnotherWorksOn(t *testing.T) {
	f := newFixture(t)
	first, second := deliveryOf(factsOf(1, "queued")), deliveryOf(factsOf(2, "queued"))
	f.insert(first, second)
	h := f.holdDrain(1)
	// The repository's row is not written yet, so that this one need not wait.
	if diff := cmp.Diff([]store.Verdict{{GUID: second.GUID}}, f.drainOnce(10, believeLast)); diff != "" {
		t.Errorf("taken beside the first (-want +got):\n%s", diff)
	}
	if more := f.drainOnce(10, believeLast); len(more) != 0 {
		t.Errorf("taken from the first: %v", more)
	}
	h.release()
	if diff := cmp.Diff([]store.Verdict{{GUID: first.GUID}}, <-h.done); diff != "" {
		t.Errorf("taken by the first (-want +got):\n%s", diff)
	}
}

// Whoever comes second to a job sees what the first one did.
func TestDrainsOfOneJobWaitForEachOther(t *testing.T) {
	f := newFixture(t)
	first, second := deliveryOf(factsOf(1, "queued")), deliveryOf(factsOf(1, "completed"))
	f.insert(first, second)
	h := f.holdDrain(1)
	handed := make(chan []store.Delivery, 1)
	var running sync.WaitGroup
	running.Go(func() {
		if _, err := f.db.DrainDeliveries(t.Context(), 10, func(ds []store.Delivery) store.Interpretation {
			handed <- ds
			return believeLast(ds)
		}); err != nil {
			t.Error(err)
		}
	})
	f.await(`EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`)
	select {
	case <-handed:
		t.Error("two work on one job at once")
	default:
	}
	h.release()
	<-h.done
	ds := <-handed
	running.Wait()
	if len(ds) != 2 || ds[0].State != store.DeliveryDone || ds[1].State != store.DeliveryReceived {
		t.Errorf("the second was handed %+v", ds)
	}
	if f.job(1).Status != "completed" {
		t.Error("the first had the last word")
	}
}

// unite understands deliveries made by deliveryOf as all steps and labels that
// any delivery of the job told of.
func unite(ds []store.Delivery) store.Interpretation {
	var u store.Interpretation
	place := make(map[int64]int)
	for _, d := range ds {
		one := believeLast([]store.Delivery{d})
		u.Verdicts = append(u.Verdicts, one.Verdicts...)
		i, known := place[*d.JobID]
		if !known {
			place[*d.JobID] = len(u.Facts)
			u.Facts = append(u.Facts, one.Facts...)
			continue
		}
		u.Facts[i].Steps = append(u.Facts[i].Steps, one.Facts[0].Steps...)
		u.Facts[i].Labels = append(u.Facts[i].Labels, one.Facts[0].Labels...)
	}
	return u
}

// Two drainers share jobs, a repository, runs and labels, in every order.
func TestDrainersAtOnceNeverDeadlockAndLoseNothing(t *testing.T) {
	f := newFixture(t)
	const rounds, perRound, jobs = 20, 40, 8
	names := []string{"linux", "x64", "gpu", "self-hosted", "arm64"}
	number := make(map[int64]int64) // steps so far, of each job
	for round := range rounds {
		var ds []store.Delivery
		for range perRound {
			id := rand.Int64N(jobs) + 1
			number[id]++
			ds = append(ds, deliveryOf(factsOf(id, "completed", func(f *store.Facts) {
				f.Repository.ID = id%3 + 1
				f.Repository.SeenAt = day.Add(time.Duration(round) * time.Hour)
				f.Job.RepositoryID, f.Run.RepositoryID = f.Repository.ID, f.Repository.ID
				f.Run.ID = id%2 + 10
				f.Run.RepositoryID, f.Job.RunID = 1, f.Run.ID
				f.Repository.Name = names[rand.IntN(len(names))]
				f.Steps = []store.Step{{JobID: id, Number: number[id], Name: "step", Status: "completed"}}
				f.Labels = []string{names[rand.IntN(len(names))]}
			})))
		}
		// The repository that all runs are of must be there for a batch without it.
		if round == 0 {
			f.tell(factsOf(jobs+1, "queued"))
		}
		rand.Shuffle(len(ds), func(i, j int) { ds[i], ds[j] = ds[j], ds[i] })
		f.insert(ds...)
		var running sync.WaitGroup
		for range 2 {
			running.Go(func() {
				for {
					verdicts, err := f.db.DrainDeliveries(t.Context(), 1+rand.IntN(12), unite)
					if err != nil {
						t.Error(err)
						return
					}
					if len(verdicts) == 0 {
						return
					}
				}
			})
		}
		running.Wait()
	}
	if n := len(f.waiting()); n != 0 {
		t.Errorf("%d deliveries wait", n)
	}
	for id, n := range number {
		if got := scalar[int64](f, `SELECT count(*) FROM steps WHERE job_id = $1`, id); got != n {
			t.Errorf("job %d has %d steps, want %d", id, got, n)
		}
	}
	want := scalar[string](f, `SELECT string_agg(id::text, ',' ORDER BY id) FROM jobs WHERE status = 'completed'`)
	if got := scalar[string](f, `SELECT string_agg(args->>'job_id', ',' ORDER BY args->>'job_id') FROM queue.river_job`); got != want {
		t.Errorf("enqueued: %s, completed: %s", got, want)
	}
	if n := scalar[int](f, `SELECT count(*) FROM jobs FULL JOIN job_logs ON job_id = id WHERE job_id IS NULL OR id IS NULL`); n != 0 {
		t.Errorf("%d jobs without a row in the ledger", n)
	}
}

// What the queue lost is brought back while late webhooks of the same jobs come
// in: both enqueue them.
func TestDrainAndRequeueAtOnceNeverDeadlock(t *testing.T) {
	f := newFixture(t)
	const rounds, jobs = 15, 300
	for id := range int64(jobs) {
		f.fetch(factsOf(id+1, "completed"))
	}
	// Else the rows lie in the order of their ids, and are read so.
	f.exec(`UPDATE jobs SET html_url = 'moved' WHERE random() < 0.5`)
	for range rounds {
		f.exec(`DELETE FROM queue.river_job`)
		var ds []store.Delivery
		for _, i := range rand.Perm(jobs) {
			ds = append(ds, deliveryOf(factsOf(int64(i+1), "completed")))
		}
		f.insert(ds...)
		var running sync.WaitGroup
		for range 2 {
			running.Go(func() {
				if _, err := f.db.RequeuePending(t.Context()); err != nil {
					t.Error(err)
				}
			})
			running.Go(func() {
				if _, err := f.db.DrainDeliveries(t.Context(), jobs/2, believeLast); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
		f.drain()
		if n := len(f.enqueued()); n != jobs {
			t.Errorf("%d enqueued, want %d", n, jobs)
		}
	}
}
