package ingest

import (
	"sync"
	"time"

	"github.com/jobvault/jobvault/store"
)

// goneFor is how long GitHub is not asked again for a nameless repository that it did not
// find.
const goneFor = 24 * time.Hour

// notFoundCache remembers repositories that GitHub did not find. A name may be used again any
// number of times, and each leaves one that would cost two requests in every round. The zero value is ready; it may be used by several goroutines.
type notFoundCache struct {
	mu    sync.Mutex
	since map[int64]notFound // by repository id
}

// notFound is when GitHub did not find a repository, and what was known of it then.
type notFound struct{ at, namedAt time.Time }

// has says whether GitHub did not find a repository within a time, and has not told of it
// since.
func (g *notFoundCache) has(r store.Repository, now time.Time, within time.Duration) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, ok := g.since[r.ID]
	return ok && n.namedAt.Equal(r.NamedAt) && now.Sub(n.at) < within
}

// note remembers that GitHub did not find a repository.
func (g *notFoundCache) note(r store.Repository, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.since == nil {
		g.since = make(map[int64]notFound)
	}
	g.since[r.ID] = notFound{at: now, namedAt: r.NamedAt}
}

// keep forgets all but these: what is remembered is never more than the repositories
// that have no name.
func (g *notFoundCache) keep(nameless map[int64]bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id := range g.since {
		if !nameless[id] {
			delete(g.since, id)
		}
	}
}
