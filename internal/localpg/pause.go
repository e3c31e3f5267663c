package localpg

import (
	"context"
	"time"
)

// pause waits between two tries, longer each time.
type pause struct{ next time.Duration }

func newPause() *pause { return &pause{10 * time.Millisecond} }

// wait returns ctx's error if that ends first.
func (p *pause) wait(ctx context.Context) error {
	timer := time.NewTimer(p.next)
	defer timer.Stop()
	p.next = min(2*p.next, 500*time.Millisecond)
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
