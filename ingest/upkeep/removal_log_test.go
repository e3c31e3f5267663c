package upkeep_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

// dump copies the cellar's database as it is now: a dump to be restored later.
func (c *cellar) dump() string {
	c.T.Helper()
	url := c.DB.Pool().Config().ConnString()
	c.DB.Pool().Close() // a database that is copied has no connections
	copied := testenv.CopyDatabaseURL(c.T, url)
	c.DB = dbAt(c.T, url)
	return copied
}

func dbAt(t testing.TB, url string) *store.DB {
	t.Helper()
	db, err := store.New(testenv.PoolAt(t, url))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// restored is the cellar with the database of a dump.
func (c *cellar) restored(dump string) *cellar {
	c.T.Helper()
	old := *c
	old.Vault = &testenv.Vault{T: c.T, DB: dbAt(c.T, dump), Archive: c.Archive, At: c.At}
	return &old
}

func (c *cellar) removalLog() *upkeep.RemovalLog {
	return &upkeep.RemovalLog{DB: c.DB, Archive: c.Archive}
}

// heard has the database hear of removals, and wants this many jobs to be news.
func (c *cellar) heard(want int) {
	c.T.Helper()
	if jobs, err := c.removalLog().CatchUp(c.T.Context()); err != nil || jobs != want {
		c.T.Errorf("of %d jobs the database had not heard (%v), want %d", jobs, err, want)
	}
}

// silent wants nothing in the tables that quotes a secret.
func (c *cellar) silent(secrets ...string) {
	c.T.Helper()
	for _, secret := range secrets {
		if got := c.table(c.DB, `SELECT job_id, message FROM job_annotations WHERE message LIKE '%`+secret+`%'`); len(got) > 0 {
			c.T.Errorf("annotations quote it: %v", got)
		}
	}
}

func (c *cellar) sameRemovals(of *cellar) {
	c.T.Helper()
	ledger := `SELECT job_id, state, reason, raw_bytes, lines, encode(sha256, 'hex'), object_key, settled_at FROM job_logs WHERE state = 'removed' ORDER BY 1`
	for _, query := range []string{rebuilt["log_removals"], rebuilt["log_redactions"], rebuilt["job_annotations"], ledger, `SELECT job_id, logged_in FROM log_removals ORDER BY 1`, `SELECT * FROM removal_log`} {
		if diff := cmp.Diff(of.table(of.DB, query), c.table(c.DB, query)); diff != "" {
			c.T.Errorf("%s (-want +restored):\n%s", query, diff)
		}
	}
}

const secretLine = "2024-07-08T16:48:09.3750041Z ##[error]s3cret hunter2\n"

// A database restored from a dump that is older than removals and redactions hears of
// them: whatever it said, it says the same then as the one that was lost.
func TestARestoredDatabaseHearsOfRemovals(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	for id := int64(1); id <= 5; id++ {
		c.job(id, 100*days, secretLine)
	}
	first := c.dump()
	_, err := c.redact(1, "s3cret")
	c.Check(err)
	_, err = c.redact(2)
	c.Check(err)
	second := c.dump()
	_, err = c.redact(1, "hunter2") // once more
	c.Check(err)
	c.hold(store.Hold{JobID: new(int64(5))})
	c.rule(store.RetentionRule{KeepDays: new(30)})
	if sum := c.apply(0); sum.Jobs != 3 { // 1, 3 and 4
		t.Errorf("applied %+v", sum)
	}
	c.job(6, days, secretLine)
	_, err = c.redact(6, "s3cret")
	c.Check(err)
	c.verified("before all")
	for name, s := range map[string]struct {
		dump string
		jobs int
	}{"older than all": {first, 1 + 1 + 1 + 3 + 1}, "older than some": {second, 1 + 3 + 1}, "as it is": {c.dump(), 0}} {
		old := c.restored(s.dump)
		v := &upkeep.Verifier{DB: old.DB, Archive: old.Archive, Now: time.Now}
		named := false
		_, err := v.Verify(t.Context(), upkeep.VerifyOptions{}, func(f upkeep.Fault) {
			named = named || f.Kind == archive.FaultRemovals && strings.Contains(f.Detail, "the database does not know it")
		}, func(int, int) {})
		c.Check(err)
		if named != (s.jobs > 0) {
			t.Errorf("%s: verify names that: %v", name, named)
		}
		old.heard(s.jobs)
		old.silentBut(5, "s3cret") // which the hold has kept
		old.heard(0)
		if name != "as it is" {
			// Of job 6 the dump knows nothing: its folder says what was removed.
			if _, err := old.DB.JobLog(t.Context(), 6); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: job 6: %v", name, err)
			}
		}
		b := &upkeep.Rebuilder{DB: old.DB, Archive: old.Archive}
		_, err = b.Rebuild(t.Context(), 2, func(f archive.Fault) { t.Errorf("%s: rebuild: %s", name, f.Error()) }, func(int) {})
		c.Check(err)
		old.sameRemovals(c)
		_, err = v.Verify(t.Context(), upkeep.VerifyOptions{Deep: true}, func(f upkeep.Fault) { t.Errorf("%s: %s", name, f.Error()) }, func(int, int) {})
		c.Check(err)
	}
}

// What was removed by a jobvault that had no log of removals is written into it once;
// until then a rebuild believes settled.json, also where the database is older.
func TestRemovalsOfBeforeThereWasALog(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	for id := int64(1); id <= 3; id++ {
		c.job(id, days, secretLine)
	}
	dump := c.dump()
	_, err := c.redact(1, "s3cret")
	c.Check(err)
	_, err = c.redact(2)
	c.Check(err)
	forget := func(c *cellar) {
		_, err := c.DB.Pool().Exec(t.Context(), `WITH gone AS (DELETE FROM removal_log) UPDATE log_removals SET logged_in = NULL`)
		c.Check(err)
	}
	forget(c)
	for n := int64(1); n <= 2; n++ {
		c.Check(c.Archive.Bucket().Remove(t.Context(), archive.RemovalsKey(n)))
	}
	c.verified("of before there was a log")
	old := c.restored(dump)
	old.heard(0)
	b := &upkeep.Rebuilder{DB: old.DB, Archive: old.Archive}
	sum, err := b.Rebuild(t.Context(), 2, func(f archive.Fault) { t.Errorf("rebuild: %s", f.Error()) }, func(int) {})
	if err != nil || sum.States[store.LogRemoved] != 2 || sum.Unlogged != 2 || sum.Before != 1 {
		t.Errorf("rebuilt %+v, %v", sum, err)
	}
	old.silentBut(3, "s3cret")
	old.wantStates("rebuilt", c.states())

	c.Check(c.removalLog().Append(t.Context(), func(u upkeep.Unfinished) { t.Errorf("left is %+v", u) }))
	c.Check(c.removalLog().Append(t.Context(), func(u upkeep.Unfinished) { t.Errorf("left is %+v", u) }))
	numbers, err := c.Archive.Removals(t.Context(), func(bucket.Object) {})
	if err != nil || len(numbers) != 1 {
		t.Errorf("the log has records %v, %v", numbers, err)
	}
	c.verified("written down")
	old.heard(0) // settled.json had told everything
	old.sameRemovals(c)
}

// silentBut wants a secret to be quoted by annotations of one job alone.
func (c *cellar) silentBut(id int64, secret string) {
	c.T.Helper()
	for _, row := range c.table(c.DB, `SELECT DISTINCT job_id FROM job_annotations WHERE message LIKE '%`+secret+`%'`) {
		if row != fmt.Sprintf(`{"job_id":%d}`, id) {
			c.T.Errorf("quoted by %s", row)
		}
	}
}

// Killed when the record was put and nothing else done: a database that is lost then,
// and with it the decision, hears of it all the same, whether it knows the job or not.
func TestARecordIsEnough(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	empty := c.dump()
	c.job(1, days, secretLine)
	dump := c.dump()
	s := &stop{Bucket: c.Archive.Bucket(), replace: errors.New("killed")}
	a, err := archive.New(s, 1<<40)
	c.Check(err)
	whole := c.Archive
	c.Archive = a
	_, err = c.redact(1)
	c.Check(err)
	if len(c.left) != 1 {
		t.Errorf("left is %+v", c.left)
	}
	c.Archive = whole
	c.wantStates("killed", map[int64]string{1: "removed log.zst"})
	// In this order: without the job's rows, the record puts settled.json into the bucket.
	for _, s := range []struct{ name, dump, want string }{
		{"a dump with the job", dump, "removed log.zst"},
		{"a dump without", empty, " log.zst settled.json"},
	} {
		old := c.restored(s.dump)
		old.heard(1)
		old.silent("s3cret")
		old.wantStates(s.name, map[int64]string{1: s.want})
	}
	old := c.restored(c.dump())
	if sum := old.apply(0); sum.Finished != 1 {
		t.Errorf("applied %+v", sum)
	}
	old.wantStates("in the end", map[int64]string{1: "removed settled.json"})
	old.verified("in the end")
}

// What a job used, its log told: of one that was redacted, an older database tells it as
// the log did before. If no copy is left, nobody can tell what to take out.
func TestWhatAnOldDatabaseSaysThatAJobUsed(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	for id := int64(1); id <= 3; id++ {
		c.job(id, days, "2024-07-08T16:48:09.3750041Z Download action repository 'acme/s3cret@v1' (SHA:0123456789012345678901234567890123456789)\n")
	}
	uses := func(c *cellar) []string {
		return c.table(c.DB, `SELECT job_id, action FROM job_actions ORDER BY 1`)
	}
	if n := len(uses(c)); n != 3 {
		t.Fatalf("%d actions: this shows nothing", n)
	}
	dump := c.dump()
	for id := int64(1); id <= 2; id++ {
		_, err := c.redact(id, "s3cret")
		c.Check(err)
	}
	_, err := c.redact(1)
	c.Check(err)
	old := c.restored(dump)
	old.heard(3) // of job 1 twice
	for _, row := range uses(old) {
		if strings.Contains(row, "s3cret") && !strings.Contains(row, `"job_id":3`) {
			t.Errorf("it tells %s", row)
		}
	}
}

// A restored removal whose objects are there still is finished by a serving jobvault
// only after a while: a hold that the dump does not know may have kept them.
func TestARestoredRemovalIsNotFinishedAtOnce(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	c.job(1, days, secretLine)
	dump := c.dump()
	s := &stop{Bucket: c.Archive.Bucket(), purge: bucket.ErrLocked}
	a, err := archive.New(s, 1<<40)
	c.Check(err)
	c.Archive = a
	_, err = c.redact(1)
	c.Check(err)
	s.purge = nil
	old := c.restored(dump)
	old.heard(1)
	due := func() int {
		n, err := old.remover().FinishDue(t.Context(), 0, func(u upkeep.Unfinished) { t.Errorf("left is %+v", u) })
		c.Check(err)
		return n
	}
	if n := due(); n != 0 {
		t.Errorf("%d finished at once", n)
	}
	old.wantStates("restored", map[int64]string{1: "removed log.zst settled.json"})
	_, err = old.DB.Pool().Exec(t.Context(), `UPDATE log_removals SET retry_at = retry_at - interval '1 day'`)
	c.Check(err)
	if n := due(); n != 1 {
		t.Errorf("%d finished a day later", n)
	}
}

// fussy fails for what one job has in the bucket.
type fussy struct {
	bucket.Bucket
	replace, purge string // parts of keys
}

var errFussy = errors.New("no such thing today")

func (f *fussy) Replace(ctx context.Context, key string, r io.Reader) (int64, error) {
	if f.replace != "" && strings.Contains(key, f.replace) {
		return 0, errFussy
	}
	return f.Bucket.Replace(ctx, key, r)
}

func (f *fussy) Purge(ctx context.Context, key string) error {
	if f.purge != "" && strings.Contains(key, f.purge) {
		return fmt.Errorf("archive: purge %s: %w", key, errFussy)
	}
	return f.Bucket.Purge(ctx, key)
}

// Whatever is in the way of one removal, the others are done; it is named, with what
// was in the way, and tried again, each time later.
func TestOneRemovalStopsNoOther(t *testing.T) {
	t.Parallel()
	const trigger = `
		CREATE FUNCTION fussy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no such thing today'; END $$;
		CREATE TRIGGER fussy BEFORE INSERT OR UPDATE ON %s FOR EACH ROW WHEN (NEW.job_id = 3 %s) EXECUTE FUNCTION fussy()`
	for name, s := range map[string]struct {
		bucket fussy
		rows   string
		left   string // of job 3
	}{
		"its record cannot be put":     {fussy{replace: "/3/settled"}, "", "removed log.zst"},
		"its log cannot be removed":    {fussy{purge: "/3/log.zst"}, "", "removed log.zst settled.json"},
		"the ledger cannot call it so": {fussy{}, fmt.Sprintf(trigger, "log_removals", "AND NEW.finished_at IS NULL AND NEW.attempts = 0 AND NEW.logged_in IS NULL"), "archived log.zst"},
		"the end cannot be noted":      {fussy{}, fmt.Sprintf(trigger, "log_removals", "AND NEW.finished_at IS NOT NULL"), "removed settled.json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCellar(t)
			want := map[int64]string{}
			for id := int64(1); id <= 6; id++ {
				c.job(id, 100*days, secretLine)
				want[id] = "removed settled.json"
			}
			want[3] = s.left
			c.rule(store.RetentionRule{KeepDays: new(30)})
			whole := c.Archive
			f := s.bucket
			f.Bucket = whole.Bucket()
			a, err := archive.New(&f, 1<<40)
			c.Check(err)
			c.Archive = a
			if s.rows != "" {
				_, err := c.DB.Pool().Exec(t.Context(), s.rows)
				c.Check(err)
			}
			for range 2 {
				sum := c.apply(0)
				if sum.Unfinished+sum.Undecided != 1 || len(c.left) != 1 || c.left[0].JobID != 3 || !strings.Contains(c.left[0].Error, "no such thing today") {
					t.Errorf("applied %+v, left %+v", sum, c.left)
				}
				c.wantStates("applied", want)
			}
			if s.left != "archived log.zst" {
				plan, err := c.remover().Plan(t.Context(), 0, func(store.ExpiringLog) error { return nil })
				if err != nil || len(plan.Unfinished) != 1 || !strings.Contains(plan.Unfinished[0].Error, "no such thing today") {
					t.Errorf("planned %+v, %v", plan, err)
				}
				// Not due so soon again.
				if n, err := c.remover().FinishDue(t.Context(), 0, func(u upkeep.Unfinished) { t.Errorf("tried again: %+v", u) }); err != nil || n != 0 {
					t.Errorf("%d finished, %v", n, err)
				}
			}
			c.Archive = whole
			_, err = c.DB.Pool().Exec(t.Context(), `DROP FUNCTION IF EXISTS fussy CASCADE`)
			c.Check(err)
			if sum := c.apply(0); sum.Finished+int(sum.Jobs) != 1 || sum.Unfinished+sum.Undecided != 0 {
				t.Errorf("in the end: %+v", sum)
			}
			c.verified("in the end")
		})
	}
}

// A bucket that is away stops it all, and says so.
func TestABucketThatIsAwayStopsRemovals(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	for id := int64(1); id <= 3; id++ {
		c.job(id, 100*days, secretLine)
	}
	c.rule(store.RetentionRule{KeepDays: new(30)})
	away := &awayBucket{Bucket: c.Archive.Bucket()}
	a, err := archive.New(away, 1<<40)
	c.Check(err)
	m := &upkeep.Remover{DB: c.DB, Archive: a, Now: func() time.Time { return c.now }}
	_, err = m.Apply(t.Context(), "bob", 0, func(upkeep.Unfinished) {}, func(upkeep.RemovedLog, upkeep.ApplyResult) {})
	if err == nil || !strings.Contains(err.Error(), "the bucket is away") {
		t.Errorf("%v, want the bucket to be away", err)
	}
	if sum := c.apply(0); sum.Finished != 3 {
		t.Errorf("applied %+v", sum)
	}
	c.verified("in the end")
}

// awayBucket goes away when the first record is in it.
type awayBucket struct {
	bucket.Bucket
	mu   sync.Mutex
	gone bool
}

var errAway = errors.New("connection refused")

func (b *awayBucket) Put(ctx context.Context, key string, r io.Reader) (int64, error) {
	n, err := b.Bucket.Put(ctx, key, r)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = b.gone || strings.HasPrefix(key, archive.RemovalsPrefix)
	return n, err
}

func (b *awayBucket) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := b.Check(ctx); err != nil {
		return nil, err
	}
	return b.Bucket.Get(ctx, key, offset, length)
}

func (b *awayBucket) Check(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone {
		return errAway
	}
	return nil
}

// If two apply at once, one on a database and one on a copy of it, no number is used
// twice, nothing is missing, and both databases hear of everything.
func TestTwoWriteOneLogOfRemovals(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	const jobs = 60
	for id := int64(1); id <= jobs; id++ {
		c.job(id, 100*days, secretLine)
	}
	c.rule(store.RetentionRule{KeepDays: new(30)})
	other := c.restored(c.dump())
	var g sync.WaitGroup
	for _, m := range []*upkeep.Remover{c.remover(), c.remover(), other.remover()} {
		g.Go(func() {
			if _, err := m.Apply(t.Context(), "bob", 0, func(u upkeep.Unfinished) { t.Errorf("left is %+v", u) }, func(upkeep.RemovedLog, upkeep.ApplyResult) {}); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
	numbers, err := c.Archive.Removals(t.Context(), func(bucket.Object) {})
	c.Check(err)
	for i, n := range numbers {
		if n != int64(i+1) {
			t.Fatalf("records %v", numbers)
		}
	}
	for _, c := range []*cellar{c, other} {
		_, err := c.removalLog().Confirm(t.Context())
		c.Check(err)
		// A removal that one heard of by a record of the other, whose objects were there still,
		// is left to whoever finishes removals next.
		_, err = c.remover().FinishAll(t.Context(), func(u upkeep.Unfinished) { t.Errorf("left is %+v", u) })
		c.Check(err)
		c.silent("s3cret")
		if got := c.table(c.DB, `SELECT job_id FROM log_removals WHERE finished_at IS NOT NULL AND logged_in IS NOT NULL`); len(got) != jobs {
			t.Errorf("%d are removed", len(got))
		}
	}
	t.Logf("%d records", len(numbers))
}

// A row that no record can tell of, because somebody changed it, is named, and keeps no
// other removal from being told of; nor is a record written that locks everybody out.
func TestARowThatNoRecordCanTellOf(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"another state": `UPDATE job_logs SET state = 'missing' WHERE job_id = 2`,
		"no digest":     `UPDATE log_removals SET sha256 = decode(repeat('00', 32), 'hex') WHERE job_id = 2`,
		"a late time":   `UPDATE log_removals SET decided_at = '20000-01-01' WHERE job_id = 2`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCellar(t)
			for id := int64(1); id <= 3; id++ {
				c.job(id, days, secretLine)
				c.Check(c.DB.RemoveByHand(t.Context(), id, "eve", "a token", c.now))
			}
			_, err := c.DB.Pool().Exec(t.Context(), change)
			c.Check(err)
			for range 2 {
				var left []upkeep.Unfinished
				c.Check(c.removalLog().Append(t.Context(), func(u upkeep.Unfinished) { left = append(left, u) }))
				if len(left) != 1 || left[0].JobID != 2 || !strings.Contains(left[0].Error, "the log of removals does not tell of it") {
					t.Errorf("left is %+v", left)
				}
			}
			if got := c.table(c.DB, `SELECT job_id FROM log_removals WHERE logged_in = 1 ORDER BY 1`); !cmp.Equal(got, []string{`{"job_id":1}`, `{"job_id":3}`}) {
				t.Errorf("told of %v", got)
			}
			_, err = c.removalLog().Confirm(t.Context())
			c.Check(err)
			if r, err := c.Archive.ReadRemovals(t.Context(), 1); err != nil || len(r.Lines) != 2 {
				t.Errorf("the record has %d lines, %v", len(r.Lines), err)
			}
		})
	}
}

// Nothing goes, and nothing is written, after a record that is lost.
func TestNoRemovalAfterALostRecord(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	c.job(1, days, secretLine)
	c.job(2, days, secretLine)
	_, err := c.redact(1)
	c.Check(err)
	c.Check(c.Archive.Bucket().Remove(t.Context(), archive.RemovalsKey(1)))
	_, err = c.redact(2)
	c.Check(err)
	if len(c.left) != 1 || !strings.Contains(c.left[0].Error, "record 1, which the database knows, is not there") {
		t.Errorf("left is %+v", c.left)
	}
	c.wantStates("decided", map[int64]string{1: "removed settled.json", 2: "removed log.zst"})
	if numbers, err := c.Archive.Removals(t.Context(), func(bucket.Object) {}); err != nil || len(numbers) > 0 {
		t.Errorf("the log has records %v, %v", numbers, err)
	}
	_, err = c.remover().Apply(t.Context(), "bob", 0, func(upkeep.Unfinished) {}, func(upkeep.RemovedLog, upkeep.ApplyResult) {})
	if !errors.Is(err, upkeep.ErrRemovalsBroken) {
		t.Errorf("apply: %v", err)
	}
}

// Each way in which the log of removals can be tampered with keeps a database that
// should hear of it from being read, or is named by verify at least: records that are
// dropped from the end, only a database that knows of them can miss.
func TestALogOfRemovalsThatIsTamperedWith(t *testing.T) {
	t.Parallel()
	key := archive.RemovalsKey
	change := func(n int64, f func(b string) string) func(*cellar) error {
		return func(c *cellar) error {
			b := c.object(key(n))
			_, err := c.Archive.Bucket().Replace(c.T.Context(), key(n), strings.NewReader(f(b)))
			return err
		}
	}
	for name, s := range map[string]struct {
		tamper     func(c *cellar) error
		says       string // of verify
		old, known bool   // that a database of before the removals, and the one that did them, may not be read
	}{
		"dropped in the middle": {func(c *cellar) error { return c.Archive.Bucket().Remove(c.T.Context(), key(2)) }, "there are no records 2 to 2", true, true},
		"dropped at the end":    {func(c *cellar) error { return c.Archive.Bucket().Remove(c.T.Context(), key(3)) }, "the database knows this record, and it is not there", false, true},
		"changed": {change(2, func(b string) string { return strings.Replace(b, `"job_id":2`, `"job_id":9`, 1) }),
			"it does not follow the record before it", true, false},
		"the last one changed": {change(3, func(b string) string { return strings.Replace(b, "a token", "a taken", 1) }), "the database knows one with", false, true},
		"cut":                  {change(2, func(b string) string { return b[:len(b)-10] }), "cut short", true, false},
		"a line cut":           {change(2, func(b string) string { head, _, _ := strings.Cut(b, "\n"); return head + "\n" }), "it tells of 1 lines, and has 0", true, false},
		"no record":            {change(2, func(string) string { return "<html>\n" }), "line 1", true, false},
		"swapped": {func(c *cellar) error {
			a, b := c.object(key(1)), c.object(key(2))
			_, err := c.Archive.Bucket().Replace(c.T.Context(), key(1), strings.NewReader(b))
			_, err2 := c.Archive.Bucket().Replace(c.T.Context(), key(2), strings.NewReader(a))
			return errors.Join(err, err2)
		}, "it says that it is number", true, false},
		"replayed": {func(c *cellar) error {
			_, err := c.Archive.Bucket().Put(c.T.Context(), key(4), strings.NewReader(c.object(key(3))))
			return err
		}, "it says that it is number 3", true, true},
		"a record of another log": {func(c *cellar) error {
			b := regexp.MustCompile(`"previous_sha256":"....`).ReplaceAllString(c.object(key(3)), `"previous_sha256":"0000`)
			_, err := c.Archive.Bucket().Put(c.T.Context(), key(4), strings.NewReader(strings.Replace(b, `"number":3`, `"number":4`, 1)))
			return err
		}, "it does not follow the record before it", true, true},
		"a stranger": {func(c *cellar) error {
			_, err := c.Archive.Bucket().Put(c.T.Context(), archive.RemovalsPrefix+"x.jsonl", strings.NewReader("x"))
			return err
		}, "named like none", false, false},
		"renamed": {func(c *cellar) error {
			_, err := c.Archive.Bucket().Put(c.T.Context(), key(7), strings.NewReader(c.object(key(3))))
			return errors.Join(err, c.Archive.Bucket().Remove(c.T.Context(), key(3)))
		}, "there are no records 3 to 6", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCellar(t)
			for id := int64(1); id <= 3; id++ {
				c.job(id, days, secretLine)
			}
			dump := c.dump()
			for id := int64(1); id <= 3; id++ {
				_, err := c.redact(id)
				c.Check(err)
			}
			c.Check(s.tamper(c))
			v := &upkeep.Verifier{DB: c.DB, Archive: c.Archive, Now: time.Now}
			var faults []string
			_, err := v.Verify(t.Context(), upkeep.VerifyOptions{}, func(f upkeep.Fault) { faults = append(faults, f.Kind+" "+f.Detail) }, func(int, int) {})
			c.Check(err)
			if !slices.ContainsFunc(faults, func(f string) bool { return strings.HasPrefix(f, archive.FaultRemovals) && strings.Contains(f, s.says) }) {
				t.Errorf("verify names %q, want %q", faults, s.says)
			}
			for _, d := range []struct {
				of   string
				c    *cellar
				want bool
			}{{"the old one", c.restored(dump), s.old}, {"the one that knows", c, s.known}} {
				if _, err := d.c.removalLog().Confirm(t.Context()); errors.Is(err, upkeep.ErrRemovalsBroken) != d.want {
					t.Errorf("%s: %v, want it not to be read: %v", d.of, err, d.want)
				}
			}
			b := &upkeep.Rebuilder{DB: testenv.DB(t), Archive: c.Archive}
			sum, err := b.Rebuild(t.Context(), 2, func(archive.Fault) {}, func(int) {})
			if err != nil || (sum.Faults == 0) == (s.old || s.known) {
				t.Errorf("rebuilt %+v, %v", sum, err)
			}
		})
	}
}

func (c *cellar) object(key string) string {
	c.T.Helper()
	r, err := c.Archive.Bucket().Get(c.T.Context(), key, 0, -1)
	c.Check(err)
	defer r.Close()
	b, err := io.ReadAll(r)
	c.Check(err)
	return string(b)
}

// Ledger and log of removals that tell differently are named.
func TestVerifyOfLedgerAndLogOfRemovals(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]struct{ change, want string }{
		"another actor":  {`UPDATE log_removals SET actor = 'mallory'`, "the ledger tells otherwise"},
		"another reason": {`UPDATE log_redactions SET reason = 'none'`, "the ledger tells otherwise"},
		"another time":   {`UPDATE log_removals SET decided_at = decided_at - interval '1 day'`, "the ledger tells otherwise"},
		"a copy less":    {`DELETE FROM log_redactions`, "it tells of redactions that the ledger does not know"},
		"not removed":    {`UPDATE job_logs SET state = 'missing'`, "the ledger does not say so"},
		"not in any record": {`WITH gone AS (UPDATE log_redactions SET removed_at = now() - interval '2 hours', removed_by = 'x', removed_reason = 'x') UPDATE log_removals SET logged_in = NULL`,
			"the log of removals does not tell of 1 removals"},
		"more than the record":       {`UPDATE log_redactions SET removed_at = now(), removed_by = 'x', removed_reason = 'x'`, "none does"},
		"a record that is not there": {`UPDATE log_removals SET logged_in = 9; UPDATE log_redactions SET removed_at = now(), removed_by = 'x', removed_reason = 'x'`, "none does"},
		"a record less known":        {`DELETE FROM removal_log`, "the database does not know it"},
		"a record more known":        {`INSERT INTO removal_log VALUES (2, sha256(''), 1, now())`, "the database knows this record, and it is not there"},
		"a digest of a record":       {`UPDATE removal_log SET sha256 = sha256('')`, "the database knows one with"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCellar(t)
			c.job(1, days, secretLine)
			_, err := c.redact(1, "s3cret")
			c.Check(err)
			_, err = c.DB.Pool().Exec(t.Context(), s.change)
			c.Check(err)
			var faults []string
			v := &upkeep.Verifier{DB: c.DB, Archive: c.Archive, Now: time.Now}
			_, err = v.Verify(t.Context(), upkeep.VerifyOptions{}, func(f upkeep.Fault) { faults = append(faults, f.Kind+" "+f.Detail) }, func(int, int) {})
			c.Check(err)
			if !slices.ContainsFunc(faults, func(f string) bool { return strings.HasPrefix(f, archive.FaultRemovals) && strings.Contains(f, s.want) }) {
				t.Errorf("verify names %q, want %q", faults, s.want)
			}
		})
	}
}

// blind is a bucket that keeps versions, and says that it has none of what it hides.
type blind struct {
	bucket.Bucket
	hidden []bucket.Version // that are listed beside what is there
	shows  bool             // what is there
	err    error
}

func (b *blind) ListVersions(ctx context.Context, prefix string) iter.Seq2[bucket.Version, error] {
	return func(yield func(bucket.Version, error) bool) {
		if b.err != nil {
			yield(bucket.Version{}, b.err)
			return
		}
		for _, v := range b.hidden {
			if !yield(v, nil) {
				return
			}
		}
		if b.shows {
			b.Bucket.ListVersions(ctx, prefix)(yield)
		}
	}
}

// When all is removed, the folder is looked at: with what it hides, and with an eye on
// whether the list shows what is surely there.
func TestARemovalIsLookedAt(t *testing.T) {
	t.Parallel()
	key := archive.JobKey{RepositoryID: 1, RunID: 1001, RunAttempt: 1, JobID: 1}
	for name, s := range map[string]struct {
		bucket blind
		says   string
	}{
		"an empty list of versions": {blind{}, key.Settled()},
		"a version of the log":      {blind{shows: true, hidden: []bucket.Version{{Key: key.Log(), ID: "v7", Hidden: true}}}, key.Log() + ": version v7"},
		"a delete marker":           {blind{shows: true, hidden: []bucket.Version{{Key: key.Filter(), ID: "v8", Marker: true}}}, key.Filter() + ": delete marker v8"},
		"a version of a copy":       {blind{shows: true, hidden: []bucket.Version{{Key: key.Redacted(3), ID: "v9"}}}, key.Redacted(3) + ": version v9"},
		"no list":                   {blind{err: bucket.ErrVersionsUnknown}, "s3:ListBucketVersions"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCellar(t)
			c.job(1, 100*days, secretLine)
			c.job(2, 100*days, secretLine)
			whole := c.Archive
			b := s.bucket
			b.Bucket = whole.Bucket()
			a, err := archive.New(&b, 1<<40)
			c.Check(err)
			c.Archive = a
			_, err = c.redact(1)
			c.Check(err)
			if len(c.left) != 1 || c.left[0].JobID != 1 || !strings.Contains(c.left[0].Error, s.says) {
				t.Errorf("left is %+v, want %q", c.left, s.says)
			}
			v := &upkeep.Verifier{DB: c.DB, Archive: c.Archive, Now: time.Now}
			named := false
			_, err = v.Verify(t.Context(), upkeep.VerifyOptions{Deep: true}, func(f upkeep.Fault) {
				named = named || f.Kind == archive.FaultUnremoved && f.JobID == 1 && strings.Contains(f.Detail, s.says)
			}, func(int, int) {})
			c.Check(err)
			if !named {
				t.Error("verify does not name it")
			}
			c.Archive = whole
			if sum := c.apply(0); sum.Finished != 1 {
				t.Errorf("applied %+v", sum)
			}
			c.verified("in the end")
		})
	}
}
