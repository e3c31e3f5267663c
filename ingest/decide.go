package ingest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// Timing of retries.
const (
	firstPause  = 2 * time.Second  // after the first 404 or failure
	maxBackoff  = 10 * time.Minute // at most between two tries
	deniedPause = maxPause
	// maxPause bounds the pause of a completed job, and that of a round. A limit that
	// lasts longer is met again after it, without a request to GitHub.
	maxPause = time.Hour
	minTries = 2 // a 404 is believed after this many, however old the job
	// maxUnseen is how long a repository may be out of our sight before its jobs
	// are given up: access that was lost by mistake can be granted again.
	maxUnseen = 7 * 24 * time.Hour
)

// target is what GitHub was asked for.
type target int

const (
	targetJob target = iota
	targetLog
	targetRepository
)

// errorContext is what the meaning of an error depends on.
type errorContext struct {
	target      target
	now         time.Time
	completedAt time.Time     // as near as GitHub says
	deadline    time.Duration // how long after completion a 404 log may still come
	tries       int           // how often that was asked for, this time included
	logUnlikely bool          // nothing about the job suggests that it has a log
	unseen      time.Duration // since the repository was last heard of
}

// outcome is what to do: settle the ledger (state), wait (pause), or fail and
// leave the time of the retry to the queue (neither).
type outcome struct {
	state  string
	pause  time.Duration
	status int
	reason string
}

// decide is the one place that says what GitHub's "no" means for a job: the table is
// docs/design.md#what-githubs-answers-mean. It is pure but for the jitter of pauses.
func decide(err error, c errorContext) outcome {
	var e *ghapi.Error
	if !errors.As(err, &e) {
		return outcome{reason: record.Reason(err)}
	}
	o := outcome{status: e.Status, reason: e.Message}
	switch e.Class {
	case ghapi.RateLimited:
		// Spread, so that an installation's jobs do not come back as one.
		o.pause = min(max(e.RetryAt.Sub(c.now), 0), maxPause) + jitter(10*time.Second)
	case ghapi.Expired:
		o.state = store.LogExpired
	case ghapi.Denied:
		o.state, o.pause = store.LogDenied, deniedPause
	case ghapi.NotFound:
		switch {
		case c.target == targetRepository && c.unseen > maxUnseen:
			o.state = store.LogMissing
			o.reason = "the repository is gone, or not shown to us: " + o.reason
		case c.target == targetRepository:
			o.state, o.pause = store.LogDenied, deniedPause
			o.reason = "the repository is gone, or not shown to us: " + o.reason
		case c.tries < minTries && (c.target == targetJob || !c.logUnlikely):
			o.pause = backoff(c.tries)
		case c.target == targetJob && !c.logUnlikely:
			o.state = store.LogMissing
			o.reason = "GitHub knows no such job: " + o.reason
		case c.logUnlikely:
			o.state = store.LogNone
			o.reason = "no steps, no runner, no log: " + o.reason
		case c.now.Sub(c.completedAt) > c.deadline:
			o.state = store.LogMissing
			o.reason = fmt.Sprintf("no log within %s: %s", c.deadline, o.reason)
		default:
			o.pause = backoff(c.tries)
		}
	default:
		o.reason = record.Reason(e)
		if e.RetryAt.After(c.now) {
			o.pause = min(e.RetryAt.Sub(c.now), maxPause) + jitter(firstPause)
		}
	}
	return o
}

// backoff is the pause after a try, the first of which is 1: from firstPause it
// doubles up to maxBackoff.
func backoff(tries int) time.Duration {
	if tries > 16 {
		return maxBackoff
	}
	return min(firstPause<<max(tries-1, 0), maxBackoff)
}

func jitter(d time.Duration) time.Duration { return rand.N(d) } //nolint:gosec // no secret

// WaitForLimit returns when GitHub may be asked again, a moment after the limit's end, or
// when the context ends.
func WaitForLimit(ctx context.Context, until, now time.Time) {
	wait(ctx, max(until.Sub(now), 0)+jitter(firstPause))
}
