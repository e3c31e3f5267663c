package upkeep_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

// Logs that were archived before jobvault knew how to read them for it tell the same
// as those that are read while they are archived; stopped in the middle, the
// reading goes on; what cannot be read is named and costs no other.
func TestReindexReadsWhatArchivingWould(t *testing.T) {
	t.Parallel()
	r, _ := settledDay(t, ingesttest.Options{}, 35, 100)
	usage := func() map[string][]string {
		all := make(map[string][]string)
		for table, query := range rebuilt {
			if table == "steps" || table == "job_logs" || strings.HasPrefix(table, "job_") {
				all[table] = tables(r, query)
			}
		}
		return all
	}
	before := usage()
	if len(before["job_actions"]) == 0 || len(before["job_annotations"]) == 0 || len(before["job_permissions"]) == 0 {
		t.Fatal("the day's logs tell nothing")
	}
	if got := tables(r, `SELECT count(*) > 0 AS called FROM job_actions WHERE path LIKE '.github/workflows/%' AND in_setup`); got[0] != tables(r, `SELECT true AS called`)[0] {
		t.Errorf("no reusable workflow is named: %v", got)
	}
	for table, rows := range before {
		if all := strings.Join(rows, "\n"); strings.Contains(strings.ToLower(all), "forged") {
			t.Errorf("%s has what an input of a reusable workflow says: %s", table, all)
		}
	}
	for _, table := range []string{"job_actions", "job_environment", "job_permissions", "job_annotations"} {
		r.Exec(`DELETE FROM ` + table)
	}
	r.Exec(`UPDATE steps SET log_first_line = 1, log_last_line = 7, log_lines = 'exact' WHERE job_id IN (SELECT job_id FROM job_logs WHERE state = 'archived')`)
	r.Exec(`UPDATE job_logs SET usage_version = NULL`)
	x := &upkeep.Reindexer{DB: r.DB, Archive: r.Archive}
	reindex := func(stopAfter int) (upkeep.ReindexResult, []string, error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var faults []string
		sum, err := x.Reindex(ctx, false, 3, func(f archive.Fault) { faults = append(faults, f.Kind) }, func(sum upkeep.ReindexResult) {
			if sum.Jobs == stopAfter {
				cancel()
			}
		})
		return sum, faults, err
	}
	if _, _, err := reindex(5); err == nil {
		t.Error("it was stopped and does not say so")
	}
	if _, faults, err := reindex(0); err != nil || faults != nil {
		t.Errorf("%v, %v", faults, err)
	}
	if diff := cmp.Diff(before, usage()); diff != "" {
		t.Errorf("(-archived +read again):\n%s", diff)
	}
	const written = `SELECT job_id, number, xmin FROM steps ORDER BY job_id, number`
	steps := tables(r, written)
	_, err := x.Reindex(t.Context(), true, 3, func(f archive.Fault) { t.Error(f.Error()) }, func(upkeep.ReindexResult) {})
	r.Check(err)
	if diff := cmp.Diff(steps, tables(r, written)); diff != "" {
		t.Errorf("steps were written again that have their lines (-before +after):\n%s", diff)
	}
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM action_pending`); n != 0 {
		t.Errorf("%d jobs are left to be rolled up, and no worker runs", n)
	}
	if sum, _, err := reindex(0); err != nil || sum.Jobs != 0 {
		t.Errorf("with nothing to read: %+v, %v", sum, err)
	}
	ids := archivedJobs(r, 10_000)
	log := r.Get(r.Object(ids[0], "log.zst"))
	r.Overwrite(r.Object(ids[0], "log.zst"), log[:len(log)-20])
	r.Exec(`UPDATE job_logs SET usage_version = 0`)
	sum, faults, err := reindex(0)
	if err != nil || sum.Faults != 1 || len(faults) != 1 || faults[0] != archive.FaultUnread {
		t.Errorf("%+v, %v, %v", sum, faults, err)
	}
}

// Rows that an older jobvault made are brought up; what is read again and says the same is
// not written, and no sum of actions is made anew for it.
func TestReindexWritesWhatHasChanged(t *testing.T) {
	t.Parallel()
	r, _ := settledDay(t, ingesttest.Options{}, 36, 40)
	rows := func(columns string) map[string][]string {
		all := make(map[string][]string)
		for _, table := range []string{"job_actions", "job_environment", "job_permissions", "job_annotations"} {
			all[table] = tables(r, `SELECT `+columns+` FROM `+table+` t ORDER BY t::text`)
		}
		return all
	}
	x := &upkeep.Reindexer{DB: r.DB, Archive: r.Archive}
	reindex := func(again bool) {
		t.Helper()
		sum, err := x.Reindex(t.Context(), again, 2, func(f archive.Fault) { t.Errorf("%+v", f) }, func(upkeep.ReindexResult) {})
		if err != nil || sum.Jobs == 0 {
			t.Fatalf("%+v, %v", sum, err)
		}
	}
	r.Check(r.DB.RollUpAllActions(t.Context()))
	// A copy that was archived before the job that ran has left a note.
	const notes = `SELECT count(*) FROM action_invalidated`
	noted := ingesttest.Scalar[int](r.Rig, notes)
	versions, want := rows("t.*, xmin::text"), rows("t.*")
	reindex(true)
	if diff := cmp.Diff(versions, rows("t.*, xmin::text")); diff != "" {
		t.Errorf("rows are written that have not changed (-before +after):\n%s", diff)
	}
	if n := ingesttest.Scalar[int](r.Rig, notes); n != noted {
		t.Errorf("%d more periods of the sums are out of date", n-noted)
	}
	r.Exec(`UPDATE job_logs SET usage_version = 2`)
	r.Exec(`UPDATE job_annotations SET message = message || E'\x1b]8;;x', tolerated = true, file = 'x', file_line = 1`)
	r.Exec(`UPDATE job_environment SET machine = 'x', cache_mode = 'x', actions_locked = NULL, defined_from = 'run', errors_cut = 7`)
	r.Exec(`UPDATE job_permissions SET level = 'x'`)
	r.Exec(`UPDATE job_actions SET kind = 'build', digest = 'x'`)
	reindex(false)
	if diff := cmp.Diff(want, rows("t.*")); diff != "" {
		t.Errorf("(-read by this version +brought up):\n%s", diff)
	}
}

// Filters of an earlier version, which know the bytes of lines alone, are whole, and are made
// again: once.
func TestReindexMakesEarlierFiltersAgain(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	for id := int64(1); id <= 3; id++ {
		c.job(id, days, strings.Repeat("a \x1b[1mcoloured\x1b[0m line\n", 3000))
	}
	x := &upkeep.Reindexer{DB: c.DB, Archive: c.Archive}
	reindex := func() (n int) {
		sum, err := x.Reindex(t.Context(), false, 1, func(f archive.Fault) { t.Errorf("reindex: %s", f.Error()) }, func(upkeep.ReindexResult) {})
		c.Check(err)
		return sum.Jobs
	}
	key := archive.JobKey{RepositoryID: 1, RunID: 1002, RunAttempt: 1, JobID: 2}
	reindex()
	made := []byte(c.object(key.Filter()))
	earlier := bytes.Replace(made[:len(made)-4], []byte("filters 3\n"), []byte("filters 1\n"), 1)
	earlier = binary.LittleEndian.AppendUint32(earlier, crc32.Checksum(earlier, crc32.MakeTable(crc32.Castagnoli)))
	_, err := c.Archive.Bucket().Replace(t.Context(), key.Filter(), bytes.NewReader(earlier))
	c.Check(err)
	_, err = c.DB.Pool().Exec(t.Context(), `UPDATE job_logs SET filter_version = NULL WHERE job_id = 2`)
	c.Check(err)
	v := &upkeep.Verifier{DB: c.DB, Archive: c.Archive, Now: time.Now}
	_, err = v.Verify(t.Context(), upkeep.VerifyOptions{Deep: true}, func(f upkeep.Fault) { t.Errorf("with an earlier version: %s", f.Error()) }, func(int, int) {})
	c.Check(err)
	if n, again := reindex(), c.object(key.Filter()); n != 1 || again != string(made) {
		t.Errorf("%d logs are read, the filters are made again: %v", n, again == string(made))
	}
	if n := reindex(); n != 0 {
		t.Errorf("%d logs are read once more", n)
	}
	c.verified("in the end")
}

// before calls a function before an object is put, once.
type before struct {
	bucket.Bucket
	object string
	f      func()
}

func (b *before) Put(ctx context.Context, key string, r io.Reader) (int64, error) {
	if f := b.f; f != nil && strings.HasSuffix(key, b.object) {
		b.f = nil
		f()
	}
	return b.Bucket.Put(ctx, key, r)
}

// Filters that are made of a log while it is removed go with it, whoever made them.
func TestFiltersOfALogThatIsRemovedMeanwhile(t *testing.T) {
	t.Parallel()
	reindex := func(c *cellar) {
		x := &upkeep.Reindexer{DB: c.DB, Archive: c.Archive}
		_, err := x.Reindex(c.T.Context(), false, 1, func(f archive.Fault) { c.T.Errorf("reindex: %s", f.Error()) }, func(upkeep.ReindexResult) {})
		c.Check(err)
	}
	for name, s := range map[string]struct{ first, work func(c *cellar) }{
		"reindex": {func(*cellar) {}, reindex},
		"verify --repair": {func(c *cellar) {
			reindex(c)
			c.wantStates("read", map[int64]string{1: "archived log.filter log.zst"})
			c.Check(c.Archive.Bucket().Remove(t.Context(), "v1/1/1001/1/1/log.filter"))
		}, func(c *cellar) { c.repair() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCellar(t)
			c.job(1, days, strings.Repeat(secretLine, 2000))
			s.first(c)
			other := *c
			removed := false
			a, err := archive.New(&before{Bucket: c.Archive.Bucket(), object: "log.filter", f: func() {
				removed = true
				_, err := other.redact(1)
				other.Check(err)
			}}, 1<<40)
			c.Check(err)
			other.Vault = &testenv.Vault{T: t, DB: c.DB, Archive: c.Archive, At: c.At}
			c.Archive = a
			s.work(c)
			if !removed || len(other.left) > 0 {
				t.Errorf("removed: %v, left is %+v: this shows nothing", removed, other.left)
			}
			c.wantStates("in the end", map[int64]string{1: "removed settled.json"})
			c.verified("in the end")
		})
	}
}

// Steps that are told after the log was archived get their lines when it is read again;
// until then, nobody calls the rows faulty.
func TestReindexFindsTheLinesOfLateSteps(t *testing.T) {
	t.Parallel()
	r, _ := settledDay(t, ingesttest.Options{}, 37, 30)
	const lines = `SELECT number, log_first_line, log_last_line, log_lines FROM steps WHERE job_id = %d ORDER BY number`
	job := ingesttest.Scalar[int64](r.Rig, `SELECT min(s.job_id) FROM steps s JOIN job_logs l USING (job_id) WHERE l.state = 'archived' AND s.log_first_line > 1`)
	want := tables(r, fmt.Sprintf(lines, job))
	details, err := r.DB.JobDetails(t.Context(), job)
	r.Check(err)
	steps, err := r.DB.Steps(t.Context(), job)
	r.Check(err)
	x := &upkeep.Reindexer{DB: r.DB, Archive: r.Archive}
	reindex := func(again bool) int {
		sum, err := x.Reindex(t.Context(), again, 1, func(f archive.Fault) { t.Errorf("reindex: %s", f.Error()) }, func(upkeep.ReindexResult) {})
		r.Check(err)
		return sum.Jobs
	}
	verify := func(when string, unread int) {
		t.Helper()
		if faults, sum := r.verifyRows(upkeep.VerifyOptions{}); faults != nil || sum.Unread != unread {
			t.Errorf("%s: %v, %+v", when, faults, sum)
		}
	}
	r.Exec(`DELETE FROM steps WHERE job_id = $1`, job)
	reindex(true)
	r.Check(r.DB.RecordFetched(t.Context(), store.Facts{Repository: details.Repository, Run: details.Run, Job: details.Job, Steps: steps}, r.Now()))
	verify("before", 1)
	if n := reindex(false); n != 1 {
		t.Errorf("%d logs are read again", n)
	}
	verify("after", 0)
	if diff := cmp.Diff(want, tables(r, fmt.Sprintf(lines, job))); diff != "" {
		t.Errorf("lines of the steps (-before +told again):\n%s", diff)
	}
}
