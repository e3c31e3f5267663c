package githubsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// listDeliveries is GET …/deliveries. Unlike other lists it has no page numbers
// but a cursor, which the Link header tells.
func (s *Server) listDeliveries(c *call) {
	all, ok := s.deliveriesFor(c)
	if !ok {
		return
	}
	from := s.hook.after(c.r.URL.Query().Get("cursor"), all)
	to := min(from+s.perPage(c.r), len(all))
	var list []object
	for _, d := range all[from:to] {
		list = append(list, d.object())
	}
	if to < len(all) {
		q := c.r.URL.Query()
		q.Set("cursor", cursorOf(all[to-1]))
		c.w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, s.urlOf(c.r), q.Encode()))
	}
	s.writeJSON(c, http.StatusOK, list)
}

// getDelivery is GET …/deliveries/{delivery_id}, which also has the payload.
func (s *Server) getDelivery(c *call) {
	d, ok := s.findDelivery(c)
	if !ok {
		return
	}
	s.writeJSON(c, http.StatusOK, append(d.object(),
		member{"request", object{
			{"headers", object{{"X-GitHub-Delivery", d.Delivery.GUID}, {"X-GitHub-Event", d.Delivery.Event}}},
			{"payload", json.RawMessage(d.Delivery.Body)},
		}},
		member{"response", object{{"headers", object{}}, {"payload", ""}}}))
}

// createAttempt is POST …/deliveries/{delivery_id}/attempts: 202, and the
// delivery comes again some time later.
func (s *Server) createAttempt(c *call) {
	if d, ok := s.findDelivery(c); ok {
		s.redeliver(d.Delivery)
		writeBody(c.w, http.StatusAccepted, []byte("{}"))
	}
}

func (s *Server) findDelivery(c *call) (sent, bool) {
	all, ok := s.deliveriesFor(c)
	if !ok {
		return sent{}, false
	}
	i := slices.IndexFunc(all, func(d sent) bool { return d.id == pathInt(c.r, "delivery_id") })
	if i < 0 {
		s.notFound(c.w, c.r)
		return sent{}, false
	}
	return all[i], true
}

// deliveriesFor has what the path is about, newest first: a repository's
// deliveries, an organisation's, or the App's. For a repository that is not to be
// found it answers.
func (s *Server) deliveriesFor(c *call) ([]sent, bool) {
	seen := map[int64]bool{}
	if org := c.r.PathValue("org"); org != "" || strings.HasPrefix(c.r.URL.Path, "/app/") {
		for _, r := range s.world.allRepositories() {
			seen[r.ID] = org == "" || strings.EqualFold(org, r.Owner)
		}
	} else {
		r, ok := s.findRepository(c)
		if !ok {
			return nil, false
		}
		seen[r.ID] = true
	}
	oldest := s.now().Add(-hookRetention)
	s.hook.mu.Lock()
	defer s.hook.mu.Unlock()
	var out []sent
	for _, d := range slices.Backward(s.hook.log) {
		if seen[d.Delivery.RepositoryID] && !d.at.Before(oldest) {
			out = append(out, d)
		}
	}
	return out, true
}

// cursorOf names the last delivery of a page, so that the next page begins after
// it whatever was delivered since.
func cursorOf(last sent) string { return fmt.Sprintf("v1_%d", last.id) }

// after is the index at which the page after a cursor begins in a list that is
// newest first. What is no cursor is the list's top.
func (h *hook) after(cursor string, list []sent) int {
	digits, isCursor := strings.CutPrefix(cursor, "v1_")
	id, err := strconv.ParseInt(digits, 10, 64)
	if !isCursor || err != nil {
		return 0
	}
	last, ok := h.byID(id)
	if !ok {
		return 0
	}
	from := slices.IndexFunc(list, func(d sent) bool { return d.compare(last) < 0 })
	if from < 0 {
		return len(list)
	}
	return from
}
