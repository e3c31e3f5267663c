package bucket

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Who is told to stop cleans up for a moment only, however long the server hangs; who is not
// has the whole time.
func TestCleaningUpEndsAMomentAfterAStop(t *testing.T) {
	for name, c := range map[string]struct {
		stop bool
		want time.Duration
	}{"stopped": {true, moment}, "not stopped": {false, time.Minute}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				clean, end := finishing(ctx, time.Minute)
				defer end()
				if c.stop {
					cancel()
				}
				began := time.Now()
				<-clean.Done()
				if took := time.Since(began); took != c.want {
					t.Errorf("it ended after %s, want %s", took, c.want)
				}
			})
		})
	}
}
