package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jobvault/jobvault/store"
)

// States of River's jobs, by whether River still means to work on one.
var (
	liveStates = []string{"available", "pending", "retryable", "running", "scheduled"}
	doneStates = []string{"cancelled", "completed", "discarded"}
)

// enqueued are the jobs of River's rows of archive jobs that are live, each as often as it is
// there.
func (f *fixture) enqueued() []int64 {
	f.t.Helper()
	return column[int64](f, `
		SELECT (args->>'job_id')::bigint FROM queue.river_job WHERE kind = 'archive' AND state = ANY($1::text[]::queue.river_job_state[]) ORDER BY 1`, liveStates)
}

func (f *fixture) wantEnqueued(want ...int64) {
	f.t.Helper()
	if diff := cmp.Diff(want, f.enqueued(), cmpopts.EquateEmpty()); diff != "" {
		f.t.Errorf("enqueued (-want +got):\n%s", diff)
	}
}

// queueState has River's rows of a job be in a state.
func (f *fixture) queueState(job int64, state string) {
	f.t.Helper()
	f.exec(`
		UPDATE queue.river_job SET state = $2::text::queue.river_job_state, finalized_at = CASE WHEN $2::text = ANY($3) THEN now() END
		WHERE (args->>'job_id')::bigint = $1`, job, state, doneStates)
}

func TestJobIsEnqueuedExactlyWhenItIsCompletedAndPending(t *testing.T) {
	f := newFixture(t)
	f.tell(factsOf(1, "queued"), factsOf(2, "in_progress"), factsOf(3, "unheard of"))
	f.wantEnqueued()
	f.tell(factsOf(2, "completed"), factsOf(4, "completed"))
	f.wantEnqueued(2, 4)
	f.tell(factsOf(2, "queued")) // late, and nothing else happens
	f.wantEnqueued(2, 4)
	f.exec(`DELETE FROM queue.river_job`)
	for i, state := range allStates {
		id := int64(10 + i)
		f.completed(id)
		f.settle(settledAs(id, state))
		f.exec(`DELETE FROM queue.river_job`)
		f.tell(factsOf(id, "completed"))
		if state == store.LogPending {
			f.wantEnqueued(id)
		} else {
			f.wantEnqueued()
		}
	}
}

func TestArchiveJobIsAsTheWorkersExpectIt(t *testing.T) {
	f := newFixture(t)
	f.completed(3)
	got := scalar[string](f, `SELECT format('%s %s %s %s %s %s', kind, queue, args, state, max_attempts, attempt) FROM queue.river_job`)
	if want := fmt.Sprintf(`archive %s {"job_id": 3} available 25 0`, store.ArchiveQueue); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOneArchiveJobAtATime(t *testing.T) {
	f := newFixture(t)
	for _, state := range liveStates {
		f.exec(`DELETE FROM queue.river_job`)
		f.completed(3)
		f.queueState(3, state)
		f.tell(factsOf(3, "completed"))
		if got := scalar[string](f, `SELECT string_agg(state::text, ',') FROM queue.river_job`); got != state {
			t.Errorf("beside one that is %s: %s", state, got)
		}
	}
	for _, state := range doneStates {
		f.exec(`DELETE FROM queue.river_job`)
		f.completed(3)
		f.queueState(3, state)
		f.tell(factsOf(3, "completed"))
		if got := scalar[string](f, `SELECT string_agg(state::text, ',' ORDER BY id) FROM queue.river_job`); got != state+",available" {
			t.Errorf("after one that is %s: %s", state, got)
		}
	}
}

func (f *fixture) requeue() int {
	f.t.Helper()
	n, err := f.db.RequeuePending(f.t.Context())
	f.check(err)
	return n
}

func TestRequeueBringsBackWhatIsLostAndNothingElse(t *testing.T) {
	f := newFixture(t)
	var id int64
	want := []int64{}
	lost := 0
	for _, status := range []string{"queued", "in_progress", "completed"} {
		for _, ledger := range allStates {
			for _, queue := range slices.Concat([]string{"gone"}, liveStates, doneStates) {
				id++
				f.fetch(factsOf(id, "completed")) // fetching enqueues nothing
				f.exec(`UPDATE jobs SET status = $2 WHERE id = $1`, id, status)
				f.settle(settledAs(id, ledger))
				if queue != "gone" {
					f.exec(`INSERT INTO queue.river_job (kind, queue, args, max_attempts) VALUES ('archive', 'archive', jsonb_build_object('job_id', $1::bigint), 25)`, id)
					f.queueState(id, queue)
				}
				live := slices.Contains(liveStates, queue)
				forgotten := !live && status == "completed" && (ledger == store.LogPending || ledger == store.LogDenied)
				if live || forgotten {
					want = append(want, id)
				}
				if forgotten {
					lost++
				}
			}
		}
	}
	// River's rows of other kinds name no job.
	f.exec(`INSERT INTO queue.river_job (kind, args, max_attempts) VALUES ('requeue', '{}', 1), ('another', '{"job_id": "not a number"}', 1)`)
	if n := f.requeue(); n != lost {
		t.Errorf("brought back %d, want %d", n, lost)
	}
	got := column[int64](f, `
		SELECT (args->>'job_id')::bigint FROM queue.river_job
		WHERE kind = 'archive' AND state = ANY($1::text[]::queue.river_job_state[]) ORDER BY 1`, liveStates)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("enqueued (-want +got):\n%s", diff)
	}
	if n := f.requeue(); n != 0 {
		t.Errorf("brought back %d a second time", n)
	}
}

func TestRequeueGoesOnUntilAllIsBack(t *testing.T) {
	f := newFixture(t)
	f.completed(1)
	const jobs = 2001
	f.exec(`INSERT INTO jobs (id, run_id, repository_id, name, status) SELECT i, 2, 1, 'build', 'completed' FROM generate_series(2, $1::bigint) i`, jobs)
	f.exec(`INSERT INTO job_logs (job_id) SELECT id FROM jobs WHERE id > 1`)
	// Two replicas at once bring each back once.
	var running sync.WaitGroup
	for range 2 {
		running.Go(func() {
			if n, err := f.db.RequeuePending(t.Context()); err != nil {
				t.Errorf("after %d: %v", n, err)
			}
		})
	}
	running.Wait()
	if n := len(f.enqueued()); n != jobs {
		t.Errorf("%d enqueued, want %d", n, jobs)
	}
	if twice := scalar[int](f, `SELECT count(*) - count(DISTINCT args) FROM queue.river_job`); twice != 0 {
		t.Errorf("%d are there twice", twice)
	}
}
