package ingest

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/jobvault/jobvault/ingest/ghapi"
)

// Timing of redeliveries.
const (
	// hookMemory is how long GitHub lets a delivery be asked for again.
	hookMemory = 72 * time.Hour
	// firstRedelivery is how long after a delivery's last attempt it is asked for
	// again; with every attempt that fails it doubles.
	firstRedelivery = time.Minute
	lastRedelivery  = 6 * time.Hour
)

// Redelivered says what one look at a hook came to.
type Redelivered struct {
	Failed int // deliveries that failed and were never received
	Asked  int // of those, how many GitHub was asked to deliver again
}

// lostDelivery is a delivery that nobody answered 2xx, and that is not here.
type lostDelivery struct {
	guid     uuid.UUID
	first    time.Time // of its attempts
	latest   ghapi.HookDelivery
	attempts int
}

// Redeliver asks GitHub to deliver again what failed and never arrived, the
// oldest first. That GitHub says yes is not taken for an arrival: until its GUID
// is committed, or GitHub has forgotten it, a delivery stays to be looked at.
func (s *Sweeper) Redeliver(ctx context.Context, h ghapi.Hook) (Redelivered, error) {
	ctx = ghapi.WithPriority(ctx, ghapi.Sweep)
	resolved, err := s.DB.HookResolvedTo(ctx, h.String())
	if err != nil {
		return Redelivered{}, err
	}
	now := s.Now()
	lost, newest, err := s.lost(ctx, h, resolved)
	if err != nil {
		return Redelivered{}, err
	}
	done := Redelivered{Failed: len(lost)}
	for _, d := range lost {
		if now.Sub(d.latest.DeliveredAt) < redeliveryPause(d.attempts) {
			continue
		}
		if err := s.GitHub.Redeliver(ctx, h, d.latest.ID); isNotFound(err) {
			continue // forgotten since it was listed
		} else if err != nil {
			return done, err
		}
		done.Asked++
		s.Metrics.redelivered.Inc()
	}
	// Nothing after the oldest that is lost is accounted for.
	to := newest
	if len(lost) > 0 {
		to = lost[0].first
	}
	return done, s.DB.ResolveHook(ctx, h.String(), to, s.Now())
}

// redeliveryPause doubles with each attempt.
func redeliveryPause(attempts int) time.Duration {
	if attempts > 10 {
		return lastRedelivery
	}
	return min(firstRedelivery<<max(attempts-1, 0), lastRedelivery)
}

// lost lists the deliveries since a time that failed and were never received, by
// their first attempts, and the time of the newest delivery.
func (s *Sweeper) lost(ctx context.Context, h ghapi.Hook, since time.Time) (lost []lostDelivery, newest time.Time, err error) {
	byGUID := make(map[uuid.UUID]*lostDelivery)
	arrived := make(map[uuid.UUID]bool)
	for d, err := range s.GitHub.HookDeliveries(ctx, h) {
		if err != nil {
			return nil, newest, err
		}
		if newest.IsZero() {
			newest = d.DeliveredAt
		}
		if d.DeliveredAt.Before(since) || d.DeliveredAt.Before(newest.Add(-hookMemory)) {
			break
		}
		guid, err := uuid.Parse(d.GUID)
		if err != nil || d.Event != eventWorkflowJob {
			continue
		}
		switch l := byGUID[guid]; {
		case d.StatusCode/100 == 2:
			arrived[guid] = true
		case l == nil: // the newest attempt comes first
			byGUID[guid] = &lostDelivery{guid: guid, first: d.DeliveredAt, latest: d, attempts: 1}
		default:
			l.first, l.attempts = d.DeliveredAt, l.attempts+1
		}
	}
	guids := make([]uuid.UUID, 0, len(byGUID))
	for guid := range byGUID {
		guids = append(guids, guid)
	}
	committed, err := s.DB.CommittedDeliveries(ctx, guids)
	if err != nil {
		return nil, newest, err
	}
	for guid, l := range byGUID {
		if !arrived[guid] && !committed[guid] {
			lost = append(lost, *l)
		}
	}
	slices.SortFunc(lost, func(a, b lostDelivery) int { return a.first.Compare(b.first) })
	return lost, newest, nil
}
