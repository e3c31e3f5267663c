package main

import (
	"context"
	"fmt"
	"time"
)

// limitLeft describes what is left of GitHub's rate limit, if there is one, and estimates
// how long the requests take at least.
func (r *sweepRun) limitLeft(ctx context.Context, requests int) (text string, wait time.Duration) {
	limits, err := r.s.db.RateLimits(ctx)
	if err != nil {
		return "", 0
	}
	now := r.s.clock.Now()
	for _, l := range limits {
		share := int(r.share * float64(l.RequestLimit))
		mine := l.Remaining - (l.RequestLimit - share)
		switch {
		case l.ClosedUntil.After(now):
			text += fmt.Sprintf(", GitHub wants a pause until %s", l.ClosedUntil.Format(time.TimeOnly))
			wait = max(wait, l.ClosedUntil.Sub(now))
		case l.RequestLimit == 0 || !l.ResetAt.After(now):
		case mine <= 0:
			text += fmt.Sprintf(", our share of %d requests an hour is used until %s", l.RequestLimit, l.ResetAt.Format(time.TimeOnly))
		default:
			text += fmt.Sprintf(", %d of %d requests left until %s", l.Remaining, l.RequestLimit, l.ResetAt.Format(time.TimeOnly))
		}
		if more := requests - max(mine, 0); l.RequestLimit > 0 && l.ResetAt.After(now) && more > 0 {
			wait = max(wait, l.ResetAt.Sub(now)+time.Duration((more-1)/max(share, 1))*time.Hour)
		}
	}
	return text, wait
}
