package store_test

import (
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/store"
)

var manifestDay = time.Date(2024, 7, 8, 0, 0, 0, 0, time.UTC)

// unlisted are the jobs that a manifest of the day would list.
func (f *fixture) unlisted() []int64 {
	f.t.Helper()
	var ids []int64
	for after := int64(0); ; {
		lines, err := f.db.Unlisted(f.t.Context(), manifestDay.AddDate(0, 0, 1), after, 2)
		f.check(err)
		if len(lines) == 0 {
			return ids
		}
		for _, l := range lines {
			ids = append(ids, l.JobID)
		}
		after = ids[len(ids)-1]
	}
}

// listedAs is what a manifest's line says of a job as it is in the ledger.
func (f *fixture) listedAs(job int64) store.Listed {
	f.t.Helper()
	l := f.log(job)
	listed := store.Listed{
		JobID: job, State: l.State, SettledAt: *l.SettledAt, SHA256: l.SHA256, StoredSHA256: l.StoredSHA256, StoredBytes: l.StoredBytes,
		DetailsSHA256: l.DetailsSHA256, DetailsBytes: l.DetailsBytes, SettledSHA256: l.SettledSHA256, SettledBytes: l.SettledBytes, Whole: true, Truncated: l.Truncated,
	}
	if l.Reason != nil {
		listed.Reason = *l.Reason
	}
	if l.HTTPStatus != nil {
		listed.HTTPStatus = *l.HTTPStatus
	}
	return listed
}

func (f *fixture) mark(date time.Time, lines ...store.Listed) int64 {
	f.t.Helper()
	n, err := f.db.MarkListed(f.t.Context(), date, lines)
	f.check(err)
	return n
}

// A settlement is to be listed until it is marked, and again when what the line says
// of the job has changed since; whatever statement changes it.
func TestSettlementsAreListedUntilTheyAreMarked(t *testing.T) {
	f := newFixture(t)
	f.completed(1, 2, 3, 4, 5, 6)
	for id, state := range map[int64]string{1: store.LogArchived, 2: store.LogMissing, 3: store.LogNone, 4: store.LogDenied, 6: store.LogArchived} {
		f.settle(settledAs(id, state))
	}
	if diff := cmp.Diff([]int64{1, 2, 3, 6}, f.unlisted()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if lines, err := f.db.Unlisted(t.Context(), day, 0, 10); err != nil || len(lines) > 0 {
		t.Errorf("what is settled later is listed: %v, %v", lines, err)
	}
	if n := f.mark(manifestDay, f.listedAs(1), f.listedAs(2), f.listedAs(3), f.listedAs(6)); n != 4 {
		t.Errorf("%d marked", n)
	}
	if n := f.mark(manifestDay, f.listedAs(1)); n != 0 || f.unlisted() != nil {
		t.Errorf("a second time %d are marked, and %v listed", n, f.unlisted())
	}
	if l := f.log(1); !l.ManifestDate.Equal(manifestDay) {
		t.Errorf("%+v", l)
	}
	f.exec(`UPDATE job_logs SET usage_version = 7, attempts = 9`)
	if got := f.unlisted(); got != nil {
		t.Errorf("of no interest to a manifest, and listed again: %v", got)
	}
	f.settle(archivedAs(2))
	f.exec(`UPDATE job_logs SET state = 'removed', settled_at = settled_at + interval '1 minute' WHERE job_id = 6`)
	o := *archivedAs(1).Object
	o.StoredSHA256, o.StoredBytes = sha256.Sum256([]byte("repaired")), 77
	if done, err := f.db.RepairObject(t.Context(), 1, o); err != nil || !done {
		t.Fatal(done, err)
	}
	if diff := cmp.Diff([]int64{1, 2, 6}, f.unlisted()); diff != "" {
		t.Errorf("changed since (-want +got):\n%s", diff)
	}
}

// What was listed and has become something else meanwhile is left for the next one.
func TestOnlyWhatIsTrueStillIsMarked(t *testing.T) {
	f := newFixture(t)
	f.completed(1, 2, 3)
	f.settle(settledAs(1, store.LogMissing))
	f.settle(archivedAs(2))
	f.settle(archivedAs(3))
	lines := []store.Listed{f.listedAs(1), f.listedAs(2), f.listedAs(3), {JobID: 99, State: store.LogArchived, SettledAt: day}}
	f.settle(archivedAs(1))
	lines[1].SHA256 = make([]byte, 32)
	if n := f.mark(manifestDay, lines...); n != 1 {
		t.Errorf("%d marked", n)
	}
	if diff := cmp.Diff([]int64{1, 2}, f.unlisted()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// job.json is noted where it is put, and with what is listed; another one is listed
// again.
func TestDetailsAreNoted(t *testing.T) {
	f := newFixture(t)
	details := func(s string) *store.Details {
		return &store.Details{SHA256: sha256.Sum256([]byte(s)), Bytes: int64(len(s))}
	}
	facts := factsOf(1, "completed")
	facts.Details = details("first")
	f.fetch(facts)
	s := archivedAs(1)
	f.settle(s)
	f.completed(2, 3)
	s = archivedAs(2)
	s.Details = details("second")
	f.settle(s)
	f.settle(archivedAs(3))
	for id, want := range map[int64]*store.Details{1: details("first"), 2: details("second")} {
		if l := f.log(id); string(l.DetailsSHA256) != string(want.SHA256[:]) || *l.DetailsBytes != want.Bytes {
			t.Errorf("job %d: %+v", id, l)
		}
	}
	if l := f.log(3); l.DetailsSHA256 != nil || l.DetailsBytes != nil {
		t.Errorf("%+v", l)
	}
	line := f.listedAs(3)
	third := details("third")
	line.DetailsSHA256, line.DetailsBytes = third.SHA256[:], &third.Bytes
	f.mark(manifestDay, f.listedAs(1), f.listedAs(2), line)
	if l := f.log(3); string(l.DetailsSHA256) != string(third.SHA256[:]) || l.ManifestDate == nil {
		t.Errorf("read for the manifest, and not noted: %+v", l)
	}
	f.check(f.db.RecordDetails(t.Context(), 1, *details("first")))
	f.check(f.db.RecordDetails(t.Context(), 2, *details("repaired")))
	if diff := cmp.Diff([]int64{2}, f.unlisted()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestManifestsAreNotedOnce(t *testing.T) {
	f := newFixture(t)
	if _, err := f.db.LastManifest(t.Context()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of none: %v", err)
	}
	first := store.Manifest{Date: manifestDay, SHA256: sum("1"), StoredSHA256: sum("s1"), Jobs: 3, StoredBytes: 99, WrittenAt: day}
	second := store.Manifest{Date: manifestDay.AddDate(0, 0, 1), Previous: &first.Date, SHA256: sum("2"), StoredSHA256: sum("s2"), WrittenAt: day}
	for _, m := range []store.Manifest{first, second, first} {
		f.check(f.db.RecordManifest(t.Context(), m))
	}
	other := first
	other.SHA256 = sum("other")
	if err := f.db.RecordManifest(t.Context(), other); !errors.Is(err, store.ErrOtherManifest) {
		t.Errorf("another one of the day: %v", err)
	}
	all, err := f.db.Manifests(t.Context())
	f.check(err)
	if diff := cmp.Diff([]store.Manifest{first, second}, all); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	last, err := f.db.LastManifest(t.Context())
	f.check(err)
	if diff := cmp.Diff(second, last); diff != "" {
		t.Errorf("last (-want +got):\n%s", diff)
	}
}

func TestOneWritesManifestsAtATime(t *testing.T) {
	f := newFixture(t)
	var holding, most atomic.Int64
	var held atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				unlock, ok, err := f.db.LockManifests(t.Context())
				if err != nil {
					t.Error(err)
				}
				if !ok {
					continue
				}
				held.Add(1)
				most.Store(max(most.Load(), holding.Add(1)))
				holding.Add(-1)
				unlock()
			}
		})
	}
	wg.Wait()
	if held.Load() == 0 || most.Load() != 1 {
		t.Errorf("held %d times, by up to %d at once", held.Load(), most.Load())
	}
	if unlock, ok, err := f.db.LockManifests(t.Context()); err != nil || !ok {
		t.Errorf("free again: %v, %v", ok, err)
	} else {
		unlock()
	}
}
