package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/store"
)

// claim announces a worker. The function ends it; the test's end does at the
// latest.
func (f *fixture) claim(id string) (c *store.Claimant, die func()) {
	f.t.Helper()
	c, err := f.db.NewClaimant(f.t.Context(), id)
	f.check(err)
	die = sync.OnceFunc(func() { _ = c.Close(context.Background()) })
	f.t.Cleanup(die)
	return c, die
}

// queued makes a row of River's as its worker left it.
func (f *fixture) queued(job int, state string, attempt int, attemptedBy ...string) {
	f.t.Helper()
	f.exec(`
		INSERT INTO queue.river_job (kind, queue, args, max_attempts, state, attempt, attempted_by, attempted_at, scheduled_at, finalized_at)
		VALUES ('archive', 'archive', jsonb_build_object('job_id', $1::bigint), 25, $2::text::queue.river_job_state, $3, $4, now(),
			now() - interval '1 day', CASE WHEN $2::text = ANY($5) THEN now() END)`, job, state, attempt, attemptedBy, doneStates)
}

// queueRows are River's rows as "job state attempt", with a mark on those that
// are due now.
func (f *fixture) queueRows() []string {
	f.t.Helper()
	return column[string](f, `
		SELECT format('%s %s %s', args->>'job_id', state, attempt) || CASE WHEN scheduled_at > now() - interval '1 hour' THEN ' now' ELSE '' END
		FROM queue.river_job ORDER BY id`)
}

func (f *fixture) wantReleased(c *store.Claimant, want int64) {
	f.t.Helper()
	n, err := c.ReleaseDead(f.t.Context())
	f.check(err)
	if n != want {
		f.t.Errorf("released %d, want %d", n, want)
	}
}

func TestOnlyTheJobsOfDeadWorkersAreGivenBack(t *testing.T) {
	f := newFixture(t)
	me, _ := f.claim("me")
	f.claim("it's alive")
	f.queued(1, "running", 1, "dead")
	f.queued(2, "running", 7, "it's alive", "dead")
	f.queued(3, "running", 0, "dead too")
	f.queued(4, "running", 2, "dead", "it's alive")
	f.queued(5, "running", 1, "it's alive")
	f.queued(6, "running", 1, "me")
	f.queued(7, "available", 1, "dead")
	f.queued(8, "retryable", 1, "dead")
	f.queued(9, "completed", 1, "dead")
	f.queued(10, "running", 1)
	f.wantReleased(me, 3)
	want := []string{
		"1 available 0 now", "2 available 6 now", "3 available 0 now", "4 running 2", "5 running 1", "6 running 1", "7 available 1",
		"8 retryable 1", "9 completed 1", "10 running 1",
	}
	if diff := cmp.Diff(want, f.queueRows()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	f.wantReleased(me, 0)
}

// If Postgres goes away before the answer to a claim arrives, a row says running and
// nobody runs it: it is given back.
func TestAWorkersOwnLostClaimsAreGivenBack(t *testing.T) {
	f := newFixture(t)
	me, _ := f.claim("me")
	f.claim("another")
	for job := 1; job <= 3; job++ {
		f.queued(job, "running", 2, "me")
	}
	f.queued(4, "running", 2, "another")
	f.queued(5, "retryable", 2, "me")
	f.exec(`UPDATE queue.river_job SET attempted_at = now() - interval '2 minutes' WHERE args->>'job_id' <> '3'`) // 3 is claimed just now
	running := column[int64](f, `SELECT id FROM queue.river_job WHERE args->>'job_id' = '2'`)
	n, err := me.ReleaseLost(t.Context(), running)
	f.check(err)
	if n != 1 {
		t.Errorf("released %d, want 1", n)
	}
	for _, kind := range store.LongWork {
		f.exec(`UPDATE queue.river_job SET kind = $1, state = 'running' WHERE args->>'job_id' = '1'`, kind)
		if n, err := me.ReleaseLost(t.Context(), running); err != nil || n != 1 {
			t.Errorf("%s: released %d, %v", kind, n, err)
		}
	}
	f.exec(`UPDATE queue.river_job SET kind = 'archive', attempt = 1 WHERE args->>'job_id' = '1'`)
	want := []string{"1 available 1 now", "2 running 2", "3 running 2", "4 running 2", "5 retryable 2"}
	if diff := cmp.Diff(want, f.queueRows()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAWorkerThatClosesOrIsCutOffIsDead(t *testing.T) {
	f := newFixture(t)
	me, _ := f.claim("me")
	_, die := f.claim("closes")
	f.claim("cut off")
	f.queued(1, "running", 1, "closes")
	f.queued(2, "running", 1, "cut off")
	f.wantReleased(me, 0)
	die()
	f.awaitGone("closes")
	f.wantReleased(me, 1)
	f.exec(`
		SELECT pg_terminate_backend(pid) FROM pg_locks
		WHERE locktype = 'advisory' AND (classid::bigint << 32 | objid::bigint) = hashtextextended('jobvault worker cut off', 0)`)
	f.awaitGone("cut off")
	f.wantReleased(me, 1)
	if diff := cmp.Diff([]string{"1 available 0 now", "2 available 0 now"}, f.queueRows()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// awaitGone returns when a worker's lock is gone: Postgres takes a moment to
// see the end of a connection.
func (f *fixture) awaitGone(id string) {
	f.t.Helper()
	f.await(`NOT EXISTS (SELECT FROM pg_locks
		WHERE locktype = 'advisory' AND (classid::bigint << 32 | objid::bigint) = hashtextextended('jobvault worker ' || $1, 0))`, id)
}

func TestAnIDIsTakenUntilItsWorkerIsGone(t *testing.T) {
	f := newFixture(t)
	_, die := f.claim("worker")
	if _, err := f.db.NewClaimant(t.Context(), "worker"); err == nil {
		t.Error("two workers have one id")
	}
	f.claim("another")
	die()
	f.awaitGone("worker")
	f.claim("worker")
}

func TestALookAtALiveWorkerTakesNothingFromIt(t *testing.T) {
	f := newFixture(t)
	me, _ := f.claim("me")
	other, _ := f.claim("other")
	f.queued(1, "running", 1, "me")
	f.queued(2, "running", 1, "other")
	f.queued(3, "running", 1, "dead")
	for range 3 {
		_, err := me.ReleaseDead(t.Context())
		f.check(err)
		_, err = other.ReleaseDead(t.Context())
		f.check(err)
	}
	// Also the lock of the dead one is free again.
	f.claim("dead")
	if diff := cmp.Diff([]string{"1 running 1", "2 running 1", "3 available 0 now"}, f.queueRows()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAWorkerWhoseConnectionIsLostIsTold(t *testing.T) {
	f := newFixture(t)
	me, die := f.claim("me")
	f.queued(1, "running", 1, "dead")
	f.exec(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`)
	if n, err := me.ReleaseDead(t.Context()); err == nil {
		t.Errorf("released %d without a connection", n)
	}
	die()
	f.awaitGone("me")
	me, _ = f.claim("me")
	f.wantReleased(me, 1)
}

// If all see a dead worker at once, each of its jobs is given back once.
func TestManyLookersGiveEachJobBackOnce(t *testing.T) {
	f := newFixture(t)
	const jobs = 20
	for i := range jobs {
		f.queued(i, "running", 3, fmt.Sprint("dead ", i%4))
	}
	var mu sync.Mutex
	var total int64
	var running sync.WaitGroup
	for i := range 6 {
		c, _ := f.claim(fmt.Sprint("alive ", i))
		running.Go(func() {
			n, err := c.ReleaseDead(t.Context())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			total += n
		})
	}
	running.Wait()
	if total != jobs {
		t.Errorf("%d given back, want %d", total, jobs)
	}
	for _, row := range f.queueRows() {
		var job, attempt int
		var state, due string
		if _, err := fmt.Sscan(row, &job, &state, &attempt, &due); err != nil || state != "available" || attempt != 2 {
			t.Errorf("%s", row)
		}
	}
}
