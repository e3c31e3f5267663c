package ghapi

import (
	"net/http"
	"strconv"
	"time"
)

// Priority says whose requests go first when a limit draws near.
type Priority int

// Live requests are made as long as GitHub answers any; the others leave a
// reserve to those before them. The numbers are those of store.Priority.
const (
	Live     Priority = 1 + iota // archiving what has just completed
	Sweep                        // looking for what was missed
	Backfill                     // archiving the past, because somebody asked for it
)

// sweepReserve is the share of a limit that sweeps leave to live archiving.
const sweepReserve = 0.1

// Window is what is known of the rate limit of one installation, or of the
// token, at one moment. The zero value knows nothing, and lets everything pass.
// Times are by the clock of Config.Now.
type Window struct {
	Limit     int       // requests an hour; 0: the server tells of no limit
	Remaining int       // as GitHub told, less what was asked since
	Reset     time.Time // when Remaining becomes Limit again
	Guessed   bool      // Reset is an hour from the first request, not GitHub's word
	Closed    time.Time // no request before: GitHub asked for a pause
	Spent     int64     // requests ever made
	Answered  int64     // of those, how many have come to their end

	Minute time.Time // begin of the present minute of the secondary limit
	Points int       // spent since
}

// waitUntil is when a request of a reserve may be made: the zero time for now.
// reserve is the share of each limit, from 0 to 1, that must be left after it.
func (w *Window) waitUntil(now time.Time, reserve float64, pointsPerMinute int) time.Time {
	w.turn(now)
	switch {
	case now.Before(w.Closed):
		return w.Closed
	case w.Limit > 0 && w.Remaining <= int(reserve*float64(w.Limit)):
		return w.Reset
	case pointsPerMinute > 0 && w.Points >= pointsPerMinute-int(reserve*float64(pointsPerMinute)):
		return w.Minute.Add(time.Minute)
	}
	return time.Time{}
}

// turn begins the hour and the minute anew when they are over. So it does when they
// are to last longer than any does: a clock that was wrong has left that there.
func (w *Window) turn(now time.Time) {
	latest := now.Add(maxWait)
	if w.Closed.After(latest) {
		w.Closed = time.Time{}
	}
	if w.Limit > 0 && (!now.Before(w.Reset) || w.Reset.After(latest)) {
		w.Remaining, w.Reset, w.Guessed = w.Limit, now.Add(time.Hour), true
		w.Answered = w.Spent // whoever was killed in between has no answer to come
	}
	if now.Sub(w.Minute) >= time.Minute || now.Before(w.Minute) {
		w.Minute, w.Points = now, 0
	}
}

// spend counts a request that is about to be made.
func (w *Window) spend() {
	w.Remaining--
	w.Points++
	w.Spent++
}

// told is what the end of a request tells: what an answer's headers say of the
// limit, or with a limit of 0 nothing.
type told struct {
	limit, remaining int
	reset            time.Time
	before           int64 // Answered, when the request was made
}

// toldBy reads an answer's headers; ok is false where the server has no limits.
// The reset is turned from the server's clock to ours by its Date. A number beyond 31
// bits is no limit: it means that there is none.
func toldBy(h http.Header, now time.Time) (t told, ok bool) {
	limit, lerr := strconv.ParseInt(h.Get("X-RateLimit-Limit"), 10, 32)
	remaining, rerr := strconv.ParseInt(h.Get("X-RateLimit-Remaining"), 10, 32)
	reset, ok := resetOf(h, now)
	t.limit, t.remaining, t.reset = int(limit), int(remaining), reset
	return t, ok && lerr == nil && rerr == nil && limit > 0 && remaining >= 0
}

// resetOf is X-RateLimit-Reset by our clock, if it makes sense.
func resetOf(h http.Header, now time.Time) (time.Time, bool) {
	s, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	wait := time.Unix(s, 0).Sub(serverTime(h, now))
	return now.Add(wait), wait > 0 && wait < maxWait
}

// serverTime is the Date of an answer: what GitHub's other times are told by. It
// has whole seconds, so a clock that is right within two counts as GitHub's.
func serverTime(h http.Header, now time.Time) time.Time {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil || date.Sub(now).Abs() < 2*time.Second {
		return now
	}
	return date
}

// sameHour is how far apart two resets may be told of one window.
const sameHour = time.Minute

// learn takes GitHub's word. Answers come out of order, and other replicas ask
// too: what had no answer when a request was made, and all that was asked since,
// may or may not be in its own answer. So what remains lies between what the
// answer says and that less all of those. Requests that cost nothing, as those
// answered 304, come back in this way.
func (w *Window) learn(t told) {
	least := t.remaining - int(w.Spent-t.before-1)
	w.Answered = min(w.Answered+1, w.Spent)
	if t.limit == 0 {
		return
	}
	switch apart := t.reset.Sub(w.Reset); {
	case w.Limit == 0 || w.Guessed || apart > sameHour:
		w.Remaining, w.Reset, w.Guessed = least, t.reset, false
	case apart < -sameHour:
		return // an answer of an earlier window
	default:
		w.Remaining = max(min(w.Remaining, t.remaining), least)
	}
	w.Limit = t.limit
}

// close keeps all requests back until then.
func (w *Window) close(until time.Time) {
	if until.After(w.Closed) {
		w.Closed = until
	}
}
