package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/store"
)

func (f *fixture) enqueueStale(now time.Time) int {
	f.t.Helper()
	n, err := f.db.EnqueueStale(f.t.Context(), now)
	f.check(err)
	return n
}

// aged is a job with its times; a zero one is null.
func aged(id int64, status string, created, started time.Time) store.Facts {
	return factsOf(id, status, func(f *store.Facts) {
		if !created.IsZero() {
			f.Job.CreatedAt = &created
		}
		if !started.IsZero() {
			f.Job.StartedAt = &started
		}
	})
}

// A job is asked after when it has been silent for longer than it can live: a day
// while it waits, six hours while it runs. Of one whose times are not known,
// nobody knows that it is younger.
func TestStaleByAge(t *testing.T) {
	now, never := hour(100), time.Time{}
	for i, c := range []struct {
		status           string
		created, started time.Time
		stale            bool
	}{
		{"queued", now.Add(-24 * time.Hour), never, false},
		{"queued", now.Add(-24*time.Hour - time.Second), never, true},
		{"queued", now.Add(-7 * time.Hour), now.Add(-7 * time.Hour), false},
		{"queued", now.Add(-25 * time.Hour), now, true}, // GitHub gives waiting jobs a start, too
		{"queued", never, never, true},
		{"queued", never, now, true},
		{"waiting", now.Add(-25 * time.Hour), never, true},
		{"requested", now.Add(-23 * time.Hour), never, false},
		{"unheard of", now.Add(-25 * time.Hour), never, true},
		{"unheard of", now.Add(-23 * time.Hour), never, false},
		{"in_progress", now.Add(-25 * time.Hour), now.Add(-6 * time.Hour), false},
		{"in_progress", now.Add(-25 * time.Hour), now.Add(-6*time.Hour - time.Second), true},
		{"in_progress", now.Add(-7 * time.Hour), never, true},
		{"in_progress", now.Add(-5 * time.Hour), never, false},
		{"in_progress", never, never, true},
		{"in_progress", never, now.Add(-time.Hour), false},
		{"completed", now.Add(-25 * time.Hour), now.Add(-25 * time.Hour), false},
		{"completed", never, never, false},
	} {
		t.Run(fmt.Sprint(i, " ", c.status), func(t *testing.T) {
			f := newFixture(t)
			f.fetch(aged(4, c.status, c.created, c.started))
			want, n := []string{}, 0
			if c.stale {
				want, n = []string{"4 in archive at 2, available"}, 1
			}
			if got := f.enqueueStale(now); got != n {
				t.Errorf("%d enqueued, want %d", got, n)
			}
			if diff := cmp.Diff(want, f.archiveRows()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if n := f.enqueueStale(now); n != 0 {
				t.Errorf("%d enqueued a second time", n)
			}
		})
	}
}

// A stale job whose log is settled is not asked after, nor one that a live row of
// the queue works for; one whose row has ended is asked after again.
func TestStaleOnlyIfOpenAndIdle(t *testing.T) {
	f := newFixture(t)
	var want []int64
	for i, state := range allStates {
		id := int64(i + 1)
		f.fetch(factsOf(id, "in_progress"))
		f.settle(settledAs(id, state))
		if state == store.LogPending || state == store.LogDenied {
			want = append(want, id)
		}
	}
	if n := f.enqueueStale(hour(1)); n != len(want) {
		t.Errorf("%d enqueued, want %d", n, len(want))
	}
	f.wantEnqueued(want...)
	for _, state := range liveStates {
		f.queueState(want[0], state)
		if n := f.enqueueStale(hour(1)); n != 0 {
			t.Errorf("%d enqueued beside one that is %s", n, state)
		}
	}
	for _, state := range doneStates {
		f.queueState(want[0], state)
		if n := f.enqueueStale(hour(1)); n != 1 {
			t.Errorf("%d enqueued after one that is %s", n, state)
		}
		f.exec(`DELETE FROM queue.river_job WHERE state = 'available' AND (args->>'job_id')::bigint = $1`, want[0])
	}
}

// More stale jobs than one transaction takes are all enqueued.
func TestStaleGoesOnUntilAllAreThere(t *testing.T) {
	f := newFixture(t)
	f.fetch(factsOf(1, "queued"))
	const jobs = 2001
	f.exec(`INSERT INTO jobs (id, run_id, repository_id, name, status) SELECT i, 2, 1, 'build', 'queued' FROM generate_series(2, $1::bigint) i`, jobs)
	f.exec(`INSERT INTO job_logs (job_id) SELECT id FROM jobs WHERE id > 1`)
	if n := f.enqueueStale(hour(1)); n != jobs || len(f.enqueued()) != jobs {
		t.Errorf("%d enqueued, %d are there, want %d", n, len(f.enqueued()), jobs)
	}
}
