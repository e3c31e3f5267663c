package upkeep_test

import (
	"slices"
	"testing"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/store"
)

// What looks for rows that a wrong clock or a lost claim has left knows every queue, and
// every kind of work that River does not rescue soon.
func TestEveryQueueIsLookedAfter(t *testing.T) {
	for _, p := range []ingest.Periodic{(&upkeep.Manifests{}).Periodic(), (&upkeep.Remover{}).Periodic(nil)} {
		if kind := p.Args.Kind(); !slices.Contains(store.Queues, p.Queue) || !slices.Contains(store.LongWork, kind) {
			t.Errorf("store.Queues lacks %s, or store.LongWork %s", p.Queue, kind)
		}
	}
}
