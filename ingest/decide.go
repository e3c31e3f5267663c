package ingest

import (
	"cmp"
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
	firstPause = 2 * time.Second  // after the first 404 or failure
	maxBackoff = 10 * time.Minute // at most between two tries of a log that is not there yet
	// deniedPause is the shortest pause after a refusal.
	deniedPause = maxPause
	// maxPause bounds the pause for a limit, and that of a round. A limit that lasts longer
	// is met again after it, without a request to GitHub.
	maxPause = time.Hour
	// limitJitter spreads an installation's jobs, so that they do not come back as one.
	limitJitter = 10 * time.Second
	// maxRetryPause bounds the pause after a failure or a refusal, but for its jitter: more
	// than once a day, so that each day of trouble is seen.
	maxRetryPause = 6 * time.Hour
	longestPause  = maxRetryPause * 5 / 4 // with the jitter
	minTries      = 2                     // a 404 is believed after this many, however old the job
	// maxUnseen is how long a repository may be out of our sight before its jobs
	// are given up: access that was lost by mistake can be granted again.
	maxUnseen = 7 * 24 * time.Hour
	// maxFailedDays is on how many distinct days GitHub may fail about a job before it is
	// given up. Days are counted and not time that passes, so that what a jobvault missed
	// that was stopped for a week ends no job.
	maxFailedDays = 7
)

// target is what GitHub was asked for.
type target int

const (
	targetJob target = iota
	targetLog
	targetRepository // or who may read it
)

// errorContext is what the meaning of an error depends on.
type errorContext struct {
	target      target
	now         time.Time
	log         store.JobLog  // what the ledger says so far
	completedAt time.Time     // as near as GitHub says
	deadline    time.Duration // how long after completion a 404 log may still come
	deniedDays  int           // on how many distinct days GitHub may refuse
	tries       int           // how often that was asked for, this time included
	logUnlikely bool          // nothing about the job suggests that it has a log
	unseen      time.Duration // since the repository was last heard of
	alive       bool          // the job may not have completed
}

// pause is how long to wait after trouble: a quarter of the time for which it has lasted.
func (c errorContext) pause(least time.Duration) time.Duration {
	p := min(max(c.log.TryingFor(c.now)/4, least), maxRetryPause)
	return p + jitter(p/4)
}

// outcome is what to do: settle the ledger (state), wait (pause), go on without what was
// asked for (logDecides), or fail and leave the time of the retry to the queue (none).
type outcome struct {
	state      string
	pause      time.Duration
	limit      time.Duration // how long a limit keeps it; 0: none does, or the pause is longer
	logDecides bool          // the job is not described, and its log says what becomes of it
	status     int
	reason     string
	trouble    store.Trouble // what is counted
}

// decide is the one place that says what GitHub's "no" means for a job: the table is
// docs/design.md#what-githubs-answers-mean. It is pure but for the jitter of pauses.
func decide(err error, c errorContext) outcome {
	if errors.Is(err, errDamagedRecord) {
		o := outcome{reason: record.Reason(err), pause: c.pause(firstPause)}
		return c.countDay(o, deadline{store.Failed, maxFailedDays, "of a damaged settled.json"})
	}
	var e *ghapi.Error
	if !errors.As(err, &e) || e.Ours {
		return outcome{reason: record.Reason(err)}
	}
	o := outcome{status: e.Status, reason: e.Message}
	switch e.Class {
	case ghapi.RateLimited:
		o.limit = min(max(e.RetryAt.Sub(c.now), 0), maxPause) + jitter(limitJitter)
		o.pause = o.limit
		if e.Status == 0 { // our share of the limit, and no word of GitHub's
			return o
		}
		if p := c.pause(0); p > o.limit {
			o.pause, o.limit = p, 0
		}
		return c.countDay(o, deadlineOf(e, c.deniedDays))
	case ghapi.Expired:
		o.state = store.LogExpired
		return o
	case ghapi.Denied:
		o.state, o.pause = store.LogDenied, c.pause(deniedPause)
		return c.countDay(o, deadlineOf(e, c.deniedDays))
	case ghapi.NotFound:
		return c.notFound(o)
	}
	o.reason, o.pause = record.Reason(e), c.pause(firstPause)
	if e.RetryAt.After(c.now) {
		o.pause = max(o.pause, min(e.RetryAt.Sub(c.now), maxPause)+jitter(firstPause))
	}
	return c.countDay(o, deadlineOf(e, c.deniedDays))
}

// deadline is on how many distinct days a kind of trouble may be met before what is asked
// for is given up.
type deadline struct {
	trouble store.Trouble
	days    int
	of      string // which days they are, in words
}

// deadlineOf is which deadline an answer of GitHub's counts for, or that there was none.
func deadlineOf(e *ghapi.Error, deniedDays int) deadline {
	switch {
	case e.Class == ghapi.RateLimited:
		return deadline{store.Refused, deniedDays, "of limits"}
	case e.Class == ghapi.Denied:
		return deadline{store.Refused, deniedDays, "of refusals"}
	case e.Status == 0: // perhaps it is our network that is away
		return deadline{store.Refused, deniedDays, "without an answer"}
	}
	return deadline{store.Failed, maxFailedDays, "of failures"}
}

// givenUp is the reason of what was given up, with what was last heard.
func (d deadline) givenUp(days int, heard string) string {
	return fmt.Sprintf("given up after %d days %s: %s", days, d.of, cmp.Or(heard, "no reason given"))
}

// countDay counts the day of a trouble. After more days of it than the limit the job is
// missing; if it was only its description that was asked for, its log says what it is. No
// day counts of a job that may not have completed, as it has all its time before it, nor of
// one that is missing already.
func (c errorContext) countDay(o outcome, d deadline) outcome {
	if c.alive || c.log.State == store.LogMissing {
		o.trouble = store.NotYet
		return o
	}
	o.trouble = d.trouble
	days := c.log.TroubleDays(d.trouble, c.now)
	if days <= d.days {
		return o
	}
	o.reason = d.givenUp(days, o.reason)
	o.state, o.pause = store.LogMissing, 0
	if c.target == targetJob {
		o.state, o.logDecides = "", true
	}
	return o
}

// notFound is what a 404 means.
func (c errorContext) notFound(o outcome) outcome {
	if c.target == targetRepository {
		o.reason = "the repository is gone, or not shown to us: " + o.reason
		o.state, o.pause = store.LogDenied, c.pause(deniedPause)
		limit := c.deniedDays
		if c.unseen > maxUnseen {
			limit = min(limit, maxFailedDays)
		}
		return c.countDay(o, deadline{store.Refused, limit, "out of sight"})
	}
	o.trouble = store.NotYet
	switch {
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

// jitter is a time below d; 0 if d is none.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d) //nolint:gosec // no secret
}

// WaitForLimit returns when GitHub may be asked again, a moment after the limit's end, or
// when the context ends.
func WaitForLimit(ctx context.Context, until, now time.Time) {
	wait(ctx, max(until.Sub(now), 0)+jitter(firstPause))
}
