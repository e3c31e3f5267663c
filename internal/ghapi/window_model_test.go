package ghapi

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// hub is GitHub's primary limit as it counts: an hour begins with the first
// request after the one before.
type hub struct {
	limit, used int
	reset       time.Time
}

func (h *hub) turn(now time.Time) {
	if !now.Before(h.reset) {
		h.used, h.reset = 0, now.Add(time.Hour)
	}
}

// remaining is what it would answer now.
func (h *hub) remaining(now time.Time) int {
	if !now.Before(h.reset) {
		return h.limit
	}
	return max(0, h.limit-h.used)
}

// ask counts one request; ok is false for a 403.
func (h *hub) ask(now time.Time, before int64) (t told, ok bool) {
	h.turn(now)
	h.used++
	return told{h.limit, max(0, h.limit-h.used), h.reset, before}, h.used <= h.limit
}

// model is a window, what it should agree with, and answers under way.
type model struct {
	t    *rapid.T
	now  time.Time
	hub  hub
	w    Window
	told []told // answers that have not arrived
	news []told // and that have, since the last request
	most int    // answers that were under way at once
}

func newModel(t *rapid.T) *model {
	return &model{t: t, now: noon, hub: hub{limit: rapid.SampledFrom([]int{1, 3, 10, 60, 5000}).Draw(t, "limit")}}
}

// arrive takes note of the nth answer, as budget does.
func (m *model) arrive(n int) {
	t := m.told[n]
	m.told = append(m.told[:n:n], m.told[n+1:]...)
	if t.reset.After(m.now) {
		m.news = append(m.news, t)
	}
	if t.remaining == 0 {
		until := t.reset
		if !until.After(m.now) {
			until = m.now.Add(fallbackWait)
		}
		m.w.close(until)
	}
}

// take makes a request if the window lets it, and tells whether.
func (m *model) take(p Priority) bool {
	for _, t := range m.news {
		m.w.learn(t)
	}
	m.news = nil
	if wait := m.w.waitUntil(m.now, reserves[p], 0); !wait.IsZero() {
		if !wait.After(m.now) {
			m.t.Fatalf("waits until %s, and it is %s", wait, m.now)
		}
		return false
	}
	before := m.w.Answered
	m.w.spend()
	t, ok := m.hub.ask(m.now, before)
	m.told = append(m.told, t)
	m.most = max(m.most, len(m.told))
	if !ok {
		m.arrive(len(m.told) - 1) // nothing remains
	}
	return true
}

var anyPriority = rapid.SampledFrom([]Priority{Live, Sweep, Backfill})

// As long as GitHub would answer, live requests are made, but for as many as were
// under way at once: whatever else is asked, in whatever order the answers arrive,
// whoever else asks with the same token.
func TestLiveIsNeverRefusedBeforeGitHubRefuses(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"live": func(rt *rapid.T) {
				left := m.hub.remaining(m.now)
				if !m.take(Live) && left > m.most && !m.now.Before(m.w.Closed) {
					rt.Fatalf("refused, though %d remain: %+v", left, m.w)
				}
			},
			"another": func(rt *rapid.T) { m.take(anyPriority.Draw(rt, "priority")) },
			"somebody else": func(rt *rapid.T) {
				for range rapid.IntRange(1, 2000).Draw(rt, "requests") {
					m.hub.ask(m.now, 0)
				}
			},
			"an answer": func(rt *rapid.T) {
				if len(m.told) > 0 {
					m.arrive(rapid.IntRange(0, len(m.told)-1).Draw(rt, "which"))
				}
			},
			"time": func(rt *rapid.T) {
				step := time.Duration(rapid.SampledFrom([]int{1, 20, 60, 600, 3599, 3600, 3601}).Draw(rt, "seconds")) * time.Second
				// No answer takes longer than this.
				for step > answerTime && len(m.told) > 0 {
					m.arrive(rapid.IntRange(0, len(m.told)-1).Draw(rt, "which"))
				}
				m.now = m.now.Add(step)
			},
		})
	})
}

// Where all who ask share the window, and every answer is known, each priority
// asks exactly as long as more than its reserve remains.
func TestPrioritiesLeaveTheirReserves(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"ask": func(rt *rapid.T) {
				p := anyPriority.Draw(rt, "priority")
				for range rapid.SampledFrom([]int{1, 5, 1500}).Draw(rt, "times") {
					known, left := m.w.Limit > 0 || len(m.news) > 0, m.hub.remaining(m.now)
					enough := left > int(reserves[p]*float64(m.hub.limit))
					if asked := m.take(p); known && asked != enough {
						rt.Fatalf("priority %d with %d of %d left: asked %v; %+v", p, left, m.hub.limit, asked, m.w)
					}
					for len(m.told) > 0 {
						m.arrive(0)
					}
				}
			},
			"time": func(rt *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(1, 4000).Draw(rt, "seconds")) * time.Second)
			},
		})
	})
}

// Requests that GitHub does not count, as those of what is unchanged, come back
// with their answers.
func TestUncountedRequestsComeBack(t *testing.T) {
	w, h := Window{}, hub{limit: 5000}
	w.spend()
	first, _ := h.ask(noon, 0)
	w.learn(first)
	for i := range 20_000 {
		if wait := w.waitUntil(noon, reserves[Sweep], 0); !wait.IsZero() {
			t.Fatalf("refused after %d requests that cost nothing: %+v", i, w)
		}
		first.before = w.Answered
		w.spend()
		w.learn(first) // as it was
		if w.Remaining != first.remaining {
			t.Fatalf("%d remain after %d, want %d", w.Remaining, i, first.remaining)
		}
	}
}
