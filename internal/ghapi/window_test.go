package ghapi

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// noon is when everything happens in these tests.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func minutes(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }

// reserves are those of the three priorities with the usual shares.
var reserves = func() map[Priority]float64 {
	b := &budget{backfillShare: defaultBackfillShare}
	return map[Priority]float64{Live: b.reserve(Live), Sweep: b.reserve(Sweep), Backfill: b.reserve(Backfill)}
}()

// Each priority leaves its reserve, and waits for what it lacks: the pause to end,
// the hour, or the minute.
func TestWaitUntil(t *testing.T) {
	window := func(remaining, points int) Window {
		return Window{Limit: 5000, Remaining: remaining, Reset: minutes(30), Minute: noon, Points: points}
	}
	closed := window(5000, 0)
	closed.Closed = minutes(7)
	tight := window(0, 900)
	tight.Closed = minutes(90)
	now, hour, minute := time.Time{}, minutes(30), minutes(1)
	for _, c := range []struct {
		name                  string
		w                     Window
		live, sweep, backfill time.Time
	}{
		{"nothing is known", Window{}, now, now, now},
		{"no limit, whatever was spent", Window{Remaining: -9000}, now, now, now},
		{"all is left", window(5000, 0), now, now, now},
		{"just enough for backfills", window(2501, 0), now, now, now},
		{"half is left", window(2500, 0), now, now, hour},
		{"just enough for sweeps", window(501, 0), now, now, hour},
		{"a tenth is left", window(500, 0), now, hour, hour},
		{"one is left", window(1, 0), now, hour, hour},
		{"none is left", window(0, 0), hour, hour, hour},
		{"less than none", window(-5, 0), hour, hour, hour},
		{"just enough of the minute for backfills", window(5000, 449), now, now, now},
		{"half of the minute", window(5000, 450), now, now, minute},
		{"just enough of the minute for sweeps", window(5000, 809), now, now, minute},
		{"a tenth of the minute", window(5000, 810), now, minute, minute},
		{"the last of the minute", window(5000, 899), now, minute, minute},
		{"the minute is over", window(5000, 900), minute, minute, minute},
		{"a pause", closed, minutes(7), minutes(7), minutes(7)},
		{"a pause before all else", tight, minutes(90), minutes(90), minutes(90)},
	} {
		for p, want := range map[Priority]time.Time{Live: c.live, Sweep: c.sweep, Backfill: c.backfill} {
			w := c.w
			if got := w.waitUntil(noon, reserves[p], pointsDotCom); !got.Equal(want) {
				t.Errorf("%s: priority %d waits until %s, want %s", c.name, p, got, want)
			}
		}
	}
	// GHES has no secondary limit.
	if w := window(5000, 1e6); !w.waitUntil(noon, reserves[Backfill], 0).IsZero() {
		t.Error("waits for a minute that nobody counts")
	}
}

// The share that backfills may use is a setting.
func TestBackfillShare(t *testing.T) {
	for _, c := range []struct {
		share float64
		least int // the fewest remaining with which a backfill asks
	}{{1, 1}, {0.75, 1251}, {0.5, 2501}, {0.25, 3751}, {0.001, 4996}} {
		b := &budget{backfillShare: c.share}
		for _, remaining := range []int{c.least - 1, c.least} {
			w := Window{Limit: 5000, Remaining: remaining, Reset: minutes(30)}
			if asks := w.waitUntil(noon, b.reserve(Backfill), 0).IsZero(); asks != (remaining == c.least) {
				t.Errorf("share %v with %d left: asks %v", c.share, remaining, asks)
			}
		}
	}
}

// The hour and the minute begin anew when they are over, not before; without a
// limit there is no hour.
func TestWindowTurns(t *testing.T) {
	w := Window{Limit: 5000, Remaining: 3, Reset: minutes(30), Minute: noon, Points: 9}
	for _, c := range []struct {
		name string
		was  Window
		now  time.Time
		want Window
	}{
		{"within both", w, minutes(1).Add(-1), w},
		{"the minute", w, minutes(1), Window{Limit: 5000, Remaining: 3, Reset: minutes(30), Minute: minutes(1)}},
		{"just before the hour", w, minutes(30).Add(-1), Window{Limit: 5000, Remaining: 3, Reset: minutes(30), Minute: minutes(30).Add(-1)}},
		{"the hour", w, minutes(30), Window{Limit: 5000, Remaining: 5000, Reset: minutes(90), Guessed: true, Minute: minutes(30)}},
		{"the next day", w, minutes(1500), Window{Limit: 5000, Remaining: 5000, Reset: minutes(1560), Guessed: true, Minute: minutes(1500)}},
		{"a clock that was put back", w, minutes(-1), Window{Limit: 5000, Remaining: 3, Reset: minutes(30), Minute: minutes(-1)}},
		{"no limit", Window{Remaining: -7, Points: 7}, noon, Window{Remaining: -7, Minute: noon}},
		{"a pause stays", Window{Limit: 5, Reset: noon, Closed: minutes(3)}, noon, Window{Limit: 5, Remaining: 5, Reset: minutes(60), Guessed: true, Closed: minutes(3), Minute: noon}},
	} {
		got := c.was
		got.turn(c.now)
		if got != c.want {
			t.Errorf("%s: %+v\nwant %+v", c.name, got, c.want)
		}
	}
}

// GitHub's word counts, as far as it is not older than what is known; what was
// asked since an answer's request may be on top of it.
func TestWindowLearns(t *testing.T) {
	known := Window{Limit: 5000, Remaining: 1000, Reset: minutes(30), Spent: 500, Answered: 499}
	guessed := Window{Limit: 5000, Remaining: 4000, Reset: minutes(30), Guessed: true, Spent: 500, Answered: 499}
	then := func(remaining int, reset time.Time) Window {
		return Window{Limit: 5000, Remaining: remaining, Reset: reset, Spent: 500, Answered: 499}
	}
	for _, c := range []struct {
		name string
		was  Window
		told told
		want Window
	}{
		{"the first word", Window{Remaining: -500, Spent: 500, Answered: 499}, told{5000, 4990, minutes(60), 499}, then(4990, minutes(60))},
		{"the first word, after more was asked", Window{Remaining: -500, Spent: 500, Answered: 499}, told{5000, 4990, minutes(60), 459}, then(4950, minutes(60))},
		{"less", known, told{5000, 900, minutes(30), 499}, then(900, minutes(30))},
		{"less, after more was asked", known, told{5000, 900, minutes(30), 489}, then(900, minutes(30))},
		{"the same", known, told{5000, 1000, minutes(30), 499}, known},
		{"more, as an answer out of order", known, told{5000, 1010, minutes(30), 489}, known},
		{"more than what was asked since explains", known, told{5000, 1200, minutes(30), 489}, then(1190, minutes(30))},
		{"all of it again", known, told{5000, 5000, minutes(30), 499}, then(5000, minutes(30))},
		{"nothing is left", known, told{5000, 0, minutes(30), 499}, then(0, minutes(30))},
		{"the same hour, told a bit off", known, told{5000, 900, minutes(31), 499}, then(900, minutes(30))},
		{"the same hour, a bit early", known, told{5000, 900, minutes(29), 499}, then(900, minutes(30))},
		{"a later hour", known, told{5000, 4999, minutes(31).Add(1), 499}, then(4999, minutes(31).Add(1))},
		{"a later hour, after more was asked", known, told{5000, 4999, minutes(90), 489}, then(4989, minutes(90))},
		{"an earlier hour", known, told{5000, 3, minutes(29).Add(-1), 499}, known},
		{"an earlier hour with another limit", known, told{60, 3, minutes(-30), 499}, known},
		{"no answer", known, told{before: 499}, known},
		{"a guess gives way", guessed, told{5000, 3900, minutes(31), 499}, then(3900, minutes(31))},
		{"a guess gives way to an earlier hour", guessed, told{5000, 3900, minutes(5), 499}, then(3900, minutes(5))},
		{"a guess gives way, but not what was asked since", guessed, told{5000, 4100, minutes(31), 399}, then(4000, minutes(31))},
		{"a larger limit", known, told{15000, 14000, minutes(30), 499}, Window{Limit: 15000, Remaining: 14000, Reset: minutes(30), Spent: 500, Answered: 499}},
		{"a smaller limit", known, told{60, 59, minutes(30), 499}, Window{Limit: 60, Remaining: 59, Reset: minutes(30), Spent: 500, Answered: 499}},
	} {
		got := c.was
		got.learn(c.told)
		c.want.Answered = 500
		if got != c.want {
			t.Errorf("%s: %+v\nwant %+v", c.name, got, c.want)
		}
	}
}

// Of two pauses the longer counts.
func TestWindowCloses(t *testing.T) {
	var w Window
	for _, c := range []struct{ until, want int }{{10, 10}, {5, 10}, {11, 11}} {
		if w.close(minutes(c.until)); !w.Closed.Equal(minutes(c.want)) {
			t.Errorf("closed until %s, want minute %d", w.Closed, c.want)
		}
	}
}

// Headers tell of a limit only if all three are there and make sense.
func TestToldBy(t *testing.T) {
	const never = "-"
	for _, c := range []struct {
		limit, remaining, reset string
		ok                      bool
	}{
		{"5000", "4999", "+1800", true},
		{"5000", "0", "+1800", true},
		{"5000", "4999", "+7199", true},
		{"5000", "4999", "+7200", false},
		{"5000", "4999", "+0", false},
		{"5000", "4999", "-10", false},
		{"5000", "4999", never, false},
		{"5000", never, "+1800", false},
		{never, "4999", "+1800", false},
		{"0", "0", "+1800", false},
		{"-1", "5", "+1800", false},
		{"5000", "-1", "+1800", false},
		{"5000", "4.5", "+1800", false},
		{"99999999999999999999", "1", "+1800", false},
		{never, never, never, false},
	} {
		h := http.Header{}
		set := func(name, v string) {
			if v != never {
				h.Set(name, v)
			}
		}
		set("X-RateLimit-Limit", c.limit)
		set("X-RateLimit-Remaining", c.remaining)
		if after, err := strconv.Atoi(c.reset); err == nil {
			set("X-RateLimit-Reset", fmt.Sprint(noon.Add(time.Duration(after)*time.Second).Unix()))
		}
		if got, ok := toldBy(h, noon); ok != c.ok || ok && (fmt.Sprint(got.limit) != c.limit || !got.reset.After(noon)) {
			t.Errorf("%+v: %+v, %v", c, got, ok)
		}
	}
}

// Whatever the server's clock says, the wait until the reset is by ours.
func TestResetIsTurnedToOurClock(t *testing.T) {
	for _, off := range []time.Duration{0, time.Second, -time.Second, 2 * time.Second, time.Hour, -time.Hour, 48 * time.Hour} {
		server := noon.Add(off)
		h := http.Header{
			"Date": {server.Format(http.TimeFormat)}, "X-Ratelimit-Limit": {"5000"}, "X-Ratelimit-Remaining": {"0"},
			"X-Ratelimit-Reset": {fmt.Sprint(server.Add(20 * time.Minute).Unix())},
		}
		want := minutes(20)
		if off.Abs() < 2*time.Second {
			want = want.Add(off) // within what a Date can tell
		}
		if got, ok := toldBy(h, noon); !ok || !got.reset.Equal(want) {
			t.Errorf("%s off: reset at %s (%v), want %s", off, got.reset, ok, want)
		}
		if got := retryAt(h, noon); !got.Equal(want) {
			t.Errorf("%s off: to be tried again at %s, want %s", off, got, want)
		}
		h.Set("Retry-After", server.Add(5*time.Minute).Format(http.TimeFormat))
		want = want.Add(-15 * time.Minute)
		if got := retryAt(h, noon); !got.Equal(want) {
			t.Errorf("%s off: to be tried again at %s, want %s", off, got, want)
		}
	}
}

// What an answer told is learned with the next request, once; that nothing
// remains is known at once.
func TestAnswersAreLearnedOnce(t *testing.T) {
	now := noon
	limits := &localLimits{}
	b := &budget{limits: limits, backfillShare: 0.5, now: func() time.Time { return now }}
	var before int64
	tell := func(remaining int) {
		b.answered(t.Context(), before, http.Header{
			"X-Ratelimit-Limit": {"5000"}, "X-Ratelimit-Remaining": {fmt.Sprint(remaining)}, "X-Ratelimit-Reset": {fmt.Sprint(minutes(60).Unix())},
		})
	}
	take := func() {
		t.Helper()
		var err error
		if before, err = b.take(t.Context(), "op"); err != nil {
			t.Fatal(err)
		}
	}
	take()
	tell(3000)
	tell(2990)
	if w := *limits.windows[0]; w.Limit != 0 || len(b.unknown) != 2 {
		t.Errorf("before the next request: %+v, %d unknown", w, len(b.unknown))
	}
	take()
	if w := *limits.windows[0]; w.Remaining != 2989 || len(b.unknown) != 0 {
		t.Errorf("with the next request: %+v, %d unknown", w, len(b.unknown))
	}
	tell(0)
	if w := *limits.windows[0]; !w.Closed.Equal(minutes(60)) {
		t.Errorf("with nothing left: %+v", w)
	}
	now = minutes(60)
	take()
	if w := *limits.windows[0]; w.Remaining != 4999 || !w.Guessed {
		t.Errorf("in the next hour: %+v", w)
	}
}

// A pause, or an hour, that is to last longer than GitHub's do was left by a clock that
// was wrong: it keeps nobody waiting.
func TestWindowOfAWrongClock(t *testing.T) {
	for name, w := range map[string]Window{
		"a pause":  {Limit: 5000, Remaining: 5000, Reset: minutes(30), Closed: noon.Add(maxWait + time.Minute)},
		"an hour":  {Limit: 5000, Remaining: 0, Reset: noon.Add(maxWait + time.Minute)},
		"for ever": {Limit: 5000, Remaining: 0, Reset: noon.AddDate(100, 0, 0), Closed: noon.AddDate(100, 0, 0)},
	} {
		if until := w.waitUntil(noon, 0, 0); !until.IsZero() {
			t.Errorf("%s: waits until %s", name, until)
		}
	}
	longest := Window{Closed: noon.Add(maxWait)}
	if until := longest.waitUntil(noon, 0, 0); !until.Equal(longest.Closed) {
		t.Errorf("the longest pause is over at %s", until)
	}
}
