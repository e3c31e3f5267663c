// Package growth tells, in tests of parsers, whether the time that a function takes
// grows in proportion to what it is given.
package growth

import (
	"testing"
	"time"
)

const (
	factor  = 8
	allowed = factor * 4 // of the time; quadratic growth is factor * factor
	noise   = 5 * time.Millisecond
	tries   = 4
)

// Linear fails the test if what prepare makes of eight times n takes much longer than
// eight times as long as what it makes of n, which must not have others work for it. It
// takes the best of several runs, and looks again before it says so: other work on the
// machine only ever adds.
func Linear(t testing.TB, n int, prepare func(n int) func()) {
	t.Helper()
	small, large := prepare(n), prepare(factor*n)
	var short, long time.Duration
	for range tries {
		short, long = best(small), best(large)
		if long < noise || long < allowed*short {
			return
		}
	}
	t.Errorf("%d times as much takes %.0f times as long: %s, and %s for %d", factor, float64(long)/float64(short), long, short, n)
}

func best(f func()) time.Duration {
	least := time.Duration(-1)
	for range 3 {
		if took := spent(f); least < 0 || took < least {
			least = took
		}
	}
	return least
}

// Within fails a fuzz target whose input of n bytes took longer than any such input
// may, even on a busy machine: two seconds, and 20 µs for each byte. Call it deferred,
// with the time of the beginning.
func Within(t testing.TB, begun time.Time, n int) {
	t.Helper()
	if took, most := time.Since(begun), 2*time.Second+time.Duration(n)*20*time.Microsecond; took > most {
		t.Errorf("%d bytes took %s, more than %s", n, took, most)
	}
}

// Ratio fails the test if f takes more than max times as long as base, which both work alone.
// It takes the best of several runs, and looks again before it says so, as Linear does.
func Ratio(t testing.TB, max float64, base, f func()) {
	t.Helper()
	var short, long time.Duration
	for range tries {
		short, long = best(base), best(f)
		if long < noise || float64(long) < max*float64(short) {
			return
		}
	}
	t.Errorf("takes %.0f times as long: %s, and not %s", float64(long)/float64(short), long, short)
}
