package store_test

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/store"
)

// limitOf is a limit with every value set.
func limitOf(installation int64) store.RateLimit {
	return store.RateLimit{
		InstallationID: installation, RequestLimit: 5000, Remaining: 4990, ResetAt: day.Add(time.Hour), Guessed: true,
		ClosedUntil: day.Add(time.Minute), MinuteAt: day, MinutePoints: 10,
	}
}

func (f *fixture) limit(installation int64) store.RateLimit {
	f.t.Helper()
	r, err := f.db.RateLimit(f.t.Context(), installation)
	f.check(err)
	return r
}

func (f *fixture) saveLimit(r store.RateLimit) bool {
	f.t.Helper()
	saved, err := f.db.SaveRateLimit(f.t.Context(), r)
	f.check(err)
	return saved
}

// A limit is written only by who has read what is there, and read as written.
func TestRateLimitIsComparedAndSwapped(t *testing.T) {
	f := newFixture(t)
	if diff := cmp.Diff(store.RateLimit{InstallationID: 5}, f.limit(5)); diff != "" {
		t.Errorf("of nothing (-want +got):\n%s", diff)
	}
	first := limitOf(5)
	if !f.saveLimit(first) {
		t.Fatal("the first is not written")
	}
	want := first
	want.Version = 1
	if diff := cmp.Diff(want, f.limit(5)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Who knew nothing, who knows something older, and who knows the future.
	for _, version := range []int64{0, 2, -1} {
		other := store.RateLimit{InstallationID: 5, Version: version}
		if f.saveLimit(other) {
			t.Errorf("version %d wrote over version 1", version)
		}
	}
	if diff := cmp.Diff(want, f.limit(5)); diff != "" {
		t.Errorf("after those in vain (-want +got):\n%s", diff)
	}
	// Times that are not known are not lost either.
	bare := store.RateLimit{InstallationID: 5, Remaining: -3, Version: 1}
	if !f.saveLimit(bare) || f.saveLimit(bare) {
		t.Error("version 1 is written once")
	}
	got := f.limit(5)
	if !got.ResetAt.IsZero() || !got.ClosedUntil.IsZero() || !got.MinuteAt.IsZero() || got.Remaining != -3 || got.Version != 2 {
		t.Errorf("read back as %+v", got)
	}
}

// What is not there cannot be changed: its table is empty after a crash.
func TestRateLimitThatIsGoneIsNotChanged(t *testing.T) {
	f := newFixture(t)
	r := limitOf(5)
	r.Version = 9
	if f.saveLimit(r) || f.limit(5).Version != 0 {
		t.Error("written over nothing")
	}
}

// The version is large enough to count requests for years.
func TestRateLimitVersionMayBeLarge(t *testing.T) {
	f := newFixture(t)
	f.saveLimit(limitOf(5))
	f.exec(`UPDATE rate_limits SET version = $1`, int64(math.MaxInt32)+5)
	if !f.saveLimit(f.limit(5)) {
		t.Error("not written")
	}
}

// Of many who count at once none is lost, and only one is the first.
func TestRateLimitLosesNoUpdate(t *testing.T) {
	f := newFixture(t)
	const writers, each = 8, 25
	var first atomic.Int64
	var running sync.WaitGroup
	for range writers {
		running.Go(func() {
			for range each {
				for saved := false; !saved; {
					r, err := f.db.RateLimit(t.Context(), 5)
					if err == nil {
						if r.Version == 0 {
							r = limitOf(5)
							r.MinutePoints = 0
						}
						r.MinutePoints++
						saved, err = f.db.SaveRateLimit(t.Context(), r)
					}
					if err != nil {
						t.Error(err)
						return
					}
					if saved && r.Version == 0 {
						first.Add(1)
					}
				}
			}
		})
	}
	running.Wait()
	if r := f.limit(5); r.MinutePoints != writers*each || r.Version != writers*each || first.Load() != 1 {
		t.Errorf("%d points, version %d, %d firsts; want %d, %d, 1", r.MinutePoints, r.Version, first.Load(), writers*each, writers*each)
	}
}

// Each installation has a limit of its own.
func TestRateLimitsAreListedByInstallation(t *testing.T) {
	f := newFixture(t)
	list := func() []store.RateLimit {
		t.Helper()
		all, err := f.db.RateLimits(t.Context())
		f.check(err)
		return all
	}
	if all := list(); len(all) != 0 {
		t.Errorf("of nothing: %+v", all)
	}
	var want []store.RateLimit
	for _, id := range []int64{9_000_000_000, 0, 5} {
		f.saveLimit(limitOf(id))
	}
	for _, id := range []int64{0, 5, 9_000_000_000} {
		r := limitOf(id)
		r.Version = 1
		want = append(want, r)
	}
	if diff := cmp.Diff(want, list()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
