package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// Timing of redeliveries.
const (
	// hookMemory is how long GitHub lets a delivery be asked for again.
	hookMemory = 72 * time.Hour
	// hookOverlap is how far before the newest delivery the next look begins:
	// GitHub may list one after another that is newer.
	hookOverlap = 10 * time.Minute
	// firstRedelivery is how long after a delivery it is asked for again; each time
	// doubles it.
	firstRedelivery = time.Minute
	lastRedelivery  = 6 * time.Hour
)

// RedeliverResult counts what one look at a hook's deliveries found.
type RedeliverResult struct {
	Failed int // deliveries that failed and were never received
	Asked  int // of those, how many GitHub was asked to deliver again
}

// Redeliver asks GitHub to deliver again what failed and never arrived, the
// oldest first. That GitHub says yes is not taken for an arrival: until its GUID
// is committed, or GitHub has forgotten it, a delivery stays to be looked at. One
// that GitHub refuses to send does not keep the others from being asked for.
func (s *Sweeper) Redeliver(ctx context.Context, h ghapi.Hook) (RedeliverResult, error) {
	ctx = ghapi.WithPriority(ctx, ghapi.Sweep)
	if err := s.lookAt(ctx, h); err != nil {
		return RedeliverResult{}, err
	}
	lost, err := s.DB.LostDeliveries(ctx, h.String())
	done := RedeliverResult{Failed: len(lost)}
	var failed []error
	for _, d := range lost {
		if now := s.Now(); !due(d, now) {
			continue
		}
		err := s.GitHub.Redeliver(ctx, h, d.DeliveryID)
		if ctx.Err() != nil || ghapi.IsRateLimited(err) {
			return done, err
		}
		switch {
		case err == nil:
			done.Asked++
			s.Metrics.redelivered.Inc()
		case !ghapi.IsNotFound(err): // else it was forgotten since it was listed
			failed = append(failed, err)
		}
		if err := s.DB.AskedAgain(ctx, h.String(), d.GUID, s.Now()); err != nil {
			return done, err
		}
		if len(failed) == maxFailures {
			break
		}
	}
	return done, errors.Join(append(failed, err)...)
}

// due tells whether a delivery is to be asked for: for the first time, or again.
func due(d store.LostDelivery, now time.Time) bool {
	last := d.DeliveredAt
	if d.AskedAt != nil {
		last = *d.AskedAt
	}
	pause := lastRedelivery
	if d.Asked < 10 {
		pause = min(firstRedelivery<<d.Asked, lastRedelivery)
	}
	return now.Sub(last) >= pause
}

// lookAt lists what a hook delivered since the last look, and writes what failed
// and was never received.
func (s *Sweeper) lookAt(ctx context.Context, h ghapi.Hook) error {
	since, err := s.DB.HookResolvedTo(ctx, h.String())
	if err != nil {
		return err
	}
	var newest time.Time
	arrived := make(map[uuid.UUID]bool)
	var failed []store.LostDelivery
	for d, err := range s.GitHub.HookDeliveries(ctx, h) {
		if err != nil {
			return fmt.Errorf("hook %s: %w", h, err)
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
		if d.StatusCode/100 == 2 {
			arrived[guid] = true
		} else {
			failed = append(failed, store.LostDelivery{GUID: guid, DeliveryID: d.ID, DeliveredAt: d.DeliveredAt})
		}
	}
	if newest.IsZero() {
		return nil
	}
	look := store.HookLook{ResolvedTo: newest.Add(-hookOverlap), Forgotten: newest.Add(-hookMemory), At: s.Now()}
	for guid := range arrived {
		look.Arrived = append(look.Arrived, guid)
	}
	// Of a delivery's attempts, the first.
	seen := make(map[uuid.UUID]bool)
	for i := len(failed) - 1; i >= 0; i-- {
		if guid := failed[i].GUID; !arrived[guid] && !seen[guid] {
			seen[guid] = true
			look.Lost = append(look.Lost, failed[i])
		}
	}
	return s.DB.NoteLook(ctx, h.String(), look)
}
