package store_test

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/store"
)

// longerThan is the settlement of a longer log than the one that the ledger has.
func longerThan(l store.JobLog) store.Settlement {
	s := archivedAs(l.JobID)
	s.Object.Key, s.Object.RawBytes, s.Object.Lines = *l.ObjectKey+"+", *l.RawBytes+10, *l.Lines+1
	s.Object.SHA256 = sha256.Sum256(l.SHA256)
	s.Object.StoredSHA256 = sha256.Sum256(append(l.SHA256, 's'))
	return s
}

// lengthen says whether the ledger took a longer log in the place of the one with a digest.
func (f *fixture) lengthen(s store.Settlement, of []byte) bool {
	f.t.Helper()
	changed, err := f.db.Lengthen(f.t.Context(), s, of, day.Add(time.Hour))
	f.check(err)
	return changed
}

// A longer log takes the place of the one that the caller read, and of no other; what that
// was stays on record, in the order in which they came.
func TestALongerLogTakesThePlace(t *testing.T) {
	f := newFixture(t)
	f.completed(1)
	f.settle(archivedAs(1, store.StepLines{Number: 1, First: 1, Last: 2}))
	f.exec(`UPDATE job_logs SET manifest_date = '2026-03-01'`)
	first := f.log(1)
	second := longerThan(first)
	if f.lengthen(second, second.Object.SHA256[:]) {
		t.Error("it took the place of another one")
	}
	for _, size := range []int64{0, *first.RawBytes - 1, *first.RawBytes} {
		shorter := second
		object := *second.Object
		object.RawBytes, shorter.Object = size, &object
		if f.lengthen(shorter, first.SHA256) {
			t.Errorf("one of %d bytes took the place of %d", size, *first.RawBytes)
		}
	}
	if diff := cmp.Diff(first, f.log(1)); diff != "" {
		t.Fatalf("the ledger has changed (-before +after):\n%s", diff)
	}
	if !f.lengthen(second, first.SHA256) || f.lengthen(second, first.SHA256) {
		t.Error("it did not take the place once")
	}
	now := f.log(1)
	if *now.RawBytes != second.Object.RawBytes || *now.ObjectKey != second.Object.Key || now.ManifestDate != nil || !now.SettledAt.Equal(day.Add(time.Hour)) {
		t.Errorf("the ledger says %+v", now)
	}
	third := longerThan(now)
	if !f.lengthen(third, now.SHA256) {
		t.Error("a third one did not take the place")
	}
	var sums []string
	for _, s := range f.log(1).Shorter {
		sums = append(sums, fmt.Sprintf("%d %d %x", s.Number, s.RawBytes, s.SHA256))
	}
	want := []string{fmt.Sprintf("1 %d %x", *first.RawBytes, first.SHA256), fmt.Sprintf("2 %d %x", second.Object.RawBytes, second.Object.SHA256)}
	if diff := cmp.Diff(want, sums); diff != "" {
		t.Errorf("shorter logs (-want +got):\n%s", diff)
	}
	for name, read := range map[string]func() ([]store.ShorterLog, error){
		"the ledger": func() ([]store.ShorterLog, error) {
			l, err := f.db.Ledger(t.Context(), store.LedgerFilter{}, 0, 10)
			return l[0].Shorter, err
		},
		"by ids": func() ([]store.ShorterLog, error) {
			l, err := f.db.LedgerOf(t.Context(), []int64{1})
			return l[1].Shorter, err
		},
		"details": func() ([]store.ShorterLog, error) {
			j, err := f.db.JobDetails(t.Context(), 1)
			return j.Log.Shorter, err
		},
		"for a manifest": func() ([]store.ShorterLog, error) {
			l, err := f.db.Unlisted(t.Context(), day.Add(24*time.Hour), 0, 10)
			return l[0].Shorter, err
		},
	} {
		if got, err := read(); err != nil || len(got) != 2 {
			t.Errorf("%s: %d, %v", name, len(got), err)
		}
	}
}

// Only an archived log gives its place.
func TestOnlyAnArchivedLogGivesItsPlace(t *testing.T) {
	f := newFixture(t)
	f.completed(1)
	f.settle(archivedAs(1))
	was := f.log(1)
	longer := longerThan(was)
	f.check(f.db.RemoveByHand(t.Context(), 1, "ada", "a token", time.Now()))
	if f.lengthen(longer, was.SHA256) {
		t.Error("a removed log came back")
	}
	for i, state := range allStates {
		if id := int64(10 + i); state != store.LogArchived {
			f.completed(id)
			f.settle(settledAs(id, state))
			s := longer
			s.JobID = id
			if f.lengthen(s, was.SHA256) || f.lengthen(s, nil) {
				t.Errorf("a log that is %s became archived", state)
			}
		}
	}
	if n := scalar[int](f, `SELECT count(*) FROM shorter_logs`); n != 0 {
		t.Errorf("%d rows of shorter logs", n)
	}
}

// Of many that have a longer log at once, one has it take the place.
func TestOfManyWorkersOneLengthens(t *testing.T) {
	f := newFixture(t)
	f.completed(1)
	f.settle(archivedAs(1))
	was := f.log(1)
	longer := longerThan(was)
	longer.Usage = &joblog.Usage{}
	var wg sync.WaitGroup
	var took atomic.Int32
	for range 8 {
		wg.Go(func() {
			if changed, err := f.db.Lengthen(t.Context(), longer, was.SHA256, day); err != nil {
				t.Error(err)
			} else if changed {
				took.Add(1)
			}
		})
	}
	wg.Wait()
	if n := scalar[int](f, `SELECT count(*) FROM shorter_logs`); took.Load() != 1 || n != 1 {
		t.Errorf("%d took the place, and %d rows tell of it", took.Load(), n)
	}
}

func TestCorrectShorterKeepsToTheDigest(t *testing.T) {
	f := newFixture(t)
	f.completed(1)
	f.settle(archivedAs(1))
	was := f.log(1)
	f.lengthen(longerThan(was), was.SHA256)
	correct := func(s store.ShorterLog) bool {
		t.Helper()
		done, err := f.db.CorrectShorter(t.Context(), s)
		f.check(err)
		return done
	}
	const listed = `SELECT manifest_date IS NOT NULL FROM job_logs`
	f.exec(`UPDATE job_logs SET manifest_date = '2026-03-01'`)
	s := f.log(1).Shorter[0]
	if !correct(s) || !scalar[bool](f, listed) {
		t.Error("what is as it was listed is listed again")
	}
	s.StoredBytes, s.StoredSHA256 = 4711, make([]byte, 32)
	if !correct(s) || f.log(1).Shorter[0].StoredBytes != 4711 || scalar[bool](f, listed) {
		t.Errorf("%+v; listed: %t", f.log(1).Shorter[0], scalar[bool](f, listed))
	}
	other := s
	if other.SHA256 = make([]byte, 32); correct(other) {
		t.Error("the row of another log is corrected")
	}
	f.check(f.db.RemoveByHand(t.Context(), 1, "ada", "a token", time.Now()))
	if correct(s) {
		t.Error("the object of a removed log was made again")
	}
}

// What the ledger has forgotten of a log that it has is noted once, and of no other log.
func TestRememberShorter(t *testing.T) {
	f := newFixture(t)
	f.completed(1)
	f.settle(archivedAs(1))
	was := f.log(1)
	f.lengthen(longerThan(was), was.SHA256)
	now := f.log(1)
	f.exec(`DELETE FROM shorter_logs`)
	f.exec(`UPDATE job_logs SET manifest_date = '2026-03-01'`)
	remember := func(of []byte) bool {
		t.Helper()
		done, err := f.db.RememberShorter(t.Context(), 1, of, now.Shorter)
		f.check(err)
		return done
	}
	if remember(was.SHA256) {
		t.Error("it is remembered of another log")
	}
	if !remember(now.SHA256) || remember(now.SHA256) {
		t.Error("it is not remembered once")
	}
	if diff := cmp.Diff(now, f.log(1)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}
