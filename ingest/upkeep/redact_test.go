package upkeep_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

const stamped = "2024-07-08T16:48:09.3750041Z "

// A log is redacted again and again, each time in a copy of the copy, until it is
// removed altogether: what GitHub sent, and each copy but the last, is gone each time.
func TestRedactAgainAndAgain(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	raw := "\ufeff" + stamped + "##[error]s3cret and hunter2\r\n" + stamped + "plain\n" + stamped + "##[warning]hunter2"
	c.job(1, days, raw)
	key := archive.JobKey{RepositoryID: 1, RunID: 1001, RunAttempt: 1, JobID: 1}
	original, err := c.DB.JobLog(t.Context(), 1)
	c.Check(err)

	for _, step := range []struct {
		pattern, want string
		matches       int64
	}{
		{"s3cret", strings.ReplaceAll(raw, "s3cret", "[redacted]"), 1},
		{"hunter2", strings.NewReplacer("s3cret", "[redacted]", "hunter2", "[redacted]").Replace(raw), 2},
	} {
		copied, err := c.redact(1, step.pattern)
		c.Check(err)
		if copied.Matches != step.matches || copied.Lines != 3 {
			t.Errorf("the copy is %+v", copied)
		}
		if got := c.text(copied.ObjectKey); got != step.want {
			t.Errorf("%q, want %q", got, step.want)
		}
		c.wantStates(step.pattern, map[int64]string{1: fmt.Sprintf("removed redacted-%d.zst settled.json", copied.Number)})
		c.verified(step.pattern)
		if got := c.table(c.DB, `SELECT message FROM job_annotations WHERE message LIKE '%`+step.pattern+`%'`); len(got) > 0 {
			t.Errorf("annotations quote it still: %v", got)
		}
		for _, table := range []string{"log_removals", "log_redactions", "job_logs"} {
			if got := c.table(c.DB, `SELECT * FROM `+table+` t WHERE t::text LIKE '%`+step.pattern+`%'`); len(got) > 0 {
				t.Errorf("%s has the pattern: %v", table, got)
			}
		}
		l, err := c.DB.JobLog(t.Context(), 1)
		c.Check(err)
		if string(l.SHA256) != string(original.SHA256) || *l.RawBytes != *original.RawBytes || l.ObjectKey != nil || *l.Reason != "redaction: a token" {
			t.Errorf("the ledger says %+v", l)
		}
	}
	if _, err := c.redact(1, "hunter2"); !errors.Is(err, archive.ErrNoMatch) {
		t.Errorf("a third time: %v, want ErrNoMatch", err)
	}
	c.wantStates("after what failed", map[int64]string{1: "removed redacted-2.zst settled.json"})
	_, err = c.redact(1)
	c.Check(err)
	c.wantStates("all removed", map[int64]string{1: "removed settled.json"})
	c.verified("all removed")
	for _, patterns := range [][]string{nil, {"x"}} {
		if _, err := c.redact(1, patterns...); !errors.Is(err, upkeep.ErrNoText) {
			t.Errorf("of nothing: %v, want ErrNoText", err)
		}
		if _, err := c.redact(99, patterns...); !errors.Is(err, upkeep.ErrNoText) {
			t.Errorf("of no job: %v, want ErrNoText", err)
		}
	}
	row, err := c.DB.Removal(t.Context(), 1)
	c.Check(err)
	if len(row.Redactions) != 2 || row.Present() != nil || row.Removal.Kind != store.RemovedByHand || *row.Redactions[0].RemovedBy != "bob" {
		t.Errorf("the record is %+v", row)
	}
	if name := key.Redacted(1); row.Redactions[0].ObjectKey != name {
		t.Errorf("the first copy was %s", row.Redactions[0].ObjectKey)
	}
}

// A redacted copy goes by the rules, as the log would have.
func TestARedactedCopyGoesByTheRules(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	c.job(1, 100*days, "s3cret\n")
	c.job(2, 20*days, "s3cret\n")
	for id := int64(1); id <= 2; id++ {
		_, err := c.redact(id, "s3cret")
		c.Check(err)
	}
	c.rule(store.RetentionRule{KeepDays: new(30)})
	if got := c.planned(); !slices.Equal(got, []int64{1}) {
		t.Errorf("planned %v", got)
	}
	h := c.hold(store.Hold{JobID: new(int64(1))})
	if sum := c.apply(0); sum.Held != 1 || sum.Jobs != 0 {
		t.Errorf("applied %+v", sum)
	}
	c.Check(c.DB.ReleaseHold(t.Context(), h.ID, "eve", c.now))
	if sum := c.apply(0); sum.Jobs != 1 {
		t.Errorf("applied %+v", sum)
	}
	c.wantStates("applied", map[int64]string{1: "removed settled.json", 2: "removed redacted-1.zst settled.json"})
	c.verified("applied")
}

// What a redaction leaves behind that was killed before the ledger knew of its copy is
// named, is no copy that anybody reads, and goes with the next.
func TestACopyThatARedactionLeftBehind(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	c.job(1, days, "s3cret hunter2\n")
	key := archive.JobKey{RepositoryID: 1, RunID: 1001, RunAttempt: 1, JobID: 1}
	_, err := c.Archive.Bucket().Put(t.Context(), key.Redacted(1), strings.NewReader("of a redaction that was killed"))
	c.Check(err)
	v := &upkeep.Verifier{DB: c.DB, Archive: c.Archive, Now: time.Now}
	var faults []string
	_, err = v.Verify(t.Context(), upkeep.VerifyOptions{}, func(f upkeep.Fault) { faults = append(faults, f.Kind+" "+f.Key) }, func(int, int) {})
	c.Check(err)
	if diff := cmp.Diff([]string{"orphan " + key.Redacted(1)}, faults); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	copied, err := c.redact(1, "s3cret")
	c.Check(err)
	if got := c.text(copied.ObjectKey); got != "[redacted] hunter2\n" {
		t.Errorf("the copy is %q", got)
	}
	c.wantStates("redacted", map[int64]string{1: "removed redacted-2.zst settled.json"})
	c.verified("redacted")
}

// meanwhile calls a function when an object is in the bucket, once.
type meanwhile struct {
	bucket.Bucket
	object string
	f      func()
}

func (m *meanwhile) Put(ctx context.Context, key string, r io.Reader) (int64, error) {
	n, err := m.Bucket.Put(ctx, key, r)
	if m.f != nil && strings.HasSuffix(key, m.object) {
		f := m.f
		m.f = nil
		f()
	}
	return n, err
}

// What happens while a copy is made counts: a hold keeps the log, and a log that was
// removed or redacted by somebody else is not brought back.
func TestWhileACopyIsMade(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]struct {
		f    func(c *cellar)
		want string
		is   func(error) bool
	}{
		"a hold": {func(c *cellar) { c.hold(store.Hold{JobID: new(int64(1))}) }, "archived log.zst",
			func(err error) bool { var held *store.HeldError; return errors.As(err, &held) }},
		"a removal": {func(c *cellar) {
			_, err := c.redact(1)
			c.Check(err)
		}, "removed settled.json", func(err error) bool { return errors.Is(err, store.ErrOtherText) }},
		"another redaction": {func(c *cellar) {
			_, err := c.redact(1, "hunter2")
			c.Check(err)
		}, "removed redacted-2.zst settled.json", func(err error) bool { return errors.Is(err, store.ErrOtherText) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCellar(t)
			c.job(1, days, "s3cret hunter2\n")
			busy := &meanwhile{Bucket: c.Archive.Bucket(), object: "redacted-1.zst", f: func() { s.f(c) }}
			a, err := archive.New(busy, 1<<40)
			c.Check(err)
			c.Archive = a
			if _, err := c.redact(1, "s3cret"); !s.is(err) {
				t.Errorf("redact: %v", err)
			}
			c.wantStates("afterwards", map[int64]string{1: s.want})
			c.verified("afterwards")
		})
	}
}

// While a copy is made of a copy, somebody finishes the removal of before, and takes the
// new one, which is in no row yet, for what a killed redaction left. There is a copy all
// the same in the end, and it is the one of the row.
func TestARedactionBesideTheFinishingOfTheLastOne(t *testing.T) {
	t.Parallel()
	finish := func(c *cellar) {
		if n, err := c.remover().FinishAll(c.T.Context(), func(u upkeep.Unfinished) { c.T.Errorf("left is %+v", u) }); err != nil || n != 1 {
			c.T.Errorf("%d finished, %v", n, err)
		}
	}
	for name, s := range map[string]struct {
		f    func(c *cellar)
		fail error
	}{
		"finished": {finish, nil},
		"finished, and its number used": {func(c *cellar) {
			finish(c)
			_, err := c.redact(1, "hunter2")
			c.Check(err)
		}, store.ErrOtherText},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCellar(t)
			c.job(1, days, secretLine)
			whole := c.Archive
			locked, err := archive.New(&stop{Bucket: whole.Bucket(), purge: bucket.ErrLocked}, 1<<40)
			c.Check(err)
			c.Archive = locked
			_, err = c.redact(1, "s3cret")
			c.Check(err)
			other := *c
			other.Vault = &testenv.Vault{T: t, DB: c.DB, Archive: whole, At: c.At}
			busy, err := archive.New(&meanwhile{Bucket: whole.Bucket(), object: "redacted-2.zst", f: func() { s.f(&other) }}, 1<<40)
			c.Check(err)
			c.Archive = busy
			if _, err := c.redact(1, "hunter2"); !errors.Is(err, s.fail) {
				t.Errorf("redact: %v, want %v", err, s.fail)
			}
			c.Archive = whole
			c.wantStates("afterwards", twice)
			if got := c.text("v1/1/1001/1/1/redacted-2.zst"); !strings.Contains(got, "[redacted] [redacted]") {
				t.Errorf("the copy is %q", got)
			}
			c.verified("afterwards")
		})
	}
}

// A removal says plainly which object the bucket keeps, and until when, and is finished
// when it does not any more.
func TestRemovalInABucketThatLocks(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	locked := fmt.Errorf("archive: purge log.zst: %w until 2030-01-01T00:00:00Z", bucket.ErrLocked)
	s := &stop{Bucket: c.Archive.Bucket(), purge: locked}
	a, err := archive.New(s, 1<<40)
	c.Check(err)
	c.Archive = a
	c.job(1, 100*days, "s3cret\n")
	c.job(2, 100*days, "s3cret\n")
	c.rule(store.RetentionRule{KeepDays: new(30)})
	if sum := c.apply(0); sum.Jobs != 2 || sum.Unfinished != 2 || !strings.Contains(c.left[0].Error, "until 2030") {
		t.Errorf("applied %+v, left %+v", sum, c.left)
	}
	c.wantStates("locked", map[int64]string{1: "removed log.zst settled.json", 2: "removed log.zst settled.json"})
	s.purge = nil
	if sum := c.apply(0); sum.Finished != 2 || sum.Jobs != 0 {
		t.Errorf("applied %+v", sum)
	}
	c.verified("in the end")
}

// Each way in which ledger and bucket can differ of a removed log is named, and
// repaired where that can be.
func TestVerifyOfRemovedLogs(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]struct {
		damage   func(c *cellar, k archive.JobKey) error
		want     string
		repaired bool
	}{
		"log is there": {func(c *cellar, k archive.JobKey) error {
			_, err := c.Archive.PutLog(c.T.Context(), k, strings.NewReader("s3cret\n"))
			return err
		}, archive.FaultUnremoved, true},
		"old copy is there": {func(c *cellar, k archive.JobKey) error {
			_, err := c.Archive.Bucket().Put(c.T.Context(), k.Redacted(9), strings.NewReader("x"))
			return err
		}, archive.FaultUnremoved, true},
		"no record": {func(c *cellar, k archive.JobKey) error { return c.Archive.Bucket().Remove(c.T.Context(), k.Settled()) }, archive.FaultSettled, true},
		"another record": {func(c *cellar, k archive.JobKey) error {
			_, err := c.Archive.ReplaceSettled(c.T.Context(), k, archive.Settled{State: "expired", At: c.now})
			return err
		}, archive.FaultSettled, true},
		"record of another log": {func(c *cellar, k archive.JobKey) error {
			s, err := c.Archive.Settled(c.T.Context(), k)
			s.Removal.SHA256[0]++
			_, rerr := c.Archive.ReplaceSettled(c.T.Context(), k, s)
			return errors.Join(err, rerr)
		}, archive.FaultSettled, true},
		"unreadable record": {func(c *cellar, k archive.JobKey) error {
			_, err := c.Archive.Bucket().Replace(c.T.Context(), k.Settled(), strings.NewReader("<html>"))
			return err
		}, archive.FaultSettled, true},
		"no copy": {func(c *cellar, k archive.JobKey) error {
			return c.Archive.Bucket().Remove(c.T.Context(), k.Redacted(1))
		}, archive.FaultAbsent, false},
		"another copy": {func(c *cellar, k archive.JobKey) error {
			_, err := c.Archive.Bucket().Replace(c.T.Context(), k.Redacted(1), strings.NewReader("x"))
			return err
		}, archive.FaultUnreadable, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCellar(t)
			c.job(1, days, "s3cret hunter2\n")
			_, err := c.redact(1, "s3cret")
			c.Check(err)
			c.Check(s.damage(c, archive.JobKey{RepositoryID: 1, RunID: 1001, RunAttempt: 1, JobID: 1}))
			verify := func(repair bool) (faults []string) {
				v := &upkeep.Verifier{DB: c.DB, Archive: c.Archive, Now: time.Now}
				_, err := v.Verify(t.Context(), upkeep.VerifyOptions{Deep: true, Repair: repair}, func(f upkeep.Fault) {
					faults = append(faults, fmt.Sprint(f.Kind, " ", f.Repaired))
				}, func(int, int) {})
				c.Check(err)
				return faults
			}
			if diff := cmp.Diff([]string{s.want + " false"}, verify(false)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			verify(true)
			if left := verify(false); (len(left) == 0) != s.repaired {
				t.Errorf("after the repair: %v", left)
			}
			if s.repaired {
				c.verified("after the repair")
			}
		})
	}
}

// A database that is older than a removal that was not finished calls a log archived that
// is there still: verify names that, and the repair believes the bucket.
func TestAnOldDatabaseHearsOfARemoval(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	c.job(1, days, "s3cret\n")
	l, err := c.DB.JobLog(t.Context(), 1)
	c.Check(err)
	s := &stop{Bucket: c.Archive.Bucket(), purge: bucket.ErrLocked}
	a, err := archive.New(s, 1<<40)
	c.Check(err)
	c.Archive = a
	_, err = c.redact(1)
	c.Check(err)
	_, err = c.DB.Pool().Exec(t.Context(), `
		WITH gone AS (DELETE FROM log_removals)
		UPDATE job_logs SET state = 'archived', reason = NULL, object_key = $1, stored_bytes = $2, frame_lines = $3, frame_offsets = $4`,
		l.ObjectKey, l.StoredBytes, l.FrameLines, l.FrameOffsets)
	c.Check(err)
	s.purge = nil
	for _, repair := range []bool{false, true} {
		v := &upkeep.Verifier{DB: c.DB, Archive: c.Archive, Now: time.Now}
		var faults []string
		_, err := v.Verify(t.Context(), upkeep.VerifyOptions{Repair: repair}, func(f upkeep.Fault) {
			if f.Kind != archive.FaultRemovals { // of which TestARestoredDatabaseHearsOfRemovals is
				faults = append(faults, fmt.Sprint(f.Kind, " ", f.Repaired))
			}
		}, func(int, int) {})
		c.Check(err)
		if diff := cmp.Diff([]string{fmt.Sprint(archive.FaultSettled, " ", repair)}, faults); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
	}
	if sum := c.apply(0); sum.Finished != 1 {
		t.Errorf("applied %+v", sum)
	}
	c.wantStates("in the end", map[int64]string{1: "removed settled.json"})
	c.verified("in the end")
}

// A database that is older than a removal does not bring the log back: not by working
// on the job, not by repairing it, although GitHub has the log still.
func TestWhatWasRemovedIsNotFetchedAgain(t *testing.T) {
	t.Parallel()
	bucketURL, url := testenv.FileBucketURL(t), testenv.DatabaseURL(t)
	r, _ := settledDay(t, ingesttest.Options{BucketURL: bucketURL, DatabaseURL: url}, 41, 20)
	ids := archivedJobs(r, 0)[:2]
	r.Pool.Close()
	dump := testenv.CopyDatabaseURL(t, url)
	r2 := newRig(t, ingesttest.Options{BucketURL: bucketURL, DatabaseURL: url})
	m := &upkeep.Remover{DB: r2.DB, Archive: r2.Archive, Now: time.Now}
	for _, id := range ids {
		_, _, err := m.Redact(t.Context(), upkeep.RedactOptions{JobID: id, Actor: "bob", Reason: "a token"})
		r2.Check(err)
	}

	old := newRig(t, ingesttest.Options{BucketURL: bucketURL, DatabaseURL: dump, Client: func(c *ghapi.Config) { c.BaseURL = r.GitHub.URL() }})
	// One is archived by the dump's account, and the other was not settled yet.
	_, err := old.Pool.Exec(t.Context(), `UPDATE job_logs SET state = 'pending', settled_at = NULL, object_key = NULL, sha256 = NULL, archived_at = NULL WHERE job_id = $1`, ids[1])
	old.Check(err)
	if faults, _ := old.verify(upkeep.VerifyOptions{}); !slices.Contains(faults, fmt.Sprintf("%d absent", ids[0])) {
		t.Errorf("faults of the old database: %v", faults)
	}
	old.verify(upkeep.VerifyOptions{Repair: true})
	_, err = old.DB.RequeuePending(t.Context())
	old.Check(err)
	old.Work()
	old.Await(time.Minute, ingesttest.Settled)
	old.StopWork()
	for _, id := range ids {
		l, err := old.DB.JobLog(t.Context(), id)
		old.Check(err)
		if l.State != store.LogRemoved || l.Removal == nil || l.Removal.Actor != "bob" {
			t.Errorf("job %d is %s, by %+v", id, l.State, l.Removal)
		}
		if _, err := old.Archive.Bucket().Size(t.Context(), old.Object(id, "log.zst")); !errors.Is(err, bucket.ErrNotFound) {
			t.Errorf("the log of job %d is back (%v)", id, err)
		}
	}
	_, err = (&upkeep.RemovalLog{DB: old.DB, Archive: old.Archive}).CatchUp(t.Context())
	old.Check(err)
	if faults, _ := old.verify(upkeep.VerifyOptions{Deep: true}); faults != nil {
		t.Errorf("in the end: %v", faults)
	}
}

// The lines of a redacted copy's steps are found in the copy, as a rebuild finds them: of
// the log there is nothing left to find them in.
func TestLinesOfStepsAreThoseOfTheCopy(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	c.job(1, days, "2024-07-08T16:48:14.0000000Z a\n2024-07-08T16:48:15.0000000Z b\n2024-07-08T16:48:15.0000001Z ##[group]Run make\n2024-07-08T16:48:15.0000002Z ##[error]s3cret\n")
	_, err := c.DB.Pool().Exec(t.Context(), `UPDATE steps SET log_first_line = 1, log_last_line = 99, log_lines = 'exact' WHERE number = 1`)
	c.Check(err)
	_, err = c.redact(1, "Run make|s3cret")
	c.Check(err)
	copied, err := c.Archive.DescribeRedacted(t.Context(), archive.JobKey{RepositoryID: 1, RunID: 1001, RunAttempt: 1, JobID: 1}, 1)
	c.Check(err)
	steps, err := c.DB.Steps(t.Context(), 1)
	c.Check(err)
	var got []store.StepLines
	for _, s := range steps {
		got = append(got, store.StepLines{Number: s.Number, First: *s.LogFirstLine, Last: *s.LogLastLine, Certainty: joblog.Certainty(*s.LogLines)})
	}
	if want := record.StepLines(copied.Index, steps); len(want) != 2 || !cmp.Equal(want, got) {
		t.Errorf("%+v, want %+v", got, want)
	}
	v := &upkeep.Verifier{DB: c.DB, Archive: c.Archive, Now: time.Now}
	if faults, _ := verifyRows(t, v, upkeep.VerifyOptions{}); faults != nil {
		t.Errorf("rows that the copy does not tell: %q", faults)
	}
}
