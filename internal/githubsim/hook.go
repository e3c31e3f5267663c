package githubsim

import (
	"cmp"
	"net/http"
	"slices"
	"sync"
	"time"
)

// hookRetention is how long GitHub remembers what it has delivered.
const hookRetention = 72 * time.Hour

// firstDelivery is the id of the first delivery; they count upwards.
const firstDelivery = 70_000_000_000

// hook is the one webhook there is, and what was delivered to it.
type hook struct {
	mu          sync.Mutex
	url, secret string
	log         []sent // oldest first
	underWay    int    // redeliveries
	idle        *sync.Cond
	closed      bool
}

func newHook() *hook {
	h := &hook{}
	h.idle = sync.NewCond(&h.mu)
	return h
}

// sent is one attempt to deliver.
type sent struct {
	SendResult
	id         int64
	at         time.Time
	redelivery bool
}

// compare orders by time, then by id: oldest first.
func (d sent) compare(other sent) int {
	return cmp.Or(d.at.Compare(other.at), cmp.Compare(d.id, other.id))
}

// SetHook says where redeliveries go and what signs them.
func (s *Server) SetHook(url, secret string) {
	s.hook.mu.Lock()
	defer s.hook.mu.Unlock()
	s.hook.url, s.hook.secret = url, secret
}

// Record makes the results of Send known to the deliveries API, as delivered
// now. The API lists them for three days.
func (s *Server) Record(results ...SendResult) { s.RecordAt(s.now(), results...) }

// RecordAt is Record for deliveries of another time, cut to the second. The API
// lists by time, newest first, in whatever order they are recorded.
func (s *Server) RecordAt(at time.Time, results ...SendResult) {
	for _, r := range results {
		s.hook.record(r, at, false)
	}
}

func (h *hook) record(r SendResult, at time.Time, again bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := sent{
		SendResult: r,
		id:         firstDelivery + int64(len(h.log)),
		at:         at.UTC().Truncate(time.Second),
		redelivery: again,
	}
	i := len(h.log)
	for i > 0 && h.log[i-1].compare(d) > 0 {
		i--
	}
	h.log = slices.Insert(h.log, i, d)
}

// byID finds a delivery, however old it is.
func (h *hook) byID(id int64) (sent, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.log, func(d sent) bool { return d.id == id })
	if i < 0 {
		return sent{}, false
	}
	return h.log[i], true
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
