package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jobvault/jobvault/store"
)

// hour is a time that many hours after day.
func hour(n int) time.Time { return day.Add(time.Duration(n) * time.Hour) }

// repository makes one known under an id.
func (f *fixture) repository(id int64, owner, name string) {
	f.t.Helper()
	_, err := f.db.SeeRepositories(f.t.Context(), []store.Repository{{ID: id, Owner: owner, Name: name}})
	f.check(err)
}

func (f *fixture) sweep(id int64) store.Sweep {
	f.t.Helper()
	s, err := f.db.Sweep(f.t.Context(), id)
	f.check(err)
	return s
}

// stretch is a call of NoteSwept, in hours after day.
type stretch struct {
	from, to int
	onward   bool
}

func (f *fixture) note(repository int64, ss ...stretch) {
	f.t.Helper()
	for _, s := range ss {
		f.check(f.db.NoteSwept(f.t.Context(), repository, store.TimeRange{From: hour(s.from), To: hour(s.to), Certain: true, Onward: s.onward}))
	}
}

// swept are the stretches as they are kept, in hours after day.
func (f *fixture) swept(repository int64) []string {
	f.t.Helper()
	return column[string](f, `
		SELECT format('%s-%s', extract(epoch FROM lower(r) - $2)::bigint / 3600, extract(epoch FROM upper(r) - $2)::bigint / 3600)
		FROM (SELECT unnest(swept) FROM sweeps WHERE repository_id = $1) s(r)`, repository, day)
}

// Time ranges are joined where they touch or overlap, in whatever order they come, and
// only those that go onward move the watermark, which never goes back.
func TestSweptStretchesAreUnited(t *testing.T) {
	for _, c := range []struct {
		name      string
		noted     []stretch
		want      []string
		begin     *time.Time
		watermark *time.Time
	}{
		{"one", []stretch{{0, 2, true}}, []string{"0-2"}, new(hour(0)), new(hour(2))},
		{"adjacent", []stretch{{0, 2, true}, {2, 3, true}}, []string{"0-3"}, new(hour(0)), new(hour(3))},
		{"adjacent, backwards", []stretch{{2, 3, true}, {0, 2, true}}, []string{"0-3"}, new(hour(0)), new(hour(3))},
		{"overlapping", []stretch{{0, 2, true}, {1, 5, true}}, []string{"0-5"}, new(hour(0)), new(hour(5))},
		{"one in another", []stretch{{0, 9, true}, {3, 4, true}}, []string{"0-9"}, new(hour(0)), new(hour(9))},
		{"the same twice", []stretch{{0, 2, true}, {0, 2, true}}, []string{"0-2"}, new(hour(0)), new(hour(2))},
		{"a gap", []stretch{{0, 2, true}, {5, 6, false}}, []string{"0-2", "5-6"}, new(hour(0)), new(hour(2))},
		{"a gap that is filled", []stretch{{0, 2, true}, {5, 6, false}, {2, 5, false}}, []string{"0-6"}, new(hour(0)), new(hour(2))},
		{"history before", []stretch{{10, 12, true}, {-50, -40, false}}, []string{"-50--40", "10-12"}, new(hour(-50)), new(hour(12))},
		{"only history", []stretch{{-50, -40, false}}, []string{"-50--40"}, new(hour(-50)), nil},
		{"history first", []stretch{{-50, -40, false}, {10, 12, true}}, []string{"-50--40", "10-12"}, new(hour(-50)), new(hour(12))},
		{"empty", []stretch{{3, 3, true}}, nil, nil, nil},
		{"from end to begin", []stretch{{0, 2, true}, {5, 3, true}}, []string{"0-2"}, new(hour(0)), new(hour(2))},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.repository(1, "acme", "rocket")
			f.repository(2, "acme", "other")
			f.note(1, c.noted...)
			if diff := cmp.Diff(c.want, f.swept(1), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("swept (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(store.Sweep{RepositoryID: 1, Begin: c.begin, Watermark: c.watermark}, f.sweep(1)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(store.Sweep{RepositoryID: 2}, f.sweep(2)); diff != "" {
				t.Errorf("another repository's:\n%s", diff)
			}
		})
	}
}

// Whatever the order, the same hours are swept.
func TestSweptDoesNotDependOnOrder(t *testing.T) {
	f := newFixture(t)
	var all []stretch
	for i := range 20 {
		all = append(all, stretch{3 * i, 3*i + 2 + i%2, false})
	}
	var want []string
	for round := range int64(5) {
		f.repository(round+1, "acme", fmt.Sprint("rocket-", round))
		f.note(round+1, all...)
		got := f.swept(round + 1)
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" || len(got) != 11 {
			t.Errorf("round %d: %d stretches (-first +now):\n%s", round, len(got), diff)
		}
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
}

// A time range of a repository that nobody knows is an error, not a row.
func TestSweepNeedsItsRepository(t *testing.T) {
	f := newFixture(t)
	if err := f.db.NoteSwept(t.Context(), 7, store.TimeRange{From: hour(0), To: hour(1), Certain: true, Onward: true}); err == nil {
		t.Error("noted")
	}
}

// A success forgets the failure and the ETag before it; deep_at never goes back,
// and how far was swept is no matter of either.
func TestSweepSucceedsAndFails(t *testing.T) {
	f := newFixture(t)
	f.repository(1, "acme", "rocket")
	ctx := t.Context()
	f.check(f.db.SweepFailed(ctx, 1, "no network", hour(1)))
	want := store.Sweep{RepositoryID: 1, FailedAt: new(hour(1)), Error: new("no network")}
	step := func(what string) {
		t.Helper()
		if diff := cmp.Diff(want, f.sweep(1)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	step("failed at first")
	f.check(f.db.SweepFailed(ctx, 1, "denied", hour(2)))
	want.FailedAt, want.Error = new(hour(2)), new("denied")
	step("failed again")
	f.note(1, stretch{0, 3, true})
	want.Begin, want.Watermark = new(hour(0)), new(hour(3))
	step("swept a part")
	f.check(f.db.NoteDeep(ctx, 1, hour(3)))
	f.check(f.db.SweepSucceeded(ctx, store.Sweep{RepositoryID: 1, ListedFrom: new(hour(2)), ETag: new(`W/"a"`)}, hour(3)))
	want.DeepAt, want.ListedFrom, want.ETag, want.SucceededAt = new(hour(3)), new(hour(2)), new(`W/"a"`), new(hour(3))
	want.FailedAt, want.Error = nil, nil
	step("succeeded")
	f.exec(`UPDATE sweeps SET etag = 'W/"b"'`)
	want.ListedFrom, want.ETag = nil, nil
	step("an older jobvault has listed")
	f.exec(`UPDATE sweeps SET etag = 'W/"a"'`)
	want.ListedFrom, want.ETag = new(hour(2)), new(`W/"a"`)
	step("and found what was read")
	f.check(f.db.SweepFailed(ctx, 1, "denied", hour(4)))
	want.FailedAt, want.Error = new(hour(4)), new("denied")
	step("failed after a success")
	f.check(f.db.SweepSucceeded(ctx, store.Sweep{RepositoryID: 1}, hour(5)))
	want.ListedFrom, want.ETag, want.SucceededAt, want.FailedAt, want.Error = nil, nil, new(hour(5)), nil, nil
	step("succeeded without an ETag")
	f.check(f.db.NoteDeep(ctx, 1, hour(1)))
	f.check(f.db.SweepSucceeded(ctx, store.Sweep{RepositoryID: 1}, hour(6)))
	want.SucceededAt = new(hour(6))
	step("a late deep sweep")
	f.check(f.db.NoteDeep(ctx, 1, hour(7)))
	f.check(f.db.SweepSucceeded(ctx, store.Sweep{RepositoryID: 1}, hour(7)))
	want.DeepAt, want.SucceededAt = new(hour(7)), new(hour(7))
	step("a deep sweep")
}
