package upkeep_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
)

// verify reports the faults as "job kind", sorted.
func (r *rig) verify(o upkeep.VerifyOptions) (faults []string, sum upkeep.VerifyResult) {
	r.T.Helper()
	v := &upkeep.Verifier{DB: r.DB, Archive: r.Archive, GitHub: r.Clients, Now: r.Now}
	done, total := 0, 0
	sum, err := v.Verify(r.T.Context(), o, func(f upkeep.Fault) {
		text := fmt.Sprintf("%d %s", f.JobID, f.Kind)
		if f.Repaired {
			text += " repaired"
		}
		if f.Key == "" || f.Detail == "" {
			r.T.Errorf("a fault without key or detail: %+v", f)
		}
		faults = append(faults, text)
	}, func(d, n int) { done, total = d, n })
	r.Check(err)
	if done != total {
		r.T.Errorf("progress ended at %d of %d", done, total)
	}
	if sum.Faults != len(faults) {
		r.T.Errorf("%d faults reported, %d counted", len(faults), sum.Faults)
	}
	slices.Sort(faults)
	return faults, sum
}

// archivedJobs are the ids of jobs with a log, by ids, of at least a size.
func archivedJobs(r *rig, bytes int) []int64 {
	r.T.Helper()
	var ids []int64
	for _, row := range r.Rows(`SELECT job_id FROM job_logs WHERE state = 'archived' AND raw_bytes > $1 ORDER BY job_id`, bytes) {
		ids = append(ids, row["job_id"].(int64))
	}
	return ids
}

// On both buckets: everything that can be wrong is found and named, and nothing
// else is; what GitHub still has is repaired; a good object is never touched.
func TestVerifyFindsAndRepairsEachFault(t *testing.T) {
	t.Parallel()
	for name, bucket := range map[string]func(testing.TB) string{
		"file": testenv.FileBucketURL,
		"s3":   testenv.S3BucketURL,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := settledDay(t, ingesttest.Options{BucketURL: bucket(t)}, 31, 60)
			for _, o := range []upkeep.VerifyOptions{{}, {Deep: true}, {Repair: true}, {Sample: .3}} {
				if faults, sum := r.verify(o); faults != nil || sum.Jobs == 0 {
					t.Fatalf("%+v of a whole archive: %v", o, faults)
				}
			}
			ids := archivedJobs(r, 20_000)
			cut, flipped, deleted, first, second, lines, noDetails, gone := ids[0], ids[1], ids[2], ids[3], ids[4], ids[5], ids[6], ids[7]
			log := r.Get(r.Object(cut, "log.zst"))
			r.Overwrite(r.Object(cut, "log.zst"), log[:len(log)/2])
			log = r.Get(r.Object(flipped, "log.zst"))
			log[len(log)/2] ^= 1
			r.Overwrite(r.Object(flipped, "log.zst"), log)
			r.Check(r.Archive.Bucket().Remove(t.Context(), r.Object(deleted, "log.zst")))
			a, b := r.Get(r.Object(first, "log.zst")), r.Get(r.Object(second, "log.zst"))
			r.Overwrite(r.Object(first, "log.zst"), b)
			r.Overwrite(r.Object(second, "log.zst"), a)
			r.Exec(`UPDATE job_logs SET lines = lines + 1 WHERE job_id = $1`, lines)
			r.Check(r.Archive.Bucket().Remove(t.Context(), r.Object(noDetails, "job.json")))
			r.Check(r.Archive.Bucket().Remove(t.Context(), r.Object(gone, "log.zst")))
			r.GitHub.ExpireLog(gone)
			none := ingesttest.Scalar[int64](r.Rig, `SELECT min(job_id) FROM job_logs WHERE state = 'none'`)
			r.Check(r.Archive.Bucket().Remove(t.Context(), r.Object(none, "settled.json")))
			r.Overwrite("v1/1/2/3/4/log.zst", []byte("whose?"))
			r.Overwrite("v1/elsewhere", []byte("what?"))
			aged(t, r.Archive)
			fault := func(id int64, kind string) string { return fmt.Sprintf("%d %s", id, kind) }
			want := []string{
				fault(cut, "unreadable"), fault(flipped, "unreadable"), fault(deleted, "absent"), fault(first, "digest"), fault(second, "digest"),
				fault(lines, "lines"), fault(noDetails, "details"), fault(gone, "absent"), fault(none, "settled"), fault(0, "orphan"),
			}
			if name == "file" {
				want = append(want, fault(4, "orphan")) // S3 tells no false age
			}
			slices.Sort(want)
			got, _ := r.verify(upkeep.VerifyOptions{Deep: true})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("deep (-want +got):\n%s", diff)
			}
			before := r.objects()
			_, sum := r.verify(upkeep.VerifyOptions{Deep: true, Repair: true})
			if sum.Repaired != 8 {
				t.Errorf("%d repaired, want 8: %+v", sum.Repaired, sum)
			}
			left := slices.DeleteFunc(want, func(s string) bool {
				return !strings.HasSuffix(s, "orphan") && s != fault(gone, "absent")
			})
			got, _ = r.verify(upkeep.VerifyOptions{Deep: true})
			if diff := cmp.Diff(left, got); diff != "" {
				t.Errorf("after the repair (-want +got):\n%s", diff)
			}
			damaged := map[string]bool{}
			for _, id := range []int64{cut, flipped, deleted, first, second, noDetails, none} {
				for _, name := range []string{"log.zst", "job.json", "settled.json"} {
					damaged[r.Object(id, name)] = true
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
	r.T.Helper()
	all := make(map[string]time.Time)
	for o, err := range r.Archive.Bucket().List(r.T.Context(), "") {
		r.Check(err)
		all[o.Key] = o.ModTime
	}
	return all
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

// If GitHub has another log by now, what is damaged stays as it is, and is named.
func TestRepairTakesNoOtherLog(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	j := ingesttest.Completed(1, time.Now(), githubsim.TextLog(bytes.Repeat([]byte("what was\n"), 5000)))
	r.Know(j)
	if says, _ := r.Try(1); says != "done" {
		t.Fatal(says)
	}
	key := r.Object(1, "log.zst")
	whole := r.Get(key)
	for name, damage := range map[string]func(){
		"cut":    func() { r.Overwrite(key, whole[:len(whole)/2]) },
		"absent": func() { r.Check(r.Archive.Bucket().Remove(t.Context(), key)) },
	} {
		damage()
		before := r.objects()
		for _, log := range []githubsim.Log{githubsim.TextLog([]byte("something else\n")), {}} {
			j.Log = log
			r.GitHub.AddJob(j)
			faults, _ := r.verify(upkeep.VerifyOptions{Deep: true, Repair: true})
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
	r, _ := settledDay(t, ingesttest.Options{}, 32, 40)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v := &upkeep.Verifier{DB: r.DB, Archive: r.Archive, GitHub: r.Clients, Now: r.Now}
	if _, err := v.Verify(ctx, upkeep.VerifyOptions{Deep: true}, func(f upkeep.Fault) { t.Errorf("%+v", f) }, func(int, int) {}); err == nil {
		t.Error("nothing is wrong, it seems")
	}
	dir := strings.TrimPrefix(r.Archive.Bucket().String(), "file://")
	r.Check(os.Rename(dir, dir+"-away"))
	defer os.Rename(dir+"-away", dir)
	if _, err := v.Verify(t.Context(), upkeep.VerifyOptions{}, func(f upkeep.Fault) { t.Errorf("%+v", f) }, func(int, int) {}); err == nil {
		t.Error("a bucket that is not there is whole, it seems")
	}
}

// An empty database is filled from the bucket alone, on both kinds of bucket, and
// is table by table what it was, but for what no object says.
func TestRebuildMakesTheSameTables(t *testing.T) {
	t.Parallel()
	for name, bucket := range map[string]func(testing.TB) string{
		"file": testenv.FileBucketURL,
		"s3":   testenv.S3BucketURL,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bucketURL := bucket(t)
			r, day := settledDay(t, ingesttest.Options{BucketURL: bucketURL}, 33, 120)
			r.listRuns()
			r.CompareDay(day)
			r.Now = func() time.Time { return time.Now().Add(48 * time.Hour) }
			if got := r.writeManifests(); len(got) != 1 {
				t.Errorf("written: %q", got)
			}
			r.Now = time.Now
			lost := newRig(t, ingesttest.Options{BucketURL: bucketURL})
			sum := lost.rebuild(0)
			if sum.Faults > 0 || sum.Jobs != len(day.Jobs) || sum.Before > 0 || sum.Runs == 0 {
				t.Errorf("%+v", sum)
			}
			for table, query := range rebuilt {
				if diff := cmp.Diff(tables(r, query), tables(lost, query)); diff != "" {
					t.Errorf("%s (-lost +rebuilt):\n%s", table, diff)
				}
			}
			lost.CompareDay(day)
			if faults, _ := lost.verify(upkeep.VerifyOptions{Deep: true}); faults != nil {
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
	"workflow_run_attempts": `SELECT run_id, run_attempt, triggering_actor_id, triggering_actor, status, conclusion, started_at, updated_at,
		encode(description_sha256, 'hex') AS description, description_bytes FROM workflow_run_attempts ORDER BY run_id, run_attempt`,
	"jobs": `SELECT id, run_id, coalesce(run_attempt, 1) AS run_attempt, repository_id, name, status, conclusion, node_id, html_url, check_run_url,
		created_at, started_at, completed_at, runner_id, runner_name, runner_group_id, runner_group_name, carried_over_from FROM jobs ORDER BY id`,
	"steps":  `SELECT * FROM steps ORDER BY job_id, number`,
	"labels": `SELECT jl.job_id, l.name, jl.position FROM job_labels jl JOIN labels l ON l.id = jl.label_id ORDER BY 1, 3`,
	"job_logs": `SELECT job_id, state, reason, http_status, object_key, raw_bytes, stored_bytes, lines, encode(sha256, 'hex') AS sha256, encode(stored_sha256, 'hex') AS stored,
		frame_lines, frame_offsets, truncated, usage_version, filter_bytes, filter_version, manifest_date, encode(details_sha256, 'hex') AS details, details_bytes FROM job_logs ORDER BY job_id`,
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
	r.T.Helper()
	var out []string
	for _, row := range r.Rows(query) {
		b, err := json.Marshal(row)
		r.Check(err)
		out = append(out, string(b))
	}
	return out
}

// rebuild rebuilds, and stops after a number of jobs, as if killed (0: does not stop).
func (r *rig) rebuild(stopAfter int) upkeep.RebuildResult {
	r.T.Helper()
	ctx, cancel := context.WithCancel(r.T.Context())
	defer cancel()
	b := &upkeep.Rebuilder{DB: r.DB, Archive: r.Archive}
	sum, err := b.Rebuild(ctx, 4, func(f archive.Fault) { r.T.Log(f.Error()) }, func(jobs int) {
		if jobs == stopAfter {
			cancel()
		}
	})
	if stopAfter == 0 {
		r.Check(err)
	}
	return sum
}

// A rebuild that is stopped in the middle goes on where it was; a damaged object
// is named and costs no other job.
func TestRebuildIsStoppedAndMeetsDamage(t *testing.T) {
	t.Parallel()
	bucketURL := testenv.FileBucketURL(t)
	r, day := settledDay(t, ingesttest.Options{BucketURL: bucketURL}, 34, 80)
	ids := archivedJobs(r, 10_000)
	log := r.Get(r.Object(ids[0], "log.zst"))
	r.Overwrite(r.Object(ids[0], "log.zst"), log[:len(log)-20])
	r.Overwrite(r.Object(ids[1], "job.json"), []byte(`{"id":`))
	r.Check(r.Archive.Bucket().Remove(t.Context(), r.Object(ids[2], "job.json")))
	lost := newRig(t, ingesttest.Options{BucketURL: bucketURL})
	for _, n := range []int{1, 17, 40} {
		lost.rebuild(n)
	}
	sum := lost.rebuild(0)
	if sum.Faults != 3 || sum.Before == 0 {
		t.Errorf("%+v", sum)
	}
	if n := ingesttest.Scalar[int](lost.Rig, `SELECT count(*) FROM job_logs WHERE settled_at IS NOT NULL`); n != len(day.Jobs)-3 {
		t.Errorf("%d of %d jobs settled", n, len(day.Jobs)-3)
	}
}

// The database is yesterday's dump, and GitHub has forgotten half of the logs
// since: reconcile heals it from the bucket and GitHub.
func TestReconcileHealsARestoredDatabase(t *testing.T) {
	t.Parallel()
	bucketURL, databaseURL := testenv.FileBucketURL(t), testenv.DatabaseURL(t)
	r := newRig(t, ingesttest.Options{BucketURL: bucketURL, DatabaseURL: databaseURL})
	day := r.GitHub.AddHistory(ingesttest.Recent(240, 40))
	half := len(day.Deliveries) / 2
	r.Work()
	r.Send(day.Deliveries[:half], githubsim.SendOptions{Concurrency: 8})
	r.Await(time.Minute, `NOT EXISTS (SELECT FROM deliveries WHERE state = 'received') AND NOT EXISTS (
		SELECT FROM job_logs l JOIN jobs j ON j.id = l.job_id WHERE l.state = 'pending' AND j.status = 'completed')`)
	r.StopWork()
	r.Pool.Close()
	dump := testenv.CopyDatabaseURL(t, databaseURL)

	// The day goes on, and its end is archived.
	today := newRig(t, ingesttest.Options{BucketURL: bucketURL, DatabaseURL: databaseURL, Client: func(c *ghapi.Config) { c.BaseURL = r.GitHub.URL() }})
	today.Work()
	today.Send(day.Deliveries[half:], githubsim.SendOptions{Concurrency: 8})
	today.Await(time.Minute, ingesttest.Settled)
	today.StopWork()
	want := tables(today, rebuilt["job_logs"])
	for i, j := range day.Jobs {
		if i%2 == 0 {
			r.GitHub.ExpireLog(j.ID)
		}
	}

	restored := newRig(t, ingesttest.Options{BucketURL: bucketURL, DatabaseURL: dump, Client: func(c *ghapi.Config) { c.BaseURL = r.GitHub.URL() }})
	restored.Work()
	restored.Reconcile()
	restored.Await(time.Minute, ingesttest.Settled)
	if diff := cmp.Diff(want, tables(restored, rebuilt["job_logs"])); diff != "" {
		t.Errorf("the ledger (-before +healed):\n%s", diff)
	}
	restored.GitHub = r.GitHub
	restored.CompareDay(day)
	if faults, _ := restored.verify(upkeep.VerifyOptions{Deep: true}); faults != nil {
		t.Errorf("after healing: %v", faults)
	}
}
