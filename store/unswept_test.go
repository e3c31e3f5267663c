package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jobvault/jobvault/store"
)

// unswept are the gaps, in hours after day.
func (f *fixture) unswept(repository int64, from, to, again time.Time) []string {
	f.t.Helper()
	gaps, err := f.db.Unswept(f.t.Context(), repository, from, to, again)
	f.check(err)
	var got []string
	for _, g := range gaps {
		if g.Certain || g.Onward {
			f.t.Errorf("a gap that says more than from and to: %+v", g)
		}
		got = append(got, fmt.Sprintf("%g-%g", g.From.Sub(day).Hours(), g.To.Sub(day).Hours()))
	}
	return got
}

// What does not count as swept, or only until then, is what is left to list.
func TestUnswept(t *testing.T) {
	const late = 1000 // nothing is listed again
	for _, c := range []struct {
		name            string
		swept           []stretch
		from, to, again int
		want            []string
	}{
		{"nothing swept", nil, 0, 10, late, []string{"0-10"}},
		{"nothing asked for", nil, 5, 5, late, nil},
		{"everything", []stretch{{0, 10, false}}, 0, 10, late, nil},
		{"more than everything", []stretch{{-50, 50, true}}, 0, 10, late, nil},
		{"everything, in parts", []stretch{{0, 3, false}, {3, 7, true}, {6, 10, false}}, 0, 10, late, nil},
		{"only what was before", []stretch{{-5, 0, true}}, 0, 10, late, []string{"0-10"}},
		{"only what came after", []stretch{{10, 20, true}}, 0, 10, late, []string{"0-10"}},
		{"the begin", []stretch{{0, 4, true}}, 0, 10, late, []string{"4-10"}},
		{"the end", []stretch{{4, 10, true}}, 0, 10, late, []string{"0-4"}},
		{"the middle", []stretch{{4, 6, true}}, 0, 10, late, []string{"0-4", "6-10"}},
		{"across the begin", []stretch{{-9, 4, true}}, 0, 10, late, []string{"4-10"}},
		{"across the end", []stretch{{4, 99, true}}, 0, 10, late, []string{"0-4"}},
		{"all but holes", []stretch{{0, 1, false}, {2, 5, false}, {6, 10, false}}, 0, 10, late, []string{"1-2", "5-6"}},
		{"holes at both ends", []stretch{{-9, -1, false}, {1, 9, false}, {11, 20, false}}, 0, 10, late, []string{"0-1", "9-10"}},
		{"holes outside", []stretch{{-9, -8, false}, {-1, 11, false}, {12, 20, false}}, 0, 10, late, nil},
		{"in a hole", []stretch{{-9, -1, false}, {11, 20, false}}, 0, 10, late, []string{"0-10"}},
		{"noted in any order", []stretch{{6, 8, false}, {0, 2, false}, {3, 4, false}}, 0, 10, late, []string{"2-3", "4-6", "8-10"}},

		{"again before all", []stretch{{-50, 50, true}}, 0, 10, -20, []string{"0-10"}},
		{"again from the begin", []stretch{{-50, 50, true}}, 0, 10, 0, []string{"0-10"}},
		{"again from the middle", []stretch{{-50, 50, true}}, 0, 10, 4, []string{"4-10"}},
		{"again at the end", []stretch{{-50, 50, true}}, 0, 10, 10, nil},
		{"again after the end", []stretch{{-50, 50, true}}, 0, 10, 11, nil},
		{"again from within a hole", []stretch{{0, 2, false}, {6, 10, false}}, 0, 10, 4, []string{"2-10"}},
		{"again from a hole's begin", []stretch{{0, 2, false}, {6, 10, false}}, 0, 10, 2, []string{"2-10"}},
		{"again from a hole's end", []stretch{{0, 2, false}, {6, 10, false}}, 0, 10, 6, []string{"2-10"}},
		{"again after a hole", []stretch{{0, 2, false}, {6, 10, false}}, 0, 10, 8, []string{"2-6", "8-10"}},
		{"nothing swept, again from the middle", nil, 0, 10, 4, []string{"0-10"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.repository(1, "acme", "rocket")
			f.note(1, c.swept...)
			if diff := cmp.Diff(c.want, f.unswept(1, hour(c.from), hour(c.to), hour(c.again)), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What was listed and is not certain, or failed, or is another repository's, does
// not count as swept.
func TestUnsweptCountsOnlyWhatIsCertain(t *testing.T) {
	f := newFixture(t)
	f.repository(1, "acme", "rocket")
	f.repository(7, "acme", "other")
	f.note(7, stretch{0, 10, true})
	want := func(when string, gaps ...string) {
		t.Helper()
		if diff := cmp.Diff(gaps, f.unswept(1, hour(0), hour(10), hour(1000)), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	want("another's", "0-10")
	f.check(f.db.SweepFailed(t.Context(), 1, "no network", hour(1)))
	want("failed", "0-10")
	uncertain := func(from, to int) {
		t.Helper()
		f.check(f.db.NoteSwept(t.Context(), 1, store.TimeRange{From: hour(from), To: hour(to), Onward: true}))
	}
	uncertain(0, 10)
	want("uncertain, and nothing before", "0-10")
	f.note(1, stretch{2, 4, true})
	want("a part is certain", "0-2", "4-10")
	uncertain(3, 8)
	want("uncertain beside it", "0-2", "4-10")
	f.note(1, stretch{0, 10, true})
	want("all is certain")
	uncertain(0, 10)
	want("uncertain once more")
	if got := f.unswept(99, hour(0), hour(10), hour(1000)); len(got) != 1 {
		t.Errorf("of a repository that nobody knows: %v", got)
	}
}

// Listing the gaps, one after the other, leaves none; and to the microsecond.
func TestUnsweptComesToAnEnd(t *testing.T) {
	f := newFixture(t)
	f.repository(1, "acme", "rocket")
	from, to := hour(0).Add(time.Microsecond), hour(10).Add(-time.Microsecond)
	f.note(1, stretch{2, 3, false}, stretch{5, 6, false})
	gaps, err := f.db.Unswept(t.Context(), 1, from, to, to)
	f.check(err)
	if len(gaps) != 3 || !gaps[0].From.Equal(from) || !gaps[2].To.Equal(to) {
		t.Fatalf("from %s to %s: %+v", from, to, gaps)
	}
	for i := range gaps {
		g := gaps[len(gaps)-1-i]
		g.Certain = true
		f.check(f.db.NoteSwept(t.Context(), 1, g))
		left, err := f.db.Unswept(t.Context(), 1, from, to, to)
		f.check(err)
		if diff := cmp.Diff(gaps[:len(gaps)-1-i], left, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
