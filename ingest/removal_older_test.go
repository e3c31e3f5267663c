package ingest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest"
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
	v := &ingest.Verifier{DB: c.DB, Archive: c.Archive, Now: time.Now}
	_, err := v.Verify(c.T.Context(), ingest.VerifyOptions{Repair: true}, func(f ingest.Fault) { faults = append(faults, f.Error()+": "+f.Repair) }, func(int, int) {})
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
		"verify --repair of an unfinished one": {archive.ErrLocked, func(c *cellar) { c.repair() }},
		"a serving jobvault": {archive.ErrLocked, func(c *cellar) {
			_, err := c.remover().FinishDue(t.Context(), 0, func(u ingest.Unfinished) { t.Errorf("left is %+v", u) })
			c.Check(err)
		}},
		"retention apply": {archive.ErrLocked, func(c *cellar) { c.apply(0) }},
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
	for name, way := range map[string]error{"finished": nil, "unfinished": archive.ErrLocked} {
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
			b := &ingest.Rebuilder{DB: old.DB, Archive: old.Archive}
			_, err := b.Rebuild(t.Context(), 1, func(ingest.Fault) {}, func(int) {})
			c.Check(err)
			old.apply(0)
			old.wantStates("rebuilt", twice)
			if l, err := old.DB.JobLog(t.Context(), 1); err != nil || l.Redaction == nil || l.Redaction.Number != 2 || l.Removal.FinishedAt == nil {
				t.Errorf("the ledger says %+v, %v", l, err)
			}
		})
	}
}
