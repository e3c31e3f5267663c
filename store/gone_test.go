package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/store"
)

// look is one look at an attempt, some minutes after day.
type look struct {
	minute   int
	gone     bool
	complete bool
}

// looks records what was seen of attempt 1 of run 2, in order.
func (f *fixture) looks(ls ...look) {
	f.t.Helper()
	for _, l := range ls {
		a := attemptOf(2, 0, 0, l.complete)
		a.SweptAt, a.Gone = day.Add(time.Duration(l.minute)*time.Minute), l.gone
		if l.gone {
			a.Jobs = 0
		}
		f.attempt(a, store.PrioritySweep)
	}
}

// That a run is gone is believed when GitHub says so again, more than an hour
// after it said so first, and never said otherwise in between.
func TestGoneIsBelievedAfterAnHour(t *testing.T) {
	const gone, back, ended = true, false, true
	never := (*int)(nil)
	for _, c := range []struct {
		name     string
		looks    []look
		complete bool
		since    *int // minutes after day
	}{
		{"there", []look{{0, back, false}}, false, never},
		{"gone once", []look{{0, back, false}, {90, gone, false}}, false, new(90)},
		{"gone when first looked at", []look{{90, gone, false}}, false, new(90)},
		{"gone twice at once", []look{{90, gone, false}, {90, gone, false}}, false, new(90)},
		{"gone for less than an hour", []look{{0, gone, false}, {59, gone, false}}, false, new(0)},
		{"gone for an hour", []look{{0, gone, false}, {60, gone, false}}, false, new(0)},
		{"gone for longer", []look{{0, gone, false}, {61, gone, false}}, true, new(0)},
		{"gone for longer, looked at often", []look{{0, gone, false}, {30, gone, false}, {59, gone, false}, {61, gone, false}}, true, new(0)},
		{"gone at a single look long after", []look{{0, back, false}, {1000, gone, false}}, false, new(1000)},
		{"back", []look{{0, gone, false}, {30, back, false}}, false, never},
		{"back after an hour", []look{{0, gone, false}, {90, back, false}}, false, never},
		{"back, and gone again", []look{{0, gone, false}, {30, back, false}, {70, gone, false}}, false, new(70)},
		{"back, and gone again for less than an hour", []look{{0, gone, false}, {30, back, false}, {70, gone, false}, {120, gone, false}}, false, new(70)},
		{"back, and gone again for longer", []look{{0, gone, false}, {30, back, false}, {70, gone, false}, {131, gone, false}}, true, new(70)},
		{"back once it was believed", []look{{0, gone, false}, {61, gone, false}, {90, back, false}}, true, never},
		{"ended, then gone", []look{{0, back, ended}, {30, gone, false}}, true, new(30)},
		{"back, and ended", []look{{0, gone, false}, {30, back, ended}}, true, never},
		{"by a clock that goes back", []look{{300, gone, false}, {0, gone, false}}, false, new(300)},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.repository(1, "acme", "rocket")
			f.looks(c.looks...)
			if got := scalar[bool](f, `SELECT complete FROM run_attempts`); got != c.complete {
				t.Errorf("complete %v, want %v", got, c.complete)
			}
			since := scalar[*int](f, `SELECT extract(epoch FROM gone_at - $1)::integer / 60 FROM run_attempts`, day)
			if diff := cmp.Diff(c.since, since); diff != "" {
				t.Errorf("gone since (-want +got):\n%s", diff)
			}
		})
	}
}

// What was known of a run that is gone stays: its jobs, and how many they are.
func TestGoneForgetsNothing(t *testing.T) {
	f := newFixture(t)
	f.attempt(attemptOf(2, 0, 1, false), store.PrioritySweep, full(4, "completed", 1))
	for _, age := range []int{2, 4} {
		gone := attemptOf(2, 0, age, false)
		gone.Jobs, gone.Gone = 0, true
		f.attempt(gone, store.PrioritySweep)
	}
	if diff := cmp.Diff([]string{"2/1 of 1: 1 jobs, complete t, swept 4"}, f.attempts()); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(full(4, "completed", 1).Job, f.job(4), butFetchedAt); diff != "" {
		t.Errorf("its job (-want +got):\n%s", diff)
	}
	f.wantEnqueued(4)
}

// Each attempt is gone by itself, and is looked at again until that is believed.
func TestGoneAttemptIsOpenUntilBelieved(t *testing.T) {
	f := newFixture(t)
	f.repository(1, "acme", "rocket")
	list := func(attempt int64, age int, gone bool) {
		t.Helper()
		a := attemptOf(2, 0, age, false)
		a.RunAttempt, a.Gone = attempt, gone
		f.attempt(a, store.PrioritySweep)
	}
	wantOpen := func(when string, want ...int64) {
		t.Helper()
		open, err := f.db.OpenAttempts(t.Context(), 1, hour(100), false, 10)
		f.check(err)
		got := []int64{}
		for _, a := range open {
			got = append(got, a.RunAttempt)
		}
		if diff := cmp.Diff(append([]int64{}, want...), got); diff != "" {
			t.Errorf("open when %s (-want +got):\n%s", when, diff)
		}
		complete, err := f.db.CompleteAttempts(t.Context(), []int64{2})
		f.check(err)
		for attempt := int64(1); attempt <= 2; attempt++ {
			if complete[2][attempt] == (len(want) == 2 || want[0] == attempt) {
				t.Errorf("when %s, attempt %d is complete: %v", when, attempt, complete[2][attempt])
			}
		}
	}
	list(1, 1, true)
	list(2, 2, false)
	wantOpen("the first is gone", 1, 2)
	list(2, 3, true)
	wantOpen("both are", 1, 2)
	list(1, 4, true)
	wantOpen("the first is gone for three hours", 2)
	list(2, 4, true)
	list(2, 5, true)
	if open, err := f.db.OpenAttempts(t.Context(), 1, hour(100), false, 10); err != nil || len(open) != 0 {
		t.Errorf("both are gone for long, and open are %+v (%v)", open, err)
	}
}

// A day with a run that is gone is complete once that is believed.
func TestCoverageWithAGoneRun(t *testing.T) {
	f := newFixture(t)
	f.fetch(made(1, 1, "rocket", midnight(0)))
	f.settle(settledAs(1, store.LogNone))
	f.check(f.db.NoteSwept(t.Context(), 1, store.TimeRange{From: midnight(0), To: midnight(1), Certain: true}))
	f.looks(look{0, false, false})
	for _, c := range []struct {
		look look
		want bool
	}{
		{look{30, true, false}, false}, {look{80, true, false}, false}, {look{100, false, false}, false},
		{look{110, true, false}, false}, {look{171, true, false}, true},
	} {
		f.looks(c.look)
		if got := f.coverage("", time.Time{}); len(got) != 1 || got[0].Complete != c.want {
			t.Errorf("after %d minutes: %+v, want complete %v", c.look.minute, got, c.want)
		}
	}
}
