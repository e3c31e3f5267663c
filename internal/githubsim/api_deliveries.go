package githubsim

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// listDeliveries is GET …/deliveries. Unlike other lists it has no page numbers
// but a cursor, which the Link header tells.
func (s *Server) listDeliveries(c *call) {
	all := s.deliveriesFor(c.r)
	from := min(parseCursor(c.r), len(all))
	to := min(from+perPage(c.r), len(all))
	var list []object
	for _, d := range all[from:to] {
		list = append(list, d.object())
	}
	if to < len(all) {
		q := c.r.URL.Query()
		q.Set("cursor", fmt.Sprint(to))
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
	id := pathInt(c.r, "delivery_id")
	for _, d := range s.deliveriesFor(c.r) {
		if d.id == id {
			return d, true
		}
	}
	s.notFound(c.w, c.r)
	return sent{}, false
}
