package ingest

import (
	"slices"
	"testing"
	"time"

	"github.com/jobvault/jobvault/store"
)

// What looks for rows that a wrong clock or a lost claim has left knows every queue, and
// every kind of work that River does not rescue soon.
func TestEveryQueueIsLookedAfter(t *testing.T) {
	queues := []string{store.ArchiveArgs{}.InsertOpts().Queue}
	timeouts := map[string]time.Duration{store.ArchiveArgs{}.Kind(): (&Archiver{}).Timeout(nil)}
	for _, p := range (WorkersConfig{Archiver: &Archiver{}, Reconciler: &Reconciler{}}).periodic() {
		queues = append(queues, p.Queue)
		timeouts[p.Args.Kind()] = p.Timeout
	}
	for _, queue := range queues {
		if queue != "" && !slices.Contains(store.Queues, queue) {
			t.Errorf("store.Queues lacks %s", queue)
		}
	}
	for kind, timeout := range timeouts {
		if long := timeout <= 0 || timeout > time.Hour; long != slices.Contains(store.LongWork, kind) {
			t.Errorf("%s has the time-out %s, and store.LongWork has it: %t", kind, timeout, !long)
		}
	}
}
