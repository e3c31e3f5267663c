package githubsim

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// hookRetention is how long GitHub remembers what it has delivered.
const hookRetention = 72 * time.Hour

// hook is the one webhook there is, and what was delivered to it.
type hook struct {
	mu          sync.Mutex
	url, secret string
	log         []sent // oldest first
	redelivery  sync.WaitGroup
	closed      bool
}

// sent is one attempt to deliver.
type sent struct {
	SendResult
	id         int64
	at         time.Time
	redelivery bool
}

// SetHook says where redeliveries go and what signs them.
func (s *Server) SetHook(url, secret string) {
	s.hook.mu.Lock()
	defer s.hook.mu.Unlock()
	s.hook.url, s.hook.secret = url, secret
}

// Record makes the results of Send known to the deliveries API, as delivered
// now. The API lists them for three days.
func (s *Server) Record(results ...SendResult) {
	for _, r := range results {
		s.record(r, false)
	}
}

func (s *Server) record(r SendResult, again bool) {
	s.hook.mu.Lock()
	defer s.hook.mu.Unlock()
	s.hook.log = append(s.hook.log, sent{
		SendResult: r,
		id:         70_000_000_000 + int64(len(s.hook.log)),
		at:         s.now().UTC().Truncate(time.Second),
		redelivery: again,
	})
}

// deliveriesFor has what the caller of a request may see, newest first: a
// repository's deliveries, an organisation's, or the App's.
func (s *Server) deliveriesFor(r *http.Request) []sent {
	seen := map[int64]bool{}
	for _, repo := range s.world.allRepositories() {
		owner, name := r.PathValue("owner"), r.PathValue("repo")
		if name == "" {
			owner, name = r.PathValue("org"), repo.Name
		}
		if owner == "" || nameKey(owner, name) == nameKey(repo.Owner, repo.Name) {
			seen[repo.ID] = true
		}
	}
	oldest := s.now().Add(-hookRetention)
	s.hook.mu.Lock()
	defer s.hook.mu.Unlock()
	var out []sent
	for i := len(s.hook.log) - 1; i >= 0; i-- {
		if d := s.hook.log[i]; seen[d.Delivery.RepositoryID] && !d.at.Before(oldest) {
			out = append(out, d)
		}
	}
	return out
}

// redeliver sends a delivery again, in its own time, and records what came of it.
// The GUID stays the same.
func (s *Server) redeliver(d Delivery) {
	h := &s.hook
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.url == "" || h.closed {
		return
	}
	url, secret := h.url, h.secret
	h.redelivery.Go(func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() {
			select {
			case <-s.closing:
				cancel()
			case <-ctx.Done():
			}
		}()
		for _, r := range Send(ctx, url, []Delivery{d}, SendOptions{Secret: secret}) {
			s.record(r, true)
		}
	})
}

// close waits for redeliveries; there are none afterwards.
func (h *hook) close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.redelivery.Wait()
}

// object is a delivery as lists have it.
func (d sent) object() object {
	status := http.StatusText(d.Status)
	switch {
	case d.Err != nil:
		status = "failed to connect to host"
	case d.Status/100 == 2:
		status = "OK"
	}
	return object{
		{"id", d.id},
		{"guid", d.Delivery.GUID},
		{"delivered_at", d.at},
		{"redelivery", d.redelivery},
		{"duration", 0.27},
		{"status", status},
		{"status_code", d.Status},
		{"event", d.Delivery.Event},
		{"action", orNull(d.Delivery.Action)},
		{"installation_id", nil},
		{"repository_id", d.Delivery.RepositoryID},
		{"throttled_at", nil},
	}
}

// parseCursor is the index at which a page of deliveries begins.
func parseCursor(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Query().Get("cursor"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}
