package ingest_test

import (
	"testing"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// The queue and GitHub's limit know one order of priorities, by the same numbers: neither
// package can import the other, and one type is converted to the other.
func TestPrioritiesOfTheQueueAreThoseOfTheLimit(t *testing.T) {
	for queue, limit := range map[store.Priority]ghapi.Priority{
		store.PriorityLive: ghapi.Live, store.PrioritySweep: ghapi.Sweep, store.PriorityBackfill: ghapi.Backfill,
	} {
		if ghapi.Priority(queue) != limit {
			t.Errorf("%d in the queue is %d at the limit", queue, limit)
		}
	}
}
