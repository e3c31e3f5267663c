package growth

import (
	"testing"
	"time"
)

// recorder is a test that notes whether it failed.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }

// work takes time in proportion to n.
func work(n int) func() {
	b := make([]byte, n)
	return func() {
		for range 500 {
			for i := range b {
				b[i]++
			}
		}
	}
}

func TestLinearTellsQuadratic(t *testing.T) {
	linear, quadratic := &recorder{TB: t}, &recorder{TB: t}
	Linear(linear, 2000, work)
	Linear(quadratic, 40, func(n int) func() { return work(n * n) })
	if linear.failed || !quadratic.failed {
		t.Errorf("linear failed: %t, quadratic failed: %t", linear.failed, quadratic.failed)
	}
}

func TestRatioTellsWhatIsSlower(t *testing.T) {
	alike, slower := &recorder{TB: t}, &recorder{TB: t}
	Ratio(alike, 5, work(20_000), work(40_000))
	Ratio(slower, 5, work(4_000), work(80_000))
	if alike.failed || !slower.failed {
		t.Errorf("alike failed: %t, slower failed: %t", alike.failed, slower.failed)
	}
}

func TestWithinTellsWhatTakesTooLong(t *testing.T) {
	for _, c := range []struct {
		ago  time.Duration
		n    int
		late bool
	}{{time.Second, 0, false}, {3 * time.Second, 0, true}, {3 * time.Second, 100_000, false}, {9 * time.Second, 100_000, true}} {
		r := &recorder{TB: t}
		Within(r, time.Now().Add(-c.ago), c.n)
		if r.failed != c.late {
			t.Errorf("%d bytes in %s: failed %t", c.n, c.ago, r.failed)
		}
	}
}
