package ingest

import (
	"slices"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"github.com/jobvault/jobvault/store"
)

// What looks for rows that a wrong clock or a lost claim has left knows every queue, and
// every kind of work that River does not rescue soon.
func TestEveryQueueIsLookedAfter(t *testing.T) {
	for _, args := range []river.JobArgsWithInsertOpts{store.ArchiveArgs{}, reconcileArgs{}, requeueArgs{}, rollUpArgs{}} {
		queue := args.InsertOpts().Queue
		if queue != "" && !slices.Contains(store.Queues, queue) {
			t.Errorf("store.Queues lacks %s", queue)
		}
	}
	for kind, timeout := range map[string]time.Duration{
		store.ArchiveArgs{}.Kind(): (&Archiver{}).Timeout(nil), reconcileArgs{}.Kind(): (&Reconciler{}).Timeout(nil), requeueArgs{}.Kind(): (&requeuer{}).Timeout(nil), rollUpArgs{}.Kind(): (&rollUpWorker{}).Timeout(nil),
	} {
		if long := timeout < 0 || timeout > time.Hour; long != slices.Contains(store.LongWork, kind) {
			t.Errorf("%s has the time-out %s, and store.LongWork has it: %t", kind, timeout, !long)
		}
	}
}
