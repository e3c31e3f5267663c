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

func TestLinearTellsQuadratic(t *testing.T) {
	work := func(n int) func() {
		b := make([]byte, n)
		return func() {
			for range 500 {
				for i := range b {
					b[i]++
				}
			}
		}
	}
	linear, quadratic := &recorder{TB: t}, &recorder{TB: t}
	Linear(linear, 2000, work)
	Linear(quadratic, 40, func(n int) func() { return work(n * n) })
	if linear.failed || !quadratic.failed {
		t.Errorf("linear failed: %t, quadratic failed: %t", linear.failed, quadratic.failed)
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
