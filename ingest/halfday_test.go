package ingest_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// settleAll archives what is known.
func (r *rig) settleAll() {
	r.T.Helper()
	r.Work()
	r.Await(time.Minute, ingesttest.Settled)
	r.StopWork()
}

// wantDay wants one day in the coverage, with a number of jobs, all of them settled.
func (r *rig) wantDay(when string, day time.Time, jobs int64, complete bool) {
	r.T.Helper()
	days, err := r.DB.Coverage(r.T.Context(), ingesttest.Repository.Owner+"/"+ingesttest.Repository.Name, time.Time{})
	r.Check(err)
	if len(days) != 1 || days[0].Day == nil || !days[0].Day.Equal(day) {
		r.T.Fatalf("%s: the coverage is %+v, want one row for %s", when, days, day)
	}
	d := days[0]
	if d.Pending > 0 || d.Denied > 0 || d.Jobs != jobs || d.Complete != complete {
		r.T.Errorf("%s: %+v, want %d jobs, complete %v", when, d, jobs, complete)
	}
}

// Yesterday is a day that is past for Postgres, whose clock no test moves.
func Yesterday() time.Time { return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1) }

// A past day that was swept until noon is not complete, though every job that is
// known is settled, and neither is it after a sweep that fails or is killed in its
// second half. The next sweep makes it complete.
func TestHalfSweptDayIsNotComplete(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		// fail spoils the next sweep.
		fail func(r *rig, kill func()) (remove func())
		// known are the jobs after that at least: those of the morning are five.
		known int64
	}{
		{"the listing fails", func(r *rig, _ func()) func() { return failAfter(r.GitHub, runsList, 0) }, 5},
		{"the second page fails", func(r *rig, _ func()) func() { return failAfter(r.GitHub, runsList, 1) }, 5 + 100},
		{"a run fails", func(r *rig, _ func()) func() { return failAfter(r.GitHub, attempts, 115) }, 5 + 110},
		{"killed in the middle", func(r *rig, kill func()) func() {
			var n atomic.Int64
			r.GitHub.OnRequest(func(e githubsim.Endpoint, _ *http.Request) {
				if e == attempts && n.Add(1) == 60 {
					kill()
				}
			})
			return func() { r.GitHub.OnRequest(nil) }
		}, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			now, day := ingesttest.NewClock(), Yesterday()
			now.Set(day.Add(12 * time.Hour))
			r := newRig(t, ingesttest.Options{Now: now.Now, GitHub: githubsim.Options{Now: now.Now}})
			repo := r.knowRepository()
			skippedRuns(r.GitHub, day.Add(10*time.Hour), 5)
			r.sweepRecent(repo)
			r.settleAll()
			r.wantDay("at noon", day, 5, false)

			skippedRunsFrom(r.GitHub, 100, day.Add(15*time.Hour), 120)
			now.Advance(13 * time.Hour)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			remove := c.fail(r, cancel)
			if _, err := r.Sweeper().Recent(ctx, repo, time.Time{}); err == nil {
				t.Fatal("the sweep succeeded")
			}
			remove()
			r.settleAll()
			known := int64(r.jobs())
			if known < c.known || known == 125 {
				t.Errorf("%d jobs are known: this shows nothing", known)
			}
			r.wantDay("after the failure", day, known, false)

			r.sweepRecent(repo)
			r.settleAll()
			r.wantDay("after the next sweep", day, 125, true)
		})
	}
}

// A day with more runs than one listing has is swept in parts: those that were
// count, and the day is complete with the last of them.
func TestDayIsSweptInParts(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	repo, day := r.knowRepository(), Yesterday()
	const runs = 1100
	// So many are not archived one by one: that is another matter.
	giveUp := func() {
		t.Helper()
		r.Exec(`UPDATE job_logs SET state = 'none', reason = 'skipped', settled_at = now() WHERE state = 'pending'`)
	}
	skippedRuns(r.GitHub, day.Add(12*time.Hour), runs)
	remove := failAfter(r.GitHub, attempts, 700)
	_, err := r.Sweeper().Backfill(t.Context(), repo, day, day.AddDate(0, 0, 1))
	remove()
	if err == nil {
		t.Fatal("the sweep succeeded")
	}
	left, err := r.DB.Unswept(t.Context(), repo.ID, day, day.AddDate(0, 0, 1), day.AddDate(0, 0, 1))
	r.Check(err)
	if len(left) != 1 || !left[0].From.After(day.Add(12*time.Hour)) || !left[0].To.Equal(day.AddDate(0, 0, 1)) {
		t.Fatalf("still to list: %+v", left)
	}
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs WHERE created_at < $1`, left[0].From); n != int(left[0].From.Sub(day.Add(12*time.Hour))/time.Second) {
		t.Errorf("%d jobs before %s, where what was swept ends", n, left[0].From)
	}
	giveUp()
	r.wantDay("after the failure", day, int64(r.jobs()), false)
	// The rest, and nothing else, is listed for all to be accounted for.
	for _, gap := range left {
		_, err := r.Sweeper().Backfill(t.Context(), repo, gap.From, gap.To)
		r.Check(err)
	}
	giveUp()
	r.wantDay("after the rest", day, runs, true)
	if left, err := r.DB.Unswept(t.Context(), repo.ID, day, day.AddDate(0, 0, 1), day.AddDate(0, 0, 1)); err != nil || len(left) > 0 {
		t.Errorf("still to list: %+v (%v)", left, err)
	}
}
