package ingest_test

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

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
)

// settledDay is a rig with an archived day.
func settledDay(t testing.TB, o rigOptions, seed uint64, jobs int) (*rig, githubsim.Day) {
	t.Helper()
	r := newRig(t, o)
	day := r.github.PlayableDay(seed, jobs, 3<<20)
	r.work()
	r.send(day.Deliveries, githubsim.SendOptions{Shuffle: true, Seed: 1, Concurrency: 16})
	r.await(time.Minute, settled)
	r.stopWork()
	return r, day
}

// verify reports the faults as "job kind", sorted.
func (r *rig) verify(o ingest.VerifyOptions) (faults []string, sum ingest.Verified) {
	r.t.Helper()
	v := &ingest.Verifier{DB: r.db, Archive: r.archive, GitHub: r.clients, Now: r.now}
	done, total := 0, 0
	sum, err := v.Verify(r.t.Context(), o, func(f ingest.Fault) {
		text := fmt.Sprintf("%d %s", f.JobID, f.Kind)
		if f.Repaired {
			text += " repaired"
		}
		if f.Key == "" || f.Detail == "" {
			r.t.Errorf("a fault without key or detail: %+v", f)
		}
		faults = append(faults, text)
	}, func(d, n int) { done, total = d, n })
	r.check(err)
	if done != total {
		r.t.Errorf("progress ended at %d of %d", done, total)
	}
	if sum.Faults != len(faults) {
		r.t.Errorf("%d faults reported, %d counted", len(faults), sum.Faults)
	}
	slices.Sort(faults)
	return faults, sum
}

// archivedJobs are the ids of jobs with a log, by ids, of at least a size.
func archivedJobs(r *rig, bytes int) []int64 {
	r.t.Helper()
	var ids []int64
	for _, row := range r.rows(`SELECT job_id FROM job_logs WHERE state = 'archived' AND raw_bytes > $1 ORDER BY job_id`, bytes) {
		ids = append(ids, row["job_id"].(int64))
	}
	return ids
}

func (r *rig) object(id int64, name string) string {
	r.t.Helper()
	lines, err := r.db.LedgerOf(r.t.Context(), []int64{id})
	r.check(err)
	k := keyOf(lines[id])
	return map[string]string{"log.zst": k.Log(), "job.json": k.Details(), "settled.json": k.Settled()}[name]
}

func (r *rig) get(key string) []byte {
	r.t.Helper()
	body, err := r.archive.Bucket().Get(r.t.Context(), key, 0, -1)
	r.check(err)
	defer body.Close()
	b, err := io.ReadAll(body)
	r.check(err)
	return b
}

// overwrite does what no part of jobvault can.
func (r *rig) overwrite(key string, content []byte) {
	r.t.Helper()
	r.check(r.archive.Bucket().Remove(r.t.Context(), key))
	_, err := r.archive.Bucket().Put(r.t.Context(), key, bytes.NewReader(content))
	r.check(err)
}

// On both buckets: everything that can be wrong is found and named, and nothing
// else is; what GitHub still has is repaired; a good object is never touched.
func TestVerifyFindsAndRepairsEachFault(t *testing.T) {
	t.Parallel()
	for name, bucket := range map[string]func(testing.TB) string{
		"file": func(t testing.TB) string { return "file://" + t.TempDir() },
		"s3":   testenv.S3BucketURL,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := settledDay(t, rigOptions{bucketURL: bucket(t)}, 31, 60)
			for _, o := range []ingest.VerifyOptions{{}, {Deep: true}, {Repair: true}, {Sample: .3}} {
				if faults, sum := r.verify(o); faults != nil || sum.Jobs == 0 {
					t.Fatalf("%+v of a whole archive: %v", o, faults)
				}
			}
			ids := archivedJobs(r, 20_000)
			cut, flipped, deleted, first, second, lines, noDetails, gone := ids[0], ids[1], ids[2], ids[3], ids[4], ids[5], ids[6], ids[7]
			log := r.get(r.object(cut, "log.zst"))
			r.overwrite(r.object(cut, "log.zst"), log[:len(log)/2])
			log = r.get(r.object(flipped, "log.zst"))
			log[len(log)/2] ^= 1
			r.overwrite(r.object(flipped, "log.zst"), log)
			r.check(r.archive.Bucket().Remove(t.Context(), r.object(deleted, "log.zst")))
			a, b := r.get(r.object(first, "log.zst")), r.get(r.object(second, "log.zst"))
			r.overwrite(r.object(first, "log.zst"), b)
			r.overwrite(r.object(second, "log.zst"), a)
			r.exec(`UPDATE job_logs SET lines = lines + 1 WHERE job_id = $1`, lines)
			r.check(r.archive.Bucket().Remove(t.Context(), r.object(noDetails, "job.json")))
			r.check(r.archive.Bucket().Remove(t.Context(), r.object(gone, "log.zst")))
			r.github.ExpireLog(gone)
			none := scalar[int64](r, `SELECT min(job_id) FROM job_logs WHERE state = 'none'`)
			r.check(r.archive.Bucket().Remove(t.Context(), r.object(none, "settled.json")))
			r.overwrite("v1/1/2/3/4/log.zst", []byte("whose?"))
			r.overwrite("v1/elsewhere", []byte("what?"))
			aged(t, r.archive)
			fault := func(id int64, kind string) string { return fmt.Sprintf("%d %s", id, kind) }
			want := []string{
				fault(cut, "unreadable"), fault(flipped, "unreadable"), fault(deleted, "absent"), fault(first, "digest"), fault(second, "digest"),
				fault(lines, "lines"), fault(noDetails, "details"), fault(gone, "absent"), fault(none, "settled"), fault(0, "orphan"),
			}
			if name == "file" {
				want = append(want, fault(4, "orphan")) // S3 tells no false age
			}
			slices.Sort(want)
			got, _ := r.verify(ingest.VerifyOptions{Deep: true})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("deep (-want +got):\n%s", diff)
			}
			before := r.objects()
			_, sum := r.verify(ingest.VerifyOptions{Deep: true, Repair: true})
			if sum.Repaired != 8 {
				t.Errorf("%d repaired, want 8: %+v", sum.Repaired, sum)
			}
			left := slices.DeleteFunc(want, func(s string) bool {
				return !strings.HasSuffix(s, "orphan") && s != fault(gone, "absent")
			})
			got, _ = r.verify(ingest.VerifyOptions{Deep: true})
			if diff := cmp.Diff(left, got); diff != "" {
				t.Errorf("after the repair (-want +got):\n%s", diff)
			}
			damaged := map[string]bool{}
			for _, id := range []int64{cut, flipped, deleted, first, second, noDetails, none} {
				for _, name := range []string{"log.zst", "job.json", "settled.json"} {
					damaged[r.object(id, name)] = true
				}
			}
			for key, was := range before {
				if now := r.objects()[key]; !damaged[key] && !now.Equal(was) {
					t.Errorf("%s was good, and is another object now", key)
				}
			}
		})
	}
}

// objects are all keys with their times.
func (r *rig) objects() map[string]time.Time {
	r.t.Helper()
	all := make(map[string]time.Time)
	for o, err := range r.archive.Bucket().List(r.t.Context(), "") {
		r.check(err)
		all[o.Key] = o.ModTime
	}
	return all
}

func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	_, err := r.pool.Exec(r.t.Context(), sql, args...)
	r.check(err)
}

// aged makes the stray object of a directory old enough to be an orphan.
func aged(t testing.TB, a *archive.Archive) {
	t.Helper()
	dir, ok := strings.CutPrefix(a.Bucket().String(), "file://")
	if !ok {
		return
	}
	old := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "v1/1/2/3/4/log.zst"), old, old); err != nil {
		t.Fatal(err)
	}
}

// GitHub has another log by now: what is damaged stays as it is, and is named.
func TestRepairTakesNoOtherLog(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	j := completed(1, time.Now(), githubsim.TextLog(bytes.Repeat([]byte("what was\n"), 5000)))
	r.know(j)
	if says, _ := r.try(1); says != "done" {
		t.Fatal(says)
	}
	key := r.object(1, "log.zst")
	whole := r.get(key)
	for name, damage := range map[string]func(){
		"cut":    func() { r.overwrite(key, whole[:len(whole)/2]) },
		"absent": func() { r.check(r.archive.Bucket().Remove(t.Context(), key)) },
	} {
		damage()
		before := r.objects()
		for _, log := range []githubsim.Log{githubsim.TextLog([]byte("something else\n")), {}} {
			j.Log = log
			r.github.AddJob(j)
			faults, _ := r.verify(ingest.VerifyOptions{Deep: true, Repair: true})
			if len(faults) != 1 || strings.Contains(faults[0], "repaired") {
				t.Errorf("%s: %v", name, faults)
			}
		}
		if diff := cmp.Diff(before, r.objects()); diff != "" {
			t.Errorf("%s: the bucket changed:\n%s", name, diff)
		}
	}
}

// A bucket that is away is no fault of the archive.
func TestVerifyWithoutTheBucket(t *testing.T) {
	t.Parallel()
	r, _ := settledDay(t, rigOptions{}, 32, 40)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v := &ingest.Verifier{DB: r.db, Archive: r.archive, GitHub: r.clients, Now: r.now}
	if _, err := v.Verify(ctx, ingest.VerifyOptions{Deep: true}, func(f ingest.Fault) { t.Errorf("%+v", f) }, func(int, int) {}); err == nil {
		t.Error("nothing is wrong, it seems")
	}
	dir := strings.TrimPrefix(r.archive.Bucket().String(), "file://")
	r.check(os.Rename(dir, dir+"-away"))
	defer os.Rename(dir+"-away", dir)
	if _, err := v.Verify(t.Context(), ingest.VerifyOptions{}, func(f ingest.Fault) { t.Errorf("%+v", f) }, func(int, int) {}); err == nil {
		t.Error("a bucket that is not there is whole, it seems")
	}
}

// An empty database is filled from the bucket alone, on both kinds of bucket, and
// is table by table what it was, but for what no object says.
func TestRebuildMakesTheSameTables(t *testing.T) {
	t.Parallel()
	for name, bucket := range map[string]func(testing.TB) string{
		"file": func(t testing.TB) string { return "file://" + t.TempDir() },
		"s3":   testenv.S3BucketURL,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bucketURL := bucket(t)
			r, day := settledDay(t, rigOptions{bucketURL: bucketURL}, 33, 120)
			r.compareDay(day)
			r.now = func() time.Time { return time.Now().Add(48 * time.Hour) }
			if got := r.writeManifests(); len(got) != 1 {
				t.Errorf("written: %q", got)
			}
			r.now = time.Now
			lost := newRig(t, rigOptions{bucketURL: bucketURL})
			sum := lost.rebuild(0)
			if sum.Faults > 0 || sum.Jobs != len(day.Jobs) || sum.Before > 0 {
				t.Errorf("%+v", sum)
			}
			for table, query := range rebuilt {
				if diff := cmp.Diff(tables(r, query), tables(lost, query)); diff != "" {
					t.Errorf("%s (-lost +rebuilt):\n%s", table, diff)
				}
			}
			lost.compareDay(day)
			if faults, _ := lost.verify(ingest.VerifyOptions{Deep: true}); faults != nil {
				t.Errorf("after the rebuild: %v", faults)
			}
			if sum := lost.rebuild(0); sum.Before != len(day.Jobs) || sum.Faults > 0 {
				t.Errorf("a second time: %+v", sum)
			}
		})
	}
}

// rebuilt are queries of all that the bucket tells of each table. Left out are
// numbers of jobvault's own (label ids, attempts), what webhooks alone tell of a
// repository, and times to the microsecond: those of objects are the storage's.
var rebuilt = map[string]string{
	"repositories":  `SELECT id, owner, name FROM repositories ORDER BY id`,
	"workflow_runs": `SELECT * FROM workflow_runs ORDER BY id`,
	"jobs": `SELECT id, run_id, coalesce(run_attempt, 1) AS run_attempt, repository_id, name, status, conclusion, node_id, html_url, check_run_url,
		created_at, started_at, completed_at, runner_id, runner_name, runner_group_id, runner_group_name FROM jobs ORDER BY id`,
	"steps":  `SELECT * FROM steps ORDER BY job_id, number`,
	"labels": `SELECT jl.job_id, l.name, jl.position FROM job_labels jl JOIN labels l ON l.id = jl.label_id ORDER BY 1, 3`,
	"job_logs": `SELECT job_id, state, reason, http_status, object_key, raw_bytes, stored_bytes, lines, encode(sha256, 'hex') AS sha256, encode(stored_sha256, 'hex') AS stored,
		frame_lines, frame_offsets, truncated, usage_version, filter_bytes, manifest_date, encode(details_sha256, 'hex') AS details, details_bytes FROM job_logs ORDER BY job_id`,
	"job_actions":     `SELECT * FROM job_actions ORDER BY job_id, seq`,
	"job_environment": `SELECT * FROM job_environment ORDER BY job_id`,
	"job_permissions": `SELECT * FROM job_permissions ORDER BY job_id, scope`,
	"manifests":       `SELECT date, previous, encode(sha256, 'hex') AS sha256, encode(stored_sha256, 'hex') AS stored, jobs, stored_bytes FROM manifests ORDER BY date`,
	"job_annotations": `SELECT * FROM job_annotations ORDER BY job_id, log_line`,
	"log_removals": `SELECT job_id, kind, rule, reason, actor, decided_at, encode(sha256, 'hex') AS sha256, raw_bytes, stored_bytes, lines, truncated, object_key,
		archived_at, finished_at IS NOT NULL AS finished FROM log_removals ORDER BY job_id`,
	"log_redactions": `SELECT * FROM log_redactions ORDER BY job_id, number`,
}

func tables(r *rig, query string) []string {
	r.t.Helper()
	var out []string
	for _, row := range r.rows(query) {
		b, err := json.Marshal(row)
		r.check(err)
		out = append(out, string(b))
	}
	return out
}

// rebuild rebuilds, and stops after so many jobs as a kill would (0: not).
func (r *rig) rebuild(stopAfter int) ingest.Rebuilt {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	b := &ingest.Rebuilder{DB: r.db, Archive: r.archive}
	sum, err := b.Rebuild(ctx, 4, func(f ingest.Fault) { r.t.Log(f.Error()) }, func(jobs int) {
		if jobs == stopAfter {
			cancel()
		}
	})
	if stopAfter == 0 {
		r.check(err)
	}
	return sum
}

// A rebuild that is stopped in the middle goes on where it was; a damaged object
// is named and costs no other job.
func TestRebuildIsStoppedAndMeetsDamage(t *testing.T) {
	t.Parallel()
	bucketURL := "file://" + t.TempDir()
	r, day := settledDay(t, rigOptions{bucketURL: bucketURL}, 34, 80)
	ids := archivedJobs(r, 10_000)
	log := r.get(r.object(ids[0], "log.zst"))
	r.overwrite(r.object(ids[0], "log.zst"), log[:len(log)-20])
	r.overwrite(r.object(ids[1], "job.json"), []byte(`{"id":`))
	r.check(r.archive.Bucket().Remove(t.Context(), r.object(ids[2], "job.json")))
	lost := newRig(t, rigOptions{bucketURL: bucketURL})
	for _, n := range []int{1, 17, 40} {
		lost.rebuild(n)
	}
	sum := lost.rebuild(0)
	if sum.Faults != 3 || sum.Before == 0 {
		t.Errorf("%+v", sum)
	}
	if n := scalar[int](lost, `SELECT count(*) FROM job_logs WHERE settled_at IS NOT NULL`); n != len(day.Jobs)-3 {
		t.Errorf("%d of %d jobs settled", n, len(day.Jobs)-3)
	}
}

// The database is yesterday's dump, and GitHub has forgotten half of the logs
// since: reconcile heals it from the bucket and GitHub.
func TestReconcileHealsARestoredDatabase(t *testing.T) {
	t.Parallel()
	bucketURL, databaseURL := "file://"+t.TempDir(), testenv.DatabaseURL(t)
	r := newRig(t, rigOptions{bucketURL: bucketURL, databaseURL: databaseURL})
	day := r.github.AddHistory(recent(240, 40))
	half := len(day.Deliveries) / 2
	r.work()
	r.send(day.Deliveries[:half], githubsim.SendOptions{Concurrency: 8})
	r.await(time.Minute, `NOT EXISTS (SELECT FROM deliveries WHERE state = 'received') AND NOT EXISTS (
		SELECT FROM job_logs l JOIN jobs j ON j.id = l.job_id WHERE l.state = 'pending' AND j.status = 'completed')`)
	r.stopWork()
	r.pool.Close()
	dump := testenv.CopyDatabaseURL(t, databaseURL)

	// The day goes on, and its end is archived.
	today := newRig(t, rigOptions{bucketURL: bucketURL, databaseURL: databaseURL, client: func(c *ghapi.Config) { c.BaseURL = r.github.URL() }})
	today.work()
	today.send(day.Deliveries[half:], githubsim.SendOptions{Concurrency: 8})
	today.await(time.Minute, settled)
	today.stopWork()
	want := tables(today, rebuilt["job_logs"])
	for i, j := range day.Jobs {
		if i%2 == 0 {
			r.github.ExpireLog(j.ID)
		}
	}

	restored := newRig(t, rigOptions{bucketURL: bucketURL, databaseURL: dump, client: func(c *ghapi.Config) { c.BaseURL = r.github.URL() }})
	restored.work()
	restored.reconcile()
	restored.await(time.Minute, settled)
	if diff := cmp.Diff(want, tables(restored, rebuilt["job_logs"])); diff != "" {
		t.Errorf("the ledger (-before +healed):\n%s", diff)
	}
	restored.github = r.github
	restored.compareDay(day)
	if faults, _ := restored.verify(ingest.VerifyOptions{Deep: true}); faults != nil {
		t.Errorf("after healing: %v", faults)
	}
}
