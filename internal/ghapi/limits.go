package ghapi

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// Limits keeps the rate limit of each installation where all who share it see
// it. Without one, each process knows its own.
type Limits interface {
	// Update changes an installation's window (0: that of the token, or of the
	// App itself) by f, alone: no other change comes in between, of any process.
	// f may be called more than once, each time with a fresh window. A window
	// that nobody has updated yet is the zero Window.
	Update(ctx context.Context, installation int64, f func(*Window)) error
}

// localLimits are those of one process.
type localLimits struct {
	mu      sync.Mutex
	windows map[int64]*Window
}

func (l *localLimits) Update(_ context.Context, installation int64, f func(*Window)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.windows == nil {
		l.windows = make(map[int64]*Window)
	}
	w, ok := l.windows[installation]
	if !ok {
		w = &Window{}
		l.windows[installation] = w
	}
	f(w)
	return nil
}

type priorityKey struct{}

// WithPriority has all requests under the context be made with a priority; Live
// is that of a context without.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, priorityKey{}, p)
}

func priorityOf(ctx context.Context) Priority {
	if p, ok := ctx.Value(priorityKey{}).(Priority); ok {
		return p
	}
	return Live
}

// budget is one installation's share in the limits, for one client.
type budget struct {
	limits          Limits
	installation    int64
	backfillShare   float64
	pointsPerMinute int
	now             func() time.Time

	mu      sync.Mutex
	unknown []told // by requests that have ended, and not in the window yet
}

// reserve is the share of a limit that a priority leaves to those before it.
func (b *budget) reserve(p Priority) float64 {
	switch p {
	case Sweep:
		return sweepReserve
	case Backfill:
		return 1 - b.backfillShare
	}
	return 0
}

// take asks for one request, whose end answered is to be told with what take
// returns. It fails with RateLimited if the request has to wait. One update serves
// both: what the last answers told, and the request.
func (b *budget) take(ctx context.Context, op string) (before int64, err error) {
	b.mu.Lock()
	news := b.unknown
	b.unknown = nil
	b.mu.Unlock()
	var wait time.Time
	err = b.limits.Update(ctx, b.installation, func(w *Window) {
		for _, t := range news {
			w.learn(t)
		}
		if wait = w.waitUntil(b.now(), b.reserve(priorityOf(ctx)), b.pointsPerMinute); wait.IsZero() {
			before = w.Answered
			w.spend()
		}
	})
	if err != nil {
		return 0, &Error{Class: Transient, Op: op, Ours: true, Message: "the shared rate limit cannot be read", Err: err}
	}
	if !wait.IsZero() {
		return 0, &Error{Class: RateLimited, Op: op, RetryAt: wait, Message: "waiting for the limit to end"}
	}
	return before, nil
}

// answered takes note of the end of a request: of its answer's headers, or of nil
// if there was none. That nothing remains is written at once; all else with the
// next request.
func (b *budget) answered(ctx context.Context, before int64, h http.Header) {
	t, ok := toldBy(h, b.now())
	if !ok {
		t = told{}
	}
	t.before = before
	b.mu.Lock()
	b.unknown = append(b.unknown, t)
	b.mu.Unlock()
	if h.Get("X-RateLimit-Remaining") == "0" {
		b.close(ctx, retryAt(h, b.now()))
	}
}

// closeTime bounds the update after an answer, whose own context may be over.
const closeTime = 5 * time.Second

// close keeps the whole installation from asking before then. If that cannot be
// written, the next request finds it out from GitHub again.
func (b *budget) close(ctx context.Context, until time.Time) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	_ = b.limits.Update(ctx, b.installation, func(w *Window) { w.close(until) })
}
