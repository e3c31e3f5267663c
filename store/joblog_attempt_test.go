package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/store"
)

// troubles is what the ledger counts of a job: since when, days of failures and of
// refusals, and the last day.
type troubles struct {
	Since           string
	Failed, Refused int
	On              string
}

func (f *fixture) troubles(id int64) troubles {
	f.t.Helper()
	l, s := f.log(id), troubles{}
	if l.TryingSince != nil {
		s.Since = l.TryingSince.UTC().Format(time.DateTime)
	}
	if l.FailedDays != nil {
		s.Failed = *l.FailedDays
	}
	if l.RefusedDays != nil {
		s.Refused = *l.RefusedDays
	}
	if l.FailedOn != nil {
		s.On = l.FailedOn.Format(time.DateOnly)
	}
	return s
}

// A day counts once, for what was met first on it, whatever was missed in between.
func TestDaysOfTroubleAreCountedOnce(t *testing.T) {
	f := newFixture(t)
	f.completed(3)
	first := "2024-07-08 16:48:09"
	for i, step := range []struct {
		at      time.Time
		trouble store.Trouble
		want    troubles
	}{
		{day, "", troubles{}},
		{day, store.NotYet, troubles{Since: first}},
		{day.Add(time.Minute), store.Failed, troubles{first, 1, 0, "2024-07-08"}},
		{day.Add(7 * time.Hour), store.Failed, troubles{first, 1, 0, "2024-07-08"}},
		{day.Add(7 * time.Hour), store.Refused, troubles{first, 1, 0, "2024-07-08"}},
		{day.Add(8 * time.Hour), store.Refused, troubles{first, 1, 1, "2024-07-09"}}, // it is past midnight, UTC
		{day.Add(9 * time.Hour), store.NotYet, troubles{first, 1, 1, "2024-07-09"}},
		{day.AddDate(0, 0, 40), store.Failed, troubles{first, 2, 1, "2024-08-17"}}, // nobody asked meanwhile
		{day.AddDate(50, 0, 0), store.Failed, troubles{first, 3, 1, "2074-07-08"}}, // by a clock that is wrong
		{day.AddDate(0, 0, 41), store.Failed, troubles{first, 4, 1, "2024-08-18"}},
		{day.Add(-time.Hour), store.NotYet, troubles{"2024-07-08 15:48:09", 4, 1, "2024-08-18"}},
	} {
		l := f.log(3)
		days := map[store.Trouble]int{store.Failed: step.want.Failed, store.Refused: step.want.Refused}[step.trouble]
		if got := l.TroubleDays(step.trouble, step.at); got != days && i != 4 { // whose day is counted for another
			t.Errorf("step %d would be day %d of it, want %d", i, got, days)
		}
		f.check(f.db.NoteAttempt(t.Context(), store.Attempt{JobID: 3, Trouble: step.trouble, At: step.at}))
		if diff := cmp.Diff(step.want, f.troubles(3)); diff != "" {
			t.Errorf("step %d (-want +got):\n%s", i, diff)
		}
	}
	f.check(f.db.NoteAnswer(t.Context(), 3))
	if diff := cmp.Diff(troubles{"", 4, 1, "2024-08-18"}, f.troubles(3)); diff != "" {
		t.Errorf("after an answer (-want +got):\n%s", diff)
	}
}

// What is given up keeps what was counted; an archived job is asked for no more.
func TestTroubleOfASettledJob(t *testing.T) {
	f := newFixture(t)
	for id, state := range map[int64]string{3: store.LogMissing, 4: store.LogArchived, 5: store.LogDenied} {
		f.completed(id)
		f.check(f.db.NoteAttempt(t.Context(), store.Attempt{JobID: id, Trouble: store.Failed, At: day}))
		s := settledAs(id, state)
		if state != store.LogArchived {
			s.Trouble = store.Refused
		}
		changed, err := f.db.Settle(t.Context(), s, day.AddDate(0, 0, 1))
		f.check(err)
		want := troubles{"2024-07-08 16:48:09", 1, 1, "2024-07-09"}
		if state == store.LogArchived {
			want = troubles{"", 1, 0, "2024-07-08"}
		}
		if diff := cmp.Diff(want, f.troubles(id)); diff != "" || !changed {
			t.Errorf("%s (-want +got):\n%s", state, diff)
		}
		// It is settled, and a worker that comes late changes nothing.
		f.check(f.db.NoteAttempt(t.Context(), store.Attempt{JobID: id, Trouble: store.Failed, At: day.AddDate(0, 0, 2)}))
		if got := f.troubles(id).Failed; (got == 2) != (state == store.LogDenied) {
			t.Errorf("%s: %d days of failures", state, got)
		}
	}
}

func TestForHowLongAJobIsTried(t *testing.T) {
	for _, c := range []struct {
		since *time.Time
		want  time.Duration
	}{
		{nil, 0}, {new(day), 0}, {new(day.Add(-time.Hour)), time.Hour}, {new(day.Add(time.Hour)), 0},
	} {
		if got := (store.Troubles{TryingSince: c.since}).TryingFor(day); got != c.want {
			t.Errorf("since %v: %s, want %s", c.since, got, c.want)
		}
	}
}
