package githubsim

import "context"

// redeliver sends a delivery again, in its own time, and records what came of it.
// The GUID stays the same. Without a receiver nothing comes of it.
func (s *Server) redeliver(d Delivery) {
	h := s.hook
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.url == "" || h.closed {
		return
	}
	url, secret := h.url, h.secret
	h.underWay++
	go func() {
		defer h.redelivered()
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
			h.record(r, s.now(), true)
		}
	}()
}

func (h *hook) redelivered() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.underWay--
	h.idle.Broadcast()
}

// AwaitRedeliveries blocks until every redelivery that was asked for has been
// answered, or has failed, and is recorded.
func (s *Server) AwaitRedeliveries() { s.hook.await() }

func (h *hook) await() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.underWay > 0 {
		h.idle.Wait()
	}
}

// close waits for redeliveries; there are none afterwards.
func (h *hook) close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.await()
}
