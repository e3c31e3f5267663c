package upkeep_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

// cellar is a vault from which logs are removed.
type cellar struct {
	*testenv.Vault
	now  time.Time
	left []upkeep.Unfinished // what the last call left unfinished
}

func newCellar(t testing.TB) *cellar {
	v := testenv.NewVault(t)
	return &cellar{Vault: v, now: v.At.AddDate(1, 0, 0)}
}

func (c *cellar) remover() *upkeep.Remover {
	return &upkeep.Remover{DB: c.DB, Archive: c.Archive, Now: func() time.Time { return c.now }}
}

// job puts a job with a log there that completed so long ago.
func (c *cellar) job(id int64, age time.Duration, raw string, edits ...func(*store.Facts)) {
	c.T.Helper()
	f := c.Facts(id, "Set up job", "Run make")
	f.Job.CompletedAt = new(c.now.Add(-age))
	f.Job.CreatedAt, f.Job.StartedAt = new(c.now.Add(-age-time.Hour)), new(c.now.Add(-age-time.Hour))
	f.Run.ID, f.Job.RunID = id+1000, id+1000
	for _, edit := range edits {
		edit(&f)
	}
	c.Record(f)
	key := archive.JobKey{RepositoryID: f.Repository.ID, RunID: f.Job.RunID, RunAttempt: 1, JobID: id}
	details, err := json.Marshal(map[string]any{
		"id": id, "run_id": f.Job.RunID, "status": "completed", "conclusion": f.Job.Conclusion, "name": f.Job.Name, "run_attempt": 1,
		"url": "https://api.github.com/repos/acme/rocket/actions/jobs/1", "created_at": f.Job.CreatedAt, "completed_at": f.Job.CompletedAt,
		"head_branch": f.Run.HeadBranch, "workflow_name": f.Run.WorkflowName, "head_sha": f.Run.HeadSHA,
	})
	c.Check(err)
	_, err = c.Archive.PutDetails(c.T.Context(), key, details)
	c.Check(err)
	log, err := c.Archive.PutLog(c.T.Context(), key, strings.NewReader(raw))
	c.Check(err)
	c.Settle(store.Settlement{
		JobID: id, State: store.LogArchived, HTTPStatus: 200, Asked: true, Usage: log.Index.Usage,
		Object: &store.Object{
			Key: log.Key, RawBytes: log.RawBytes, StoredBytes: log.StoredBytes, Lines: log.Lines, SHA256: log.SHA256, StoredSHA256: log.StoredSHA256,
			FrameLines: log.FrameLines, FrameOffsets: log.FrameOffsets, ArchivedAt: c.At,
		},
	})
}

func (c *cellar) rule(r store.RetentionRule) store.RetentionRule {
	c.T.Helper()
	r.CreatedBy, r.CreatedAt = "ada", c.now
	added, err := c.DB.AddRetentionRule(c.T.Context(), r)
	c.Check(err)
	return added
}

func (c *cellar) hold(h store.Hold) store.Hold {
	c.T.Helper()
	h.Reason, h.CreatedBy, h.CreatedAt = "case 7", "eve", c.now
	set, _, err := c.DB.SetHold(c.T.Context(), h)
	c.Check(err)
	return set
}

func (c *cellar) apply(limit int) upkeep.ApplyResult {
	c.T.Helper()
	c.left = nil
	sum, err := c.remover().Apply(c.T.Context(), "bob", limit, func(u upkeep.Unfinished) { c.left = append(c.left, u) }, func(upkeep.RemovedLog, upkeep.ApplyResult) {})
	c.Check(err)
	return sum
}

// planned are the jobs whose logs would go; those that a hold keeps are negative.
func (c *cellar) planned() []int64 {
	c.T.Helper()
	ids := []int64{}
	_, err := c.remover().Plan(c.T.Context(), 0, func(e store.ExpiringLog) error {
		if e.Hold != nil {
			e.JobID = -e.JobID
		}
		ids = append(ids, e.JobID)
		return nil
	})
	c.Check(err)
	return ids
}

// states are those of the ledger, each with what the bucket has of the job.
func (c *cellar) states() map[int64]string {
	c.T.Helper()
	rows, err := c.DB.Pool().Query(c.T.Context(), `SELECT job_id, state FROM job_logs`)
	c.Check(err)
	defer rows.Close()
	states := make(map[int64]string)
	for rows.Next() {
		var id int64
		var state string
		c.Check(rows.Scan(&id, &state))
		states[id] = state
	}
	c.Check(rows.Err())
	var keys []string
	for o, err := range c.Archive.Bucket().List(c.T.Context(), "") {
		c.Check(err)
		keys = append(keys, o.Key)
	}
	slices.Sort(keys) // a folder lists them in no order
	for _, key := range keys {
		if k, name, ok := archive.ParseKey(key); ok && name != archive.DetailsName {
			states[k.JobID] += " " + path.Base(key)
		}
	}
	return states
}

func (c *cellar) wantStates(what string, want map[int64]string) {
	c.T.Helper()
	if diff := cmp.Diff(want, c.states()); diff != "" {
		c.T.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// verified wants no fault, and the same tables from the bucket alone.
func (c *cellar) verified(what string) {
	c.T.Helper()
	verify := func(db *store.DB) {
		v := &upkeep.Verifier{DB: db, Archive: c.Archive, Now: time.Now}
		_, err := v.Verify(c.T.Context(), upkeep.VerifyOptions{Deep: true}, func(f upkeep.Fault) { c.T.Errorf("%s: %s", what, f.Error()) }, func(int, int) {})
		c.Check(err)
	}
	verify(c.DB)
	lost := testenv.DB(c.T)
	b := &upkeep.Rebuilder{DB: lost, Archive: c.Archive}
	for range 2 {
		_, err := b.Rebuild(c.T.Context(), 2, func(f archive.Fault) { c.T.Errorf("%s: rebuild: %s", what, f.Error()) }, func(int) {})
		c.Check(err)
	}
	for _, table := range []string{"log_removals", "log_redactions"} {
		if diff := cmp.Diff(c.table(c.DB, rebuilt[table]), c.table(lost, rebuilt[table])); diff != "" {
			c.T.Errorf("%s: %s (-lost +rebuilt):\n%s", what, table, diff)
		}
	}
	ledger := `SELECT job_id, state, reason, raw_bytes, lines, encode(sha256, 'hex'), object_key, settled_at FROM job_logs WHERE state = 'removed' ORDER BY 1`
	if diff := cmp.Diff(c.table(c.DB, ledger), c.table(lost, ledger)); diff != "" {
		c.T.Errorf("%s: ledger (-lost +rebuilt):\n%s", what, diff)
	}
	annotations := `SELECT job_id, log_line, message FROM job_annotations ORDER BY 1, 2`
	if diff := cmp.Diff(c.table(c.DB, annotations), c.table(lost, annotations)); diff != "" {
		c.T.Errorf("%s: annotations (-lost +rebuilt):\n%s", what, diff)
	}
	// Holds are in no bucket.
	holds, err := c.DB.Holds(c.T.Context(), false)
	c.Check(err)
	for _, h := range holds {
		_, _, err := lost.SetHold(c.T.Context(), h.Hold)
		c.Check(err)
	}
	verify(lost)
}

func (c *cellar) table(db *store.DB, query string) []string {
	c.T.Helper()
	rows, err := db.Pool().Query(c.T.Context(), `SELECT row_to_json(t)::text FROM (`+query+`) t`)
	c.Check(err)
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		c.Check(rows.Scan(&s))
		out = append(out, s)
	}
	c.Check(rows.Err())
	return out
}

func (c *cellar) redact(id int64, patterns ...string) (*store.Redaction, error) {
	c.T.Helper()
	o := upkeep.RedactOptions{JobID: id, Actor: "bob", Reason: "a token"}
	for _, p := range patterns {
		o.Patterns = append(o.Patterns, regexp.MustCompile(p))
	}
	copied, left, err := c.remover().Redact(c.T.Context(), o)
	c.left = nil
	if left != nil {
		c.left = []upkeep.Unfinished{*left}
	}
	return copied, err
}

func (c *cellar) text(key string) string {
	c.T.Helper()
	body, err := c.Archive.OpenLog(c.T.Context(), key)
	c.Check(err)
	defer body.Close()
	b, err := io.ReadAll(body)
	c.Check(err)
	return string(b)
}

const days = 24 * time.Hour

// Without rules nothing goes; of a job the first rule that fits decides, and one that
// none fits is kept.
func TestTheFirstRuleThatFitsDecides(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	type edit = func(*store.Facts)
	branch := func(s *string) edit { return func(f *store.Facts) { f.Run.HeadBranch = s } }
	workflow := func(s string) edit { return func(f *store.Facts) { f.Run.WorkflowName = &s } }
	conclusion := func(s string) edit { return func(f *store.Facts) { f.Job.Conclusion = &s } }
	other := func(f *store.Facts) {
		f.Repository.ID, f.Run.RepositoryID, f.Job.RepositoryID, f.Repository.Name = 9, 9, 9, "secret"
	}
	c.job(1, 100*days, "a")
	c.job(2, 100*days, "a", branch(new("release/1.0")))
	c.job(3, 100*days, "a", workflow("Nightly"))
	c.job(4, 100*days, "a", conclusion("failure"))
	c.job(5, 100*days, "a", other)
	c.job(6, 30*days, "a")
	c.job(7, 30*days-time.Microsecond, "a")
	c.job(8, 100*days, "a", branch(nil))
	c.job(9, 100*days, "a", func(f *store.Facts) { f.Job.CompletedAt = nil }) // its creation counts
	if got := c.planned(); len(got) > 0 {
		t.Errorf("without rules go %v", got)
	}
	keep := func(n int) *int { return &n }
	for _, s := range []struct {
		name  string
		rules []store.RetentionRule
		want  []int64
	}{
		{"all", []store.RetentionRule{{KeepDays: keep(30)}}, []int64{1, 2, 3, 4, 5, 6, 8, 9}},
		{"all for ever", []store.RetentionRule{{}}, nil},
		{"for ever first", []store.RetentionRule{{}, {KeepDays: keep(1)}}, nil},
		{"repository", []store.RetentionRule{{Repository: new("ACME/*,!acme/SECRET"), KeepDays: keep(90)}}, []int64{1, 2, 3, 4, 8, 9}},
		{"another repository", []store.RetentionRule{{Repository: new("acme/secret"), KeepDays: keep(90)}}, []int64{5}},
		{"workflow", []store.RetentionRule{{Workflow: new("night*"), KeepDays: keep(90)}}, []int64{3}},
		{"branch", []store.RetentionRule{{Branch: new("release/*"), KeepDays: keep(90)}}, []int64{2}},
		{"branch is as it is written", []store.RetentionRule{{Branch: new("Release/*"), KeepDays: keep(90)}}, nil},
		{"not a branch", []store.RetentionRule{{Branch: new("!main"), KeepDays: keep(90)}}, []int64{2, 8}},
		{"conclusion", []store.RetentionRule{{Conclusion: new("failure,timed_out"), KeepDays: keep(90)}}, []int64{4}},
		{"failures longer", []store.RetentionRule{{Conclusion: new("failure"), KeepDays: keep(365)}, {KeepDays: keep(90)}}, []int64{1, 2, 3, 5, 8, 9}},
		{"age", []store.RetentionRule{{OlderThanDays: keep(31), KeepDays: keep(1)}}, []int64{1, 2, 3, 4, 5, 8, 9}},
		{"age, to the moment", []store.RetentionRule{{OlderThanDays: keep(30), KeepDays: keep(1)}}, []int64{1, 2, 3, 4, 5, 6, 8, 9}},
		{"the old are kept, the young go", []store.RetentionRule{{OlderThanDays: keep(31)}, {KeepDays: keep(1)}}, []int64{6, 7}},
		{"too young", []store.RetentionRule{{KeepDays: keep(101)}}, nil},
	} {
		var ids []int64
		for _, r := range s.rules {
			ids = append(ids, c.rule(r).ID)
		}
		if diff := cmp.Diff(append([]int64{}, s.want...), c.planned()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.name, diff)
		}
		for _, id := range ids {
			c.Check(c.DB.DeleteRetentionRule(t.Context(), id))
		}
	}
}

// What goes leaves the ledger's line, what it was, and who removed it; not the lines of
// the log that are quoted in tables.
func TestApplyRemovesAndKeepsWhatItWas(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	logs := map[int64]string{}
	for id := int64(1); id <= 5; id++ {
		logs[id] = fmt.Sprintf("2024-07-08T16:48:09.3750041Z ##[error]job %d\n", id)
		c.job(id, time.Duration(id)*10*days, logs[id])
	}
	r := c.rule(store.RetentionRule{Repository: new("acme/*"), KeepDays: new(30)})
	before := c.table(c.DB, `SELECT job_id, encode(sha256, 'hex') AS sha256, raw_bytes, stored_bytes, lines, object_key, archived_at FROM job_logs WHERE job_id >= 3 ORDER BY 1`)
	if sum := c.apply(2); sum.Jobs != 2 || sum.RawBytes != int64(len(logs[3])+len(logs[4])) {
		t.Errorf("a limit of two: %+v", sum)
	}
	c.wantStates("after two", map[int64]string{
		1: "archived log.zst", 2: "archived log.zst", 3: "removed settled.json", 4: "removed settled.json", 5: "archived log.zst",
	})
	if sum := c.apply(0); sum.Jobs != 1 {
		t.Errorf("the rest: %+v", sum)
	}
	if sum := c.apply(0); sum != (upkeep.ApplyResult{}) {
		t.Errorf("a third time: %+v", sum)
	}
	c.verified("after all")
	after := c.table(c.DB, `SELECT job_id, encode(sha256, 'hex') AS sha256, raw_bytes, stored_bytes, lines, object_key, archived_at FROM log_removals ORDER BY 1`)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("what it was (-ledger +removals):\n%s", diff)
	}
	row, err := c.DB.Removal(t.Context(), 3)
	c.Check(err)
	m := row.Removal
	if m.Actor != "bob" || m.Kind != store.RemovedByRule || *m.Rule != r.String() || !m.DecidedAt.Equal(c.now) || !m.FinishedAt.Equal(c.now) {
		t.Errorf("the removal is %+v", m)
	}
	l := row.Log
	if l.State != store.LogRemoved || *l.Reason != "retention: repository acme/*: keep 30d" || !l.SettledAt.Equal(c.now) || !bytes.Equal(l.SHA256, m.SHA256) || *l.RawBytes != m.RawBytes {
		t.Errorf("the ledger says %+v", l)
	}
	if got := c.table(c.DB, `SELECT DISTINCT job_id FROM job_annotations ORDER BY 1`); len(got) != 2 {
		t.Errorf("annotations are of %v", got)
	}
}

// A hold keeps what it covers, by job, run or repository, until it is released.
func TestHoldsBeatRules(t *testing.T) {
	t.Parallel()
	for name, hold := range map[string]struct {
		hold store.Hold
		kept []int64
	}{
		"job":        {store.Hold{JobID: new(int64(2))}, []int64{2}},
		"run":        {store.Hold{RunID: new(int64(1002))}, []int64{2, 3}},
		"repository": {store.Hold{RepositoryID: new(int64(1))}, []int64{1, 2, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCellar(t)
			for id := int64(1); id <= 3; id++ {
				c.job(id, 100*days, "s3cret\n", func(f *store.Facts) {
					if id == 3 {
						f.Run.ID, f.Job.RunID = 1002, 1002
					}
				})
			}
			c.job(4, 100*days, "s3cret\n", func(f *store.Facts) {
				f.Repository.ID, f.Run.RepositoryID, f.Job.RepositoryID, f.Repository.Name = 9, 9, 9, "other"
			})
			c.rule(store.RetentionRule{KeepDays: new(30)})
			var plan []int64
			// The hold is set between plan and apply.
			if plan = c.planned(); !slices.Equal(plan, []int64{1, 2, 3, 4}) {
				t.Errorf("planned %v", plan)
			}
			h := c.hold(hold.hold)
			want := map[int64]string{}
			for _, id := range plan {
				want[id] = "removed settled.json"
				if slices.Contains(hold.kept, id) {
					want[id] = "archived log.zst"
				}
			}
			for _, id := range hold.kept {
				for _, patterns := range [][]string{nil, {"s3cret"}} {
					_, err := c.redact(id, patterns...)
					var held *store.HeldError
					if !errors.As(err, &held) || held.Hold.ID != h.ID || !strings.Contains(err.Error(), fmt.Sprintf("legal hold %d: case 7", h.ID)) {
						t.Errorf("redact job %d: %v, want the hold and its reason", id, err)
					}
				}
			}
			if sum := c.apply(0); sum.Jobs != int64(4-len(hold.kept)) || sum.Held != int64(len(hold.kept)) {
				t.Errorf("applied %+v", sum)
			}
			c.wantStates("held", want)
			for i, id := range c.planned() {
				if id != -hold.kept[i] {
					t.Errorf("planned is %d, want %v, held", id, hold.kept)
				}
			}
			c.Check(c.DB.ReleaseHold(t.Context(), h.ID, "eve", c.now))
			if err := c.DB.ReleaseHold(t.Context(), h.ID, "eve", c.now); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("released twice: %v", err)
			}
			if sum := c.apply(0); sum.Jobs != int64(len(hold.kept)) {
				t.Errorf("after the release: %+v", sum)
			}
			if holds, err := c.DB.Holds(t.Context(), true); err != nil || len(holds) != 1 || *holds[0].ReleasedBy != "eve" || holds[0].Removed != int64(len(hold.kept)) {
				t.Errorf("history: %+v, %v", holds, err)
			}
			c.verified("after the release")
		})
	}
	c := newCellar(t)
	for _, h := range []store.Hold{{JobID: new(int64(2))}, {RunID: new(int64(2))}, {RepositoryID: new(int64(2))}} {
		if _, _, err := c.DB.SetHold(t.Context(), h); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a hold on nothing: %v", err)
		}
	}
}

// Removals go on while a hold is set: once it is, nothing more of it is decided away.
func TestAHoldIsSetWhileLogsAreRemoved(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	const jobs = 60
	for id := int64(1); id <= jobs; id++ {
		c.job(id, 100*days, "x\n")
	}
	c.rule(store.RetentionRule{KeepDays: new(30)})
	removedNow := func() (n int) {
		c.Check(c.DB.Pool().QueryRow(t.Context(), `SELECT count(*) FROM job_logs WHERE state = 'removed'`).Scan(&n))
		return n
	}
	begun, once := make(chan struct{}), false
	done := make(chan error, 1)
	go func() {
		_, err := c.remover().Apply(t.Context(), "bob", 0, func(upkeep.Unfinished) {}, func(upkeep.RemovedLog, upkeep.ApplyResult) {
			if !once {
				once = true
				close(begun)
			}
		})
		done <- err
	}()
	<-begun
	h, covered, err := c.DB.SetHold(t.Context(), store.Hold{RepositoryID: new(int64(1)), Reason: "case 7", CreatedBy: "eve", CreatedAt: c.now})
	c.Check(err)
	then := removedNow()
	c.Check(<-done)
	if now := removedNow(); now != then || covered.Removed != int64(then) {
		t.Errorf("%d were removed when the hold was set, it said %d, and then %d", then, covered.Removed, now)
	}
	if then == jobs {
		t.Log("all were removed before the hold was set: this shows little")
	}
	c.Check(c.DB.ReleaseHold(t.Context(), h.ID, "eve", c.now))
	c.apply(0)
	if n := removedNow(); n != jobs {
		t.Errorf("%d are removed in the end", n)
	}
	c.verified("in the end")
}

// stop has one of the steps fail in the bucket, as a kill there would.
type stop struct {
	bucket.Bucket
	replace, purge error
}

func (s *stop) Replace(ctx context.Context, key string, r io.Reader) (int64, error) {
	if s.replace != nil {
		return 0, s.replace
	}
	return s.Bucket.Replace(ctx, key, r)
}

func (s *stop) Purge(ctx context.Context, key string) error {
	if s.purge != nil {
		return s.purge
	}
	return s.Bucket.Purge(ctx, key)
}

// A removal that was stopped is not finished while a hold stands, is told of, and is
// finished afterwards. Of a database that is lost meanwhile the bucket tells as much.
func TestAHoldOnARemovalThatIsNotFinished(t *testing.T) {
	t.Parallel()
	broken := errors.New("no such thing today")
	for name, s := range map[string]stop{"before the record": {replace: broken}, "before the object": {purge: broken}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCellar(t)
			c.job(1, 100*days, "x\n")
			c.rule(store.RetentionRule{KeepDays: new(30)})
			s.Bucket = c.Archive.Bucket()
			stopped, err := archive.New(&s, 1<<40)
			c.Check(err)
			whole := c.Archive
			c.Archive = stopped
			if sum := c.apply(0); sum.Unfinished != 1 || len(c.left) != 1 || c.left[0].JobID != 1 || !strings.Contains(c.left[0].Error, broken.Error()) {
				t.Errorf("applied %+v, left %+v, want the bucket's error and the job", sum, c.left)
			}
			c.Archive = whole
			h, covered, err := c.DB.SetHold(t.Context(), store.Hold{JobID: new(int64(1)), Reason: "case 7", CreatedBy: "eve", CreatedAt: c.now})
			c.Check(err)
			if covered != (store.AlreadyRemoved{Removed: 1, Unfinished: 1}) {
				t.Errorf("it covers %+v", covered)
			}
			if sum := c.apply(0); sum.Finished != 0 || sum.Unfinished != 1 || len(c.left) != 1 || *c.left[0].Hold != h.ID {
				t.Errorf("applied %+v, left %+v", sum, c.left)
			}
			c.wantStates("held", map[int64]string{1: "removed log.zst settled.json"})
			c.verified("held")
			plan, err := c.remover().Plan(t.Context(), 0, func(store.ExpiringLog) error { return nil })
			if err != nil || len(plan.Unfinished) != 1 || *plan.Unfinished[0].Hold != h.ID {
				t.Errorf("planned %+v, %v", plan, err)
			}
			c.Check(c.DB.ReleaseHold(t.Context(), h.ID, "eve", c.now))
			if sum := c.apply(0); sum.Finished != 1 {
				t.Errorf("applied %+v", sum)
			}
			c.wantStates("released", map[int64]string{1: "removed settled.json"})
			c.verified("released")
		})
	}
}
