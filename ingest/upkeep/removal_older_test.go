package upkeep_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/store"
)

// twiceRedacted is a cellar with a log that was redacted twice, and one with its database
// as it was between: with the first removal logged, and not finished if something is in
// the way of it.
func twiceRedacted(t *testing.T, way error) (c, old *cellar) {
	t.Helper()
	c = newCellar(t)
	c.job(1, days, secretLine)
	whole := c.Archive
	a, err := archive.New(&stop{Bucket: whole.Bucket(), purge: way}, 1<<40)
	c.Check(err)
	c.Archive = a
	_, err = c.redact(1, "s3cret")
	c.Check(err)
	c.Archive = whole
	dump := c.dump()
	_, err = c.redact(1, "hunter2")
	c.Check(err)
	c.wantStates("redacted twice", twice)
	old = c.restored(dump)
	_, err = old.DB.Pool().Exec(t.Context(), `UPDATE log_removals SET retry_at = NULL`)
	c.Check(err)
	return c, old
}

// twice is what twiceRedacted leaves, and what must stay of it.
var twice = map[int64]string{1: "removed redacted-2.zst settled.json"}

// repair has verify repair what it can, and is the faults.
func (c *cellar) repair() (faults []string) {
	c.T.Helper()
	v := &upkeep.Verifier{DB: c.DB, Archive: c.Archive, Now: time.Now}
	_, err := v.Verify(c.T.Context(), upkeep.VerifyOptions{Repair: true}, func(f upkeep.Fault) { faults = append(faults, f.Error()+": "+f.Repair) }, func(int, int) {})
	c.Check(err)
	return faults
}

// A database that is older than the last redaction, and has not heard of it, costs
// nothing of what that one left: whoever is first to work on it.
func TestAnOlderDatabaseRemovesNoNewerCopy(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]struct {
		way   error // of the first removal
		first func(c *cellar)
	}{
		"verify --repair": {nil, func(c *cellar) {
			if faults := c.repair(); len(faults) == 0 {
				t.Error("verify finds nothing")
			}
		}},
		"verify --repair of an unfinished one": {bucket.ErrLocked, func(c *cellar) { c.repair() }},
		"a serving jobvault": {bucket.ErrLocked, func(c *cellar) {
			_, err := c.remover().FinishDue(t.Context(), 0, func(u upkeep.Unfinished) { t.Errorf("left is %+v", u) })
			c.Check(err)
		}},
		"retention apply": {bucket.ErrLocked, func(c *cellar) { c.apply(0) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, old := twiceRedacted(t, s.way)
			s.first(old)
			old.wantStates("then", twice)
			_, err := old.removalLog().CatchUp(t.Context())
			c.Check(err)
			old.repair() // of a settled.json that is another one than was noted
			old.wantStates("in the end", twice)
			old.verified("in the end")
			c.verified("in the end")
		})
	}
}

// The log of removals may lack its last record. Then settled.json alone tells that the
// database is older, and that is enough for nothing to go.
func TestARecordOfTheJobThatTellsMoreIsKept(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]error{"finished": nil, "unfinished": bucket.ErrLocked} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, old := twiceRedacted(t, way)
			c.Check(c.Archive.Bucket().Remove(t.Context(), archive.RemovalsKey(2)))
			settled := c.object("v1/1/1001/1/1/settled.json")
			old.apply(0)
			if (way != nil) != (len(old.left) == 1 && strings.Contains(old.left[0].Error, ingest.ErrOlderDatabase.Error())) {
				t.Errorf("left is %+v", old.left)
			}
			faults := strings.Join(old.repair(), "\n")
			if !strings.Contains(faults, ingest.ErrOlderDatabase.Error()) || !strings.Contains(faults, "jobvault rebuild") {
				t.Errorf("verify says\n%s", faults)
			}
			old.wantStates("then", twice)
			if c.object("v1/1/1001/1/1/settled.json") != settled {
				t.Error("settled.json is another one")
			}
			b := &upkeep.Rebuilder{DB: old.DB, Archive: old.Archive}
			_, err := b.Rebuild(t.Context(), 1, func(archive.Fault) {}, func(int) {})
			c.Check(err)
			old.apply(0)
			old.wantStates("rebuilt", twice)
			if l, err := old.DB.JobLog(t.Context(), 1); err != nil || l.Redaction == nil || l.Redaction.Number != 2 || l.Removal.FinishedAt == nil {
				t.Errorf("the ledger says %+v, %v", l, err)
			}
		})
	}
}

// asked calls a function when the log of removals is asked for, once.
type asked struct {
	bucket.Bucket
	f func()
}

func (a *asked) Size(ctx context.Context, key string) (int64, error) {
	if f := a.f; f != nil && strings.HasPrefix(key, archive.RemovalsPrefix) {
		a.f = nil
		f()
	}
	return a.Bucket.Size(ctx, key)
}

// A removal that somebody else has decided and is about to write into the log is left to
// them: it is neither reported nor put off.
func TestARemovalThatSomebodyElseIsAbout(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	c.job(1, days, secretLine)
	c.job(2, days, secretLine)
	_, err := c.redact(2)
	c.Check(err)
	decided := false
	a, err := archive.New(&asked{Bucket: c.Archive.Bucket(), f: func() {
		decided = true
		c.Check(c.DB.RemoveByHand(t.Context(), 1, "eve", "a token", c.now))
	}}, 1<<40)
	c.Check(err)
	c.Archive = a
	if sum := c.apply(0); !decided || sum.Finished != 0 || sum.Unfinished != 0 || len(c.left) > 0 {
		t.Errorf("decided: %v, applied %+v, left %+v", decided, sum, c.left)
	}
	c.wantStates("beside", map[int64]string{1: "removed log.zst", 2: "removed settled.json"})
	if m, err := c.DB.Removal(t.Context(), 1); err != nil || m.Removal.Attempts > 0 || m.Removal.RetryAt != nil {
		t.Errorf("it waits: %+v, %v", m.Removal, err)
	}
	if sum := c.apply(0); sum.Finished != 1 {
		t.Errorf("applied %+v", sum)
	}
	c.verified("in the end")
}

// A removal of which the log of removals cannot tell is one that is not finished, however
// often it was tried.
func TestARemovalThatCannotBeWrittenDownCountsOnce(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	c.job(1, days, secretLine)
	c.job(2, 100*days, secretLine)
	c.Check(c.DB.RemoveByHand(t.Context(), 1, "eve", "a token", c.now))
	_, err := c.DB.Pool().Exec(t.Context(), `DELETE FROM job_logs WHERE job_id = 1`)
	c.Check(err)
	c.rule(store.RetentionRule{KeepDays: new(30)})
	if sum := c.apply(0); sum.Jobs != 1 || sum.Unfinished != 1 || len(c.left) != 1 || c.left[0].JobID != 1 {
		t.Errorf("applied %+v, left %+v", sum, c.left)
	}
}

// A removal that the dump knows, and that a hold of after it has kept since, is not
// finished at once either: where the log of removals tells that the database is older, no
// removal is before holds can be set again.
func TestNoRemovalIsFinishedAtOnceByAnOlderDatabase(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	for id := int64(1); id <= 3; id++ {
		c.job(id, days, secretLine)
	}
	whole := c.Archive
	a, err := archive.New(&stop{Bucket: whole.Bucket(), purge: bucket.ErrLocked}, 1<<40)
	c.Check(err)
	c.Archive = a
	_, err = c.redact(1)
	c.Check(err)
	c.Check(c.DB.RemoveByHand(t.Context(), 2, "eve", "a token", c.now)) // and not logged
	c.Archive = whole
	dump := c.dump()
	c.hold(store.Hold{JobID: new(int64(1))})
	_, err = c.redact(3)
	c.Check(err)
	due := func(c *cellar) int {
		_, err := c.DB.Pool().Exec(t.Context(), `UPDATE log_removals SET retry_at = NULL WHERE retry_at < now() + interval '1 hour'`)
		c.Check(err)
		n, err := c.remover().FinishDue(t.Context(), 0, func(u upkeep.Unfinished) { t.Errorf("left is %+v", u) })
		c.Check(err)
		return n
	}
	old := c.restored(dump)
	for range 2 {
		if n := due(old); n != 0 {
			t.Errorf("%d finished at once", n)
		}
	}
	old.wantStates("restored", map[int64]string{1: "removed log.zst settled.json", 2: "removed log.zst", 3: "removed settled.json"})
	_, err = old.DB.Pool().Exec(t.Context(), `UPDATE log_removals SET retry_at = retry_at - interval '1 day'`)
	c.Check(err)
	if n := due(old); n != 2 {
		t.Errorf("%d finished a day later", n)
	}
}
