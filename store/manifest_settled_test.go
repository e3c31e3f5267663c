package store_test

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/store"
)

func recordOf(s string) store.Details {
	return store.Details{SHA256: sha256.Sum256([]byte(s)), Bytes: int64(len(s))}
}

func (f *fixture) finish(job int64, settled string) {
	f.t.Helper()
	f.exec(`UPDATE log_removals SET logged_in = 1 WHERE job_id = $1`, job)
	f.check(f.db.FinishRemoval(f.t.Context(), job, func() time.Time { return day },
		func(context.Context, store.RemovedJob) (store.Details, error) { return recordOf(settled), nil },
		func(context.Context, store.RemovedJob) error { return nil }))
}

// settled.json is noted where it is put, and a job is listed again whenever it is
// another one: by a removal, by its finishing, by a redaction, by a repair.
func TestJobsAreListedAgainWithAnotherRecord(t *testing.T) {
	f := newFixture(t)
	f.completed(1, 2)
	s := settledAs(1, store.LogMissing)
	s.Settled = new(recordOf("missing"))
	f.settle(s)
	f.settle(archivedAs(2))
	date := manifestDay
	list := func(when string, want ...int64) {
		t.Helper()
		if diff := cmp.Diff(want, f.unlisted()); diff != "" {
			t.Errorf("%s (-want +to be listed):\n%s", when, diff)
		}
		for _, id := range want {
			line := f.listedAs(id)
			if l := f.log(id); l.Redaction != nil {
				line.Redactions = l.Redaction.SHA256
			}
			if f.mark(date, line) != 1 {
				t.Errorf("%s: job %d is not marked", when, id)
			}
		}
		date = date.AddDate(0, 0, 1)
		if got := f.unlisted(); got != nil {
			t.Errorf("%s: %v are to be listed once more", when, got)
		}
	}
	list("settled", 1, 2)
	f.check(f.db.RecordSettled(t.Context(), 1, recordOf("missing")))
	list("as it was")
	f.check(f.db.RecordSettled(t.Context(), 1, recordOf("repaired")))
	list("repaired", 1)
	there := func(context.Context) error { return nil }
	copied := store.Redaction{
		JobID: 2, Number: 1, ObjectKey: "v1/1/2/1/2/redacted-1.zst", SHA256: sum("copy"), StoredSHA256: sum("stored"), Actor: "eve", Reason: "a token", At: day,
	}
	f.check(f.db.Redact(t.Context(), copied, f.log(2).SHA256, nil, nil, there))
	if l := f.log(2); l.SettledSHA256 != nil || l.SettledBytes != nil {
		t.Errorf("settled.json is about to be another one, and is noted as %+v", l)
	}
	list("redacted", 2)
	f.finish(2, "removed")
	if l := f.log(2); string(l.SettledSHA256) != string(sum("removed")) || *l.SettledBytes != 7 {
		t.Errorf("%+v", l)
	}
	list("finished", 2)
	f.finish(2, "of nobody: it is finished")
	list("finished again")
	f.exec(`UPDATE log_redactions SET actor = 'mallory'`)
	list("a copy's row is another", 2)
	was := f.listedAs(2)
	was.Redactions = sum("copy")
	copied.Number, copied.SHA256, copied.At = 2, sum("second"), day.Add(time.Minute)
	f.check(f.db.Redact(t.Context(), copied, sum("copy"), nil, nil, there))
	if n := f.mark(date, was); n != 0 {
		t.Errorf("redacted again since the line was written, and marked")
	}
	list("redacted again", 2)
	f.check(f.db.RemoveByHand(t.Context(), 2, "bob", "all of it", day.Add(2*time.Minute)))
	f.finish(2, "all removed")
	list("removed altogether", 2)
}

// An older manifest does not tell of settled.json: a job that has one is left for the
// next manifest. Where nobody has looked, whoever lists the job did.
func TestManifestsThatTellOfLogsAlone(t *testing.T) {
	f := newFixture(t)
	f.completed(1, 2, 3, 4)
	s := settledAs(1, store.LogMissing)
	s.Settled = new(recordOf("missing"))
	f.settle(s)
	f.settle(settledAs(2, store.LogNone))
	f.settle(archivedAs(3))
	f.settle(archivedAs(4))
	f.exec(`UPDATE job_logs SET settled_bytes = NULL WHERE job_id IN (2, 4)`)
	var old []store.Listed
	for id := int64(1); id <= 4; id++ {
		l := f.listedAs(id)
		l.Whole, l.SettledSHA256, l.SettledBytes = false, nil, nil
		old = append(old, l)
	}
	if n := f.mark(manifestDay, old...); n != 2 {
		t.Errorf("%d marked", n)
	}
	if diff := cmp.Diff([]int64{1, 2}, f.unlisted()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	read, late := f.listedAs(2), f.listedAs(4)
	none := recordOf("none")
	read.SettledSHA256, read.SettledBytes = none.SHA256[:], &none.Bytes
	f.exec(`UPDATE job_logs SET manifest_date = NULL WHERE job_id = 4`)
	if n := f.mark(manifestDay.AddDate(0, 0, 1), f.listedAs(1), read, late); n != 3 {
		t.Errorf("%d marked", n)
	}
	if l := f.log(2); string(l.SettledSHA256) != string(sum("none")) || *l.SettledBytes != 4 {
		t.Errorf("read for the manifest, and not noted: %+v", l)
	}
	if l := f.log(4); l.SettledBytes == nil || *l.SettledBytes != 0 {
		t.Errorf("looked for, and not noted: %+v", l)
	}
}

func sum(s string) []byte { b := sha256.Sum256([]byte(s)); return b[:] }
