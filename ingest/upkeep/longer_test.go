package upkeep_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	seekable "github.com/SaveTheRbtz/zstd-seekable-format-go/pkg"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/zstd"
	"github.com/minio/minio-go/v7"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

// lengthening is an archive in which a longer log takes the place of job 1's, a day after
// that was listed. Job 2 is an ordinary one.
type lengthening struct {
	*rig
	now       *ingesttest.Clock
	bucketURL string
	key       archive.JobKey
	full, cut []byte
}

func newLengthening(t *testing.T, bucketURL string) *lengthening {
	t.Helper()
	now := ingesttest.NewClock()
	l := &lengthening{rig: newRig(t, ingesttest.Options{Now: now.Now, BucketURL: bucketURL}), now: now, bucketURL: bucketURL}
	l.full = append(githubsim.GeneratedLog(3, 200_000, githubsim.LogStyle{}).Bytes(), "2026-03-01T12:00:00.0000000Z ##[error]s3cret at the end\n"...)
	l.cut = l.full[:100_000]
	j := ingesttest.Completed(1, now.Now(), githubsim.TextLog(l.cut))
	j.Conclusion = ingesttest.Ptr("cancelled")
	l.Know(j)
	if says, _ := l.Try(1); says != "done" {
		t.Fatal(says)
	}
	l.Archived(2)
	j.Log = githubsim.TextLog(l.full)
	l.GitHub.AddJob(j)
	l.key = l.keyOf(1)
	return l
}

// lengthen has the longer log take its place.
func (l *lengthening) lengthen() {
	l.T.Helper()
	l.now.Advance(store.RecheckDelay)
	if says, _ := l.Recheck(1); says != "done" {
		l.T.Fatal(says)
	}
	l.hasLonger()
}

func (l *lengthening) hasLonger() {
	l.T.Helper()
	hasLonger(l.rig, int64(len(l.full)), int64(len(l.cut)))
}

// hasLonger wants the ledger to have the longer log of job 1, and what it was.
func hasLonger(r *rig, size, was int64) {
	r.T.Helper()
	e, err := r.DB.JobLog(r.T.Context(), 1)
	r.Check(err)
	if *e.RawBytes != size || len(e.Shorter) != 1 || e.Shorter[0].RawBytes != was || archive.LogNumber(*e.ObjectKey) != 2 {
		r.T.Fatalf("the ledger has %s of %d bytes, and before it %+v", *e.ObjectKey, *e.RawBytes, e.Shorter)
	}
}

func (l *lengthening) day() {
	l.T.Helper()
	l.now.Advance(24 * time.Hour)
	l.writeManifests()
}

// sound wants every verification to find nothing.
func (r *rig) sound(when string) {
	r.T.Helper()
	if faults, _ := r.verify(upkeep.VerifyOptions{Deep: true}); faults != nil {
		r.T.Errorf("%s, verify: %q", when, faults)
	}
	if faults, _ := r.verifyRows(upkeep.VerifyOptions{}); faults != nil {
		r.T.Errorf("%s, verify --database: %q", when, faults)
	}
}

// folder are the names of job 1's objects.
func (l *lengthening) folder() []string {
	l.T.Helper()
	var names []string
	for o, err := range l.Archive.Bucket().List(l.T.Context(), l.key.Prefix()) {
		l.Check(err)
		names = append(names, filepath.Base(o.Key))
	}
	slices.Sort(names)
	return names
}

const shorterRows = `SELECT job_id, number, object_key, raw_bytes, stored_bytes, lines, encode(sha256, 'hex') AS sha256, encode(stored_sha256, 'hex') AS stored, archived_at FROM shorter_logs`

// A longer log is listed anew, whatever was listed stays true, and the bucket alone tells
// all of it, on a file system and where objects are locked.
func TestALongerLogIsListedAndRebuilt(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(*testing.T) string{
		"file":                func(t *testing.T) string { return testenv.FileBucketURL(t) },
		"s3 with Object Lock": func(t *testing.T) string { return testenv.S3LockedBucketURL(t) + "&lock=governance&lock_days=1" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLengthening(t, url(t))
			l.day()
			l.wantManifests("before", "03-01 1 archived", "03-01 2 archived")
			l.lengthen()
			l.sound("lengthened")
			l.day()
			l.wantManifests("after", "03-01 1 archived", "03-01 2 archived", "03-02 1 archived")
			l.sound("listed")
			l.day()
			l.wantManifests("the day after", "03-01 1 archived", "03-01 2 archived", "03-02 1 archived")
			l.exports()
			l.Now = time.Now
			lost := newRig(t, ingesttest.Options{BucketURL: l.bucketURL})
			if sum := lost.rebuild(0); sum.Faults > 0 || sum.States[store.LogArchived] != 2 {
				t.Errorf("rebuilt: %+v", sum)
			}
			queries := map[string]string{"shorter_logs": shorterRows}
			for table, query := range rebuilt {
				queries[table] = query
			}
			for table, query := range queries {
				if diff := cmp.Diff(tables(l.rig, query), tables(lost, query)); diff != "" {
					t.Errorf("%s (-lost +rebuilt):\n%s", table, diff)
				}
			}
			lost.sound("rebuilt")
		})
	}
}

// exports wants a package of job 1 to be written, which tells of the shorter log.
func (l *lengthening) exports() {
	l.T.Helper()
	j, err := l.DB.JobDetails(l.T.Context(), 1)
	l.Check(err)
	dir := filepath.Join(l.T.(*testing.T).TempDir(), "package")
	e := lookup.Evidence{Logs: lookup.Logs{DB: l.DB, Archive: l.Archive}, Subject: "ada", Now: l.Now}
	l.Check(e.Write(l.T.Context(), dir, "job 1", []store.JobDetails{j}))
	var ledger struct {
		ObjectKey string               `json:"object_key"`
		Shorter   []archive.ShorterLog `json:"shorter"`
	}
	l.Check(json.Unmarshal(l.file(dir, "ledger.json"), &ledger))
	if len(ledger.Shorter) != 1 || ledger.Shorter[0].RawBytes != int64(len(l.cut)) || ledger.ObjectKey != l.key.LogNumbered(2) {
		l.T.Errorf("ledger.json tells of %+v", ledger)
	}
	if got := l.file(dir, "log.zst"); !bytes.Equal(got, l.Get(l.key.LogNumbered(2))) {
		l.T.Error("log.zst of the package is not the longer log")
	}
}

// file reads a file of job 1 in a package.
func (l *lengthening) file(dir, name string) []byte {
	l.T.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "1", name))
	l.Check(err)
	return b
}

// What is lost, damaged or another one of two logs is named, and made again where it can be.
func TestVerifyOfLongerLogs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(l *lengthening)
		want   string // of a deep verify; repaired
	}{
		{"the shorter one is lost", func(l *lengthening) { l.Check(l.Archive.Bucket().Remove(l.T.Context(), l.key.Log())) }, "absent 1 repaired"},
		{"the shorter one is damaged", func(l *lengthening) { l.Overwrite(l.key.Log(), []byte("nonsense")) }, "unreadable 1 repaired"},
		{"the longer one is lost", func(l *lengthening) { l.Check(l.Archive.Bucket().Remove(l.T.Context(), l.key.LogNumbered(2))) }, "absent 1 repaired"},
		{"its filters are lost", func(l *lengthening) {
			l.Check(l.Archive.Bucket().Remove(l.T.Context(), archive.FilterKey(l.key.LogNumbered(2))))
		}, "filter 1 repaired"},
		{"a row is wrong", func(l *lengthening) { l.Exec(`UPDATE shorter_logs SET stored_bytes = 7`) }, "size 1 repaired"},
		{"a digest is wrong", func(l *lengthening) { l.Exec(`UPDATE shorter_logs SET sha256 = sha256('x')`) }, "digest 1; shorter 1"},
		{"a row is lost", func(l *lengthening) { l.Exec(`DELETE FROM shorter_logs`) }, "key 1"},
		{"a log that nobody was told of", func(l *lengthening) {
			e, err := l.DB.Ledger(l.T.Context(), store.LedgerFilter{}, 0, 1)
			l.Check(err)
			than := archive.Log{LogLayout: archive.LogLayout{Key: *e[0].ObjectKey, RawBytes: *e[0].RawBytes}, SHA256: [32]byte(e[0].SHA256)}
			_, err = l.Archive.PutLonger(l.T.Context(), than, bytes.NewReader(append(bytes.Clone(l.full), "and on"...)))
			l.Check(err)
		}, "orphan 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLengthening(t, testenv.FileBucketURL(t))
			l.lengthen()
			l.now.Set(time.Now().Add(2 * time.Hour)) // an object may belong to no row for an hour
			c.change(l)
			var got []string
			v := &upkeep.Verifier{DB: l.DB, Archive: l.Archive, GitHub: l.Clients, Now: l.Now}
			_, err := v.Verify(t.Context(), upkeep.VerifyOptions{Deep: true, Repair: true}, func(f upkeep.Fault) {
				said := fmt.Sprintf("%s %d", f.Kind, f.JobID)
				if f.Repaired {
					said += " repaired"
				}
				got = append(got, said)
			}, func(int, int) {})
			l.Check(err)
			slices.Sort(got)
			if diff := cmp.Diff(c.want, strings.Join(got, "; ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.HasSuffix(c.want, "repaired") {
				l.sound("repaired")
			}
		})
	}
}

// A database that is older than the longer log hears of it: by a rebuild, and when it comes
// upon the manifest that lists it.
func TestAnOldDatabaseHearsOfALongerLog(t *testing.T) {
	t.Parallel()
	l := newLengthening(t, testenv.FileBucketURL(t))
	l.day()
	old := func() *rig {
		r := newRig(t, ingesttest.Options{BucketURL: l.bucketURL, Now: l.now.Now})
		if sum := r.rebuild(0); sum.Faults > 0 {
			t.Fatalf("%+v", sum)
		}
		return r
	}
	rebuilding, listing := old(), old()
	l.lengthen()
	l.day()
	l.day()
	if sum := rebuilding.rebuild(0); sum.Faults > 0 || sum.Before != 1 || sum.States[store.LogArchived] != 1 {
		t.Errorf("rebuilt: %+v", sum)
	}
	listing.writeManifests()
	for name, r := range map[string]*rig{"rebuilding": rebuilding, "listing": listing} {
		hasLonger(r, int64(len(l.full)), int64(len(l.cut)))
		r.sound(name)
		if diff := cmp.Diff(tables(l.rig, shorterRows), tables(r, shorterRows)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	l.day()
	l.wantManifests("in the end", "03-01 1 archived", "03-01 2 archived", "03-02 1 archived")
}

// A ledger that has forgotten what a log was before, as after the schema of a release that
// did not know it, hears of it by a rebuild.
func TestRebuildRemembersShorterLogs(t *testing.T) {
	t.Parallel()
	l := newLengthening(t, testenv.FileBucketURL(t))
	l.day()
	l.lengthen()
	l.day()
	want := tables(l.rig, shorterRows)
	l.Exec(`DELETE FROM shorter_logs`)
	if sum := l.rebuild(0); sum.Faults > 0 || sum.States[store.LogArchived] != 1 {
		t.Errorf("rebuilt: %+v", sum)
	}
	if diff := cmp.Diff(want, tables(l.rig, shorterRows)); diff != "" {
		t.Errorf("(-before +rebuilt):\n%s", diff)
	}
	l.sound("rebuilt")
	if sum := l.rebuild(0); sum.Faults > 0 || sum.Before != 2 {
		t.Errorf("rebuilt again: %+v", sum)
	}
}

// While a shorter log is made again its job's log is removed: nothing of it is there in the
// end.
func TestAShorterLogIsRemovedWhileItIsRepaired(t *testing.T) {
	t.Parallel()
	l := newLengthening(t, testenv.FileBucketURL(t))
	l.lengthen()
	l.Check(l.Archive.Bucket().Remove(t.Context(), l.key.Log()))
	whole := l.Archive
	busy, err := archive.New(&replacing{Bucket: whole.Bucket(), f: func() { (&evidenceWorld{rig: l.rig}).redact(1) }}, 1<<40)
	l.Check(err)
	v := &upkeep.Verifier{DB: l.DB, Archive: busy, GitHub: l.Clients, Now: l.Now}
	_, err = v.Verify(t.Context(), upkeep.VerifyOptions{Repair: true}, func(f upkeep.Fault) {
		if f.Repaired && f.Key == l.key.Log() {
			t.Errorf("repaired: %+v", f)
		}
	}, func(int, int) {})
	l.Check(err)
	if diff := cmp.Diff([]string{"job.json", "settled.json"}, l.folder()); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// replacing calls a function before an object is replaced, once.
type replacing struct {
	bucket.Bucket
	f func()
}

func (b *replacing) Replace(ctx context.Context, key string, r io.Reader) (int64, error) {
	text, err := io.ReadAll(r)
	if f := b.f; f != nil && err == nil {
		b.f = nil
		f()
	}
	if err != nil {
		return 0, err
	}
	return b.Bucket.Replace(ctx, key, bytes.NewReader(text))
}

// A shorter log that is made again as another object, with another version of the
// compression, is listed again, and all is sound.
func TestAShorterLogThatIsStoredOtherwiseIsListedAgain(t *testing.T) {
	t.Parallel()
	l := newLengthening(t, testenv.FileBucketURL(t))
	l.day()
	l.lengthen()
	l.Overwrite(l.key.Log(), storedOtherwise(t, l.cut))
	log, err := l.Archive.Describe(t.Context(), l.key.Log())
	l.Check(err)
	l.Exec(`UPDATE shorter_logs SET stored_bytes = $1, stored_sha256 = $2`, log.StoredBytes, log.StoredSHA256[:])
	l.day()
	l.sound("stored otherwise")
	l.Check(l.Archive.Bucket().Remove(t.Context(), l.key.Log()))
	v := &upkeep.Verifier{DB: l.DB, Archive: l.Archive, GitHub: l.Clients, Now: l.Now}
	_, err = v.Verify(t.Context(), upkeep.VerifyOptions{Deep: true, Repair: true}, func(f upkeep.Fault) {
		if !f.Repaired {
			t.Errorf("not repaired: %+v", f)
		}
	}, func(int, int) {})
	l.Check(err)
	l.day()
	l.wantManifests("made again", "03-01 1 archived", "03-01 2 archived", "03-02 1 archived", "03-03 1 archived")
	l.sound("made again")
}

// storedOtherwise is a log's object as another version of the compression makes it.
func storedOtherwise(t *testing.T, text []byte) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := seekable.NewWriter(&b, enc)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A bucket that lost a shorter log says so, and what can be is rebuilt of the longer one; with
// a manifest that lists it, it can be made again.
func TestRebuildWithoutTheShorterLog(t *testing.T) {
	t.Parallel()
	for name, listed := range map[string]bool{"listed": true, "never listed": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLengthening(t, testenv.FileBucketURL(t))
			l.lengthen()
			if listed {
				l.day()
			}
			l.Check(l.Archive.Bucket().Remove(t.Context(), l.key.Log()))
			lost := newRig(t, ingesttest.Options{BucketURL: l.bucketURL, Now: l.now.Now})
			var faults []string
			sum, err := (&upkeep.Rebuilder{DB: lost.DB, Archive: lost.Archive}).Rebuild(t.Context(), 4, func(f archive.Fault) {
				faults = append(faults, fmt.Sprintf("%s %d %s", f.Kind, f.JobID, filepath.Base(f.Key)))
			}, func(int) {})
			l.Check(err)
			if diff := cmp.Diff([]string{"absent 1 log.zst"}, faults); diff != "" || sum.Faults != 1 || sum.States[store.LogArchived] != 2 {
				t.Errorf("faults (-want +got):\n%s%+v", diff, sum)
			}
			e, err := lost.DB.JobLog(t.Context(), 1)
			l.Check(err)
			if *e.ObjectKey != l.key.LogNumbered(2) || *e.RawBytes != int64(len(l.full)) || len(e.Shorter) != map[bool]int{true: 1}[listed] {
				t.Errorf("the ledger says %s, %d bytes, after %+v", *e.ObjectKey, *e.RawBytes, e.Shorter)
			}
			if !listed {
				return
			}
			if faults, _ := lost.verify(upkeep.VerifyOptions{Deep: true, Repair: true}); len(faults) != 1 || faults[0] != "1 absent repaired" {
				t.Errorf("verify --repair: %q", faults)
			}
			lost.sound("repaired")
			hasLonger(lost, int64(len(l.full)), int64(len(l.cut)))
		})
	}
}

// asOlder executes SQL as a jobvault does that knows no shorter logs.
func (l *lengthening) asOlder(sql string, args ...any) {
	l.T.Helper()
	l.Check(pgx.BeginFunc(l.T.Context(), l.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(l.T.Context(), `SET LOCAL jobvault.shorter_logs = ''`)
		if err == nil {
			_, err = tx.Exec(l.T.Context(), sql, args...)
		}
		return err
	}))
}

// A jobvault of before there were longer logs, which runs beside this one for a while,
// lists one without those before it, writes down its removal without them, and leaves
// something of it in the bucket: this one makes good for all of that.
func TestAnOlderJobvaultBesideALongerLog(t *testing.T) {
	t.Parallel()
	l := newLengthening(t, testenv.FileBucketURL(t))
	l.day()
	l.lengthen()
	l.asOlder(`UPDATE job_logs SET manifest_date = '2026-03-02' WHERE manifest_date IS NULL OR job_id = 2`)
	if got := ingesttest.Scalar[string](l.Rig, `SELECT string_agg(job_id || ' ' || coalesce(manifest_date::text, '-'), ', ' ORDER BY job_id) FROM job_logs`); got != "1 -, 2 2026-03-02" {
		t.Errorf("listed are %s", got)
	}
	l.Exec(`UPDATE job_logs SET manifest_date = '2026-03-01' WHERE job_id = 2`)
	l.day()
	l.wantManifests("by this one", "03-01 1 archived", "03-01 2 archived", "03-02 1 archived")
	l.sound("listed")

	l.Check(l.DB.RemoveByHand(t.Context(), 1, "alice", "a secret", l.now.Now()))
	l.asOlder(`UPDATE log_removals SET logged_in = 1`)
	row, err := l.DB.Removal(t.Context(), 1)
	l.Check(err)
	head, err := l.Archive.WriteRemovals(t.Context(), nil, l.now.Now(), []archive.RemovalsLine{olderLine(l.key, row)})
	l.Check(err)
	remover := &upkeep.Remover{DB: l.DB, Archive: l.Archive, Now: l.Now}
	log := &upkeep.RemovalLog{DB: l.DB, Archive: l.Archive}
	if _, err := log.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := ingesttest.Scalar[int](l.Rig, `SELECT count(*) FROM log_removals WHERE logged_in IS NULL`); n != 1 {
		t.Error("a record without the shorter log counts as all of it")
	}
	l.Check(log.Append(t.Context(), func(u upkeep.Unfinished) { t.Errorf("%+v", u) }))
	for _, key := range []string{l.key.Log(), l.key.Filter(), l.key.LogNumbered(2)} {
		l.Check(l.Archive.Bucket().Purge(t.Context(), key))
	}
	_, err = l.Archive.ReplaceSettled(t.Context(), l.key, olderLine(l.key, row).Settled)
	l.Check(err)
	l.asOlder(`UPDATE log_removals SET finished_at = now()`)
	if finished, err := remover.FinishDue(t.Context(), 10, func(u upkeep.Unfinished) { t.Errorf("%+v", u) }); err != nil || finished != 1 {
		t.Errorf("finished %d: %v", finished, err)
	}
	if diff := cmp.Diff([]string{"job.json", "settled.json"}, l.folder()); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	later, err := l.Archive.ReadRemovals(t.Context(), head.Number+1)
	l.Check(err)
	if s := later.Lines[0].Settled; len(s.Removal.Shorter) != 1 {
		t.Errorf("the log of removals tells %+v", s.Removal)
	}
	l.sound("removed")
}

// olderLine is what an older jobvault writes of a removal.
func olderLine(key archive.JobKey, row store.RemovedJob) archive.RemovalsLine {
	s := record.SettledOfRemoval(row)
	s.Removal.Shorter = nil
	return archive.RemovalsLineOf(key, s)
}

// What is in the next log's place and does not begin with the log is left alone, and named.
func TestRebuildTakesNoOtherLog(t *testing.T) {
	t.Parallel()
	l := newLengthening(t, testenv.FileBucketURL(t))
	other := l.Get(l.keyOf(2).Log())
	_, err := l.Archive.Bucket().Put(t.Context(), l.key.LogNumbered(2), bytes.NewReader(other))
	l.Check(err)
	lost := newRig(t, ingesttest.Options{BucketURL: l.bucketURL})
	for _, r := range []*rig{lost, l.rig} {
		if sum := r.rebuild(0); sum.Faults != 1 {
			t.Errorf("%+v", sum)
		}
		if e, err := r.DB.JobLog(t.Context(), 1); err != nil || *e.RawBytes != int64(len(l.cut)) || len(e.Shorter) != 0 {
			t.Errorf("%+v, %v", e, err)
		}
	}
	l.now.Advance(store.RecheckDelay)
	if says, _ := l.Recheck(1); says != "done" {
		t.Error(says)
	}
	if !bytes.Equal(l.Get(l.key.LogNumbered(2)), other) {
		t.Error("it was overwritten")
	}
}

// A removal takes all of a job's logs; what they were stays on record, and nothing brings
// any of it back.
func TestAllLogsOfAJobAreRemoved(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"", "s3cret"} {
		for name, url := range map[string]func(*testing.T) string{
			"file":                   func(t *testing.T) string { return testenv.FileBucketURL(t) },
			"s3 that keeps versions": func(t *testing.T) string { return testenv.S3VersionedBucketURL(t, minio.MakeBucketOptions{}) },
		} {
			t.Run(name+" "+pattern, func(t *testing.T) {
				t.Parallel()
				l := newLengthening(t, url(t))
				l.day()
				l.lengthen()
				w := &evidenceWorld{rig: l.rig}
				want := []string{"job.json", "settled.json"}
				if pattern == "" {
					w.redact(1)
				} else {
					w.redact(1, pattern)
					want = []string{"job.json", "redacted-1.zst", "settled.json"}
				}
				if diff := cmp.Diff(want, l.folder()); diff != "" {
					t.Errorf("left (-want +got):\n%s", diff)
				}
				s, err := l.Archive.Settled(t.Context(), l.key)
				l.Check(err)
				if s.Removal == nil || s.Removal.RawBytes != int64(len(l.full)) || len(s.Removal.Shorter) != 1 || s.Removal.Shorter[0].RawBytes != int64(len(l.cut)) {
					t.Errorf("settled.json tells of %+v", s.Removal)
				}
				l.day()
				l.wantManifests("removed", "03-01 1 archived", "03-01 2 archived", "03-02 1 removed")
				l.sound("removed")
				lost := newRig(t, ingesttest.Options{BucketURL: l.bucketURL, Now: l.now.Now})
				lost.rebuild(0)
				for table, query := range map[string]string{"shorter_logs": shorterRows, "log_removals": rebuilt["log_removals"]} {
					if diff := cmp.Diff(tables(l.rig, query), tables(lost, query)); diff != "" {
						t.Errorf("%s (-lost +rebuilt):\n%s", table, diff)
					}
				}
				lost.sound("rebuilt")
			})
		}
	}
}

// A log that is removed while it is asked for again does not come back: not if the worker
// has put the longer one by then, and is killed.
func TestARemovedLogDoesNotComeBackLonger(t *testing.T) {
	t.Parallel()
	l := newLengthening(t, testenv.FileBucketURL(t))
	e, err := l.DB.JobLog(t.Context(), 1)
	l.Check(err)
	was := archive.Log{LogLayout: archive.LogLayout{Key: *e.ObjectKey, RawBytes: *e.RawBytes}, SHA256: [32]byte(e.SHA256)}
	w := &evidenceWorld{rig: l.rig}
	w.redact(1, "Runner")
	_, err = l.Archive.PutLonger(t.Context(), was, bytes.NewReader(l.full))
	l.Check(err)
	before := l.GitHub.RequestsFor(1)[githubsim.EndpointLog]
	l.now.Advance(store.RecheckDelay)
	if says, _ := l.Recheck(1); says != "done" {
		t.Error(says)
	}
	if diff := cmp.Diff([]string{"job.json", "redacted-1.zst", "settled.json"}, l.folder()); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if n := l.GitHub.RequestsFor(1)[githubsim.EndpointLog]; n != before {
		t.Error("GitHub was asked for a removed log")
	}
	changed, err := l.DB.Lengthen(t.Context(), store.Settlement{JobID: 1, State: store.LogArchived, Object: &store.Object{Key: l.key.LogNumbered(2), RawBytes: 1 << 40}}, e.SHA256, l.Now())
	if err != nil || changed {
		t.Errorf("the ledger took a longer log of a removed one: %t, %v", changed, err)
	}
	l.sound("in the end")
}

// Readers get the longer log from then on; who found the shorter one before reads that.
func TestReadersGetTheLongerLog(t *testing.T) {
	t.Parallel()
	l := newLengthening(t, testenv.FileBucketURL(t))
	logs := lookup.Logs{DB: l.DB, Archive: l.Archive}
	before, err := logs.Find(t.Context(), 1)
	l.Check(err)
	l.lengthen()
	x := &upkeep.Reindexer{DB: l.DB, Archive: l.Archive}
	sum, err := x.Reindex(t.Context(), true, 1, func(f archive.Fault) { t.Error(f) }, func(upkeep.ReindexResult) {})
	if err != nil || sum.Jobs != 2 {
		t.Errorf("reindexed %+v, %v", sum, err)
	}
	now, err := logs.Find(t.Context(), 1)
	l.Check(err)
	for _, c := range []struct {
		log  store.JobLog
		want []byte
	}{{before, l.cut}, {now, l.full}} {
		var got bytes.Buffer
		l.Check(logs.Copy(t.Context(), &got, c.log, lookup.Selection{}))
		if !bytes.Equal(got.Bytes(), c.want) {
			t.Errorf("read %d bytes, want %d", got.Len(), len(c.want))
		}
	}
	l.sound("reindexed")
}
