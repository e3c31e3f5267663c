package lookup_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

// The jobs of an evidence fixture, all of run 2.
const (
	withLog   = 1 // archived, of several frames
	without   = 2 // no log, ever
	cameLate  = 3 // missing at first, archived a day later
	unlisted  = 4 // archived after the last manifest
	unsettled = 5
	emptyLog  = 6
)

// newEvidence has jobs in all states, and two manifests that tell of them.
func newEvidence(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	for _, id := range []int64{withLog, without, cameLate, unlisted, emptyLog} {
		f.details(id)
	}
	f.job(unsettled)
	f.archive(withLog, manyLines(40_000))
	f.archive(emptyLog, nil)
	f.without(without, store.LogNone)
	f.without(cameLate, store.LogMissing)
	f.manifests(25 * time.Hour)
	f.archive(cameLate, []byte("late"))
	f.manifests(49 * time.Hour)
	f.archive(unlisted, []byte("not listed yet"))
	return f
}

func key(id int64) archive.JobKey {
	return archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: id}
}

// details puts a job's job.json and rows.
func (f *fixture) details(id int64) {
	f.t.Helper()
	raw := fmt.Appendf(nil, `{"id":%d,"name":"build","note":"<&>"}`, id)
	_, err := f.Archive.PutDetails(f.t.Context(), key(id), raw)
	f.check(err)
	facts := f.Facts(id)
	facts.Details = &store.Details{SHA256: sha256.Sum256(raw), Bytes: int64(len(raw))}
	f.Record(facts)
}

func (f *fixture) without(id int64, state string) {
	f.t.Helper()
	raw, err := f.Archive.PutSettled(f.t.Context(), key(id), archive.Settled{State: state, Reason: "so it is", At: f.At})
	f.check(err)
	f.settle(store.Settlement{JobID: id, State: state, Reason: "so it is", Settled: &store.Details{SHA256: sha256.Sum256(raw), Bytes: int64(len(raw))}})
}

// manifests writes what is due so long after the fixture's day.
func (f *fixture) manifests(later time.Duration) {
	f.t.Helper()
	m := &upkeep.Manifests{
		DB: f.db, Archive: f.Archive, Logger: testenv.Logger(f.t),
		Now: func() time.Time { return f.At.Add(later) },
	}
	f.check(m.WriteDue(f.t.Context(), func(archive.Manifest) {}))
}

func (f *fixture) evidence(dir string, ids ...int64) error {
	f.t.Helper()
	var jobs []store.JobDetails
	for _, id := range ids {
		j, err := f.db.JobDetails(f.t.Context(), id)
		f.check(err)
		jobs = append(jobs, j)
	}
	e := lookup.Evidence{Logs: f.logs, Subject: "somebody", Now: func() time.Time { return f.At }}
	return e.Write(f.t.Context(), dir, "what is asked for", jobs)
}

// filesIn are the files of a package with their contents.
func filesIn(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// checks runs what the README says to run, and gives what it printed and whether all
// of it ended well.
func checks(t testing.TB, dir string) (out string, ok bool) {
	t.Helper()
	testenv.Program(t, "zstd")
	testenv.Program(t, "sha256sum")
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	ok = true
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(readme, -1) {
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", string(block[1]))
		cmd.Dir = dir
		b, err := cmd.CombinedOutput()
		out, ok = out+string(b), ok && err == nil
	}
	return out, ok
}

// Everything is in the package, exactly as it is stored, and the README's own commands
// find it whole.
func TestEvidenceIsWholeAndChecksItself(t *testing.T) {
	t.Parallel()
	f := newEvidence(t)
	dir := filepath.Join(t.TempDir(), "package")
	f.check(os.Mkdir(dir, 0o750))
	f.check(f.evidence(dir, withLog, without, cameLate, unlisted, unsettled, emptyLog))
	files := filesIn(t, dir)
	want := []string{
		"1/job.json", "1/ledger.json", "1/log.zst", "1/manifest.jsonl", "2/job.json", "2/ledger.json", "2/manifest.jsonl", "2/settled.json",
		"3/job.json", "3/ledger.json", "3/log.zst", "3/manifest.jsonl", "3/settled.json", "4/job.json", "4/ledger.json", "4/log.zst",
		"5/ledger.json", "6/job.json", "6/ledger.json", "6/log.zst", "6/manifest.jsonl", "LOGS.sha256", "README.md", "SHA256SUMS",
	}
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for id := range int64(6) {
		for name, k := range map[string]string{"log.zst": key(id + 1).Log(), "job.json": key(id + 1).Details(), "settled.json": key(id + 1).Settled()} {
			if got, ok := files[fmt.Sprintf("%d/%s", id+1, name)]; ok && got != string(f.object(k)) {
				t.Errorf("%s of job %d is not as it is stored", name, id+1)
			}
		}
	}
	if n := strings.Count(files["3/manifest.jsonl"], "\n"); n != 8 {
		t.Errorf("two manifests tell of job 3 in %d lines:\n%s", n, files["3/manifest.jsonl"])
	}
	for _, part := range []string{"Evidence of what is asked for", "Of job 4, no manifest", "Of job 5, no manifest"} {
		if !strings.Contains(files["README.md"], part) {
			t.Errorf("the README does not say %q", part)
		}
	}
	var ledger map[string]any
	f.check(json.Unmarshal([]byte(files["2/ledger.json"]), &ledger))
	if ledger["state"] != "none" || ledger["reason"] != "so it is" || ledger["repository"] != "acme/rocket" {
		t.Errorf("%v", ledger)
	}
	for range 2 {
		if out, ok := checks(t, dir); !ok || out != "" {
			t.Errorf("the README's checks say: %s", out)
		}
	}
	var read []int64
	rows, err := f.db.Pool().Query(t.Context(), `SELECT job_id FROM reads WHERE subject = 'somebody' AND what = 'export' ORDER BY job_id`)
	f.check(err)
	for rows.Next() {
		var id int64
		f.check(rows.Scan(&id))
		read = append(read, id)
	}
	if diff := cmp.Diff([]int64{withLog, cameLate, unlisted, emptyLog}, read); diff != "" {
		t.Errorf("reads (-want +got):\n%s", diff)
	}
}

// object is an object of the bucket.
func (f *fixture) object(key string) []byte {
	f.t.Helper()
	r, err := f.Archive.Bucket().Get(f.t.Context(), key, 0, -1)
	f.check(err)
	defer r.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(r)
	f.check(err)
	return b.Bytes()
}

// What the README tells of whole manifests is true.
func TestEvidenceIsComparedWithManifests(t *testing.T) {
	t.Parallel()
	f := newEvidence(t)
	dir := filepath.Join(t.TempDir(), "package")
	f.check(f.evidence(dir, cameLate))
	lines := strings.SplitAfter(filesIn(t, dir)["3/manifest.jsonl"], "\n")
	for i := 0; i+4 < len(lines); i += 4 {
		var of struct{ Key, SHA256 string }
		f.check(json.Unmarshal([]byte(lines[i]), &of))
		manifest := filepath.Join(t.TempDir(), "manifest.zst")
		f.check(os.WriteFile(manifest, f.object(of.Key), 0o600))
		run := func(script string) string {
			t.Helper()
			cmd := exec.CommandContext(t.Context(), "sh", "-ec", script, "sh", manifest)
			cmd.Dir = dir
			out, err := cmd.Output()
			f.check(err)
			return string(out)
		}
		testenv.Program(t, "zstd")
		if got := run(`zstd -dc "$1" | sha256sum`); !strings.HasPrefix(got, of.SHA256) {
			t.Errorf("%s has %s: %s", of.Key, got, lines[i])
		}
		if got := run(`zstd -dc "$1" | grep -Fxf 3/manifest.jsonl`); got != strings.Join(lines[i+1:i+4], "") {
			t.Errorf("of %s there are in the manifest:\n%s", lines[i+1:i+4], got)
		}
	}
}

// A change in a package is found, even if SHA256SUMS was made anew.
func TestEvidenceThatWasChangedFailsItsChecks(t *testing.T) {
	t.Parallel()
	f := newEvidence(t)
	for name, change := range map[string]func(dir string){
		"settled.json": func(dir string) {
			f.check(os.WriteFile(filepath.Join(dir, "3/settled.json"), []byte(`{}`), 0o600))
		},
		"job.json": func(dir string) {
			f.check(os.WriteFile(filepath.Join(dir, "1/job.json"), []byte(`{}`), 0o600))
		},
		"log.zst": func(dir string) {
			f.check(os.WriteFile(filepath.Join(dir, "1/log.zst"), f.object(key(cameLate).Log()), 0o600))
		},
	} {
		for _, again := range []bool{false, true} {
			dir := filepath.Join(t.TempDir(), "package")
			f.check(f.evidence(dir, withLog, cameLate))
			change(dir)
			if again {
				cmd := exec.CommandContext(t.Context(), "sh", "-ec", "find . -type f ! -name SHA256SUMS | sed 's,^./,,' | xargs sha256sum > SHA256SUMS")
				cmd.Dir = dir
				f.check(cmd.Run())
			}
			out, ok := checks(t, dir)
			if ok && out == "" || !strings.Contains(out, "/"+name+": not in ") {
				t.Errorf("%s, sums made anew %v: %v, %s", name, again, ok, out)
			}
		}
	}
}

// Anything that is damaged makes it fail, and nothing is left.
func TestEvidenceOfDamageIsNone(t *testing.T) {
	t.Parallel()
	remove := func(key string) func(*fixture) {
		return func(f *fixture) { f.check(f.Archive.Bucket().Remove(f.t.Context(), key)) }
	}
	put := func(key string, content []byte) func(*fixture) {
		return func(f *fixture) {
			_, err := f.Archive.Bucket().Replace(f.t.Context(), key, bytes.NewReader(content))
			f.check(err)
		}
	}
	sql := func(sql string) func(*fixture) {
		return func(f *fixture) {
			_, err := f.db.Pool().Exec(f.t.Context(), sql)
			f.check(err)
		}
	}
	first := archive.ManifestKey(time.Date(2024, 7, 8, 0, 0, 0, 0, time.UTC))
	for name, damage := range map[string]func(*fixture){
		"log absent":             remove(key(withLog).Log()),
		"log cut":                func(f *fixture) { put(key(withLog).Log(), f.object(key(withLog).Log())[:100])(f) },
		"another log":            func(f *fixture) { put(key(withLog).Log(), f.object(key(cameLate).Log()))(f) },
		"job.json absent":        remove(key(withLog).Details()),
		"job.json changed":       put(key(withLog).Details(), []byte(`{}`)),
		"settled.json absent":    remove(key(without).Settled()),
		"settled.json changed":   put(key(without).Settled(), []byte(`{"state":"expired"}`)),
		"settled.json of nobody": put(key(without).Settled(), []byte(`?`)),
		"settled.json of before": put(key(without).Settled(), []byte(`{"state":"none","reason":"another"}`)),
		"settled.json late":      put(key(cameLate).Settled(), []byte(`{"state":"missing"}`)),
		"settled.json lost":      remove(key(cameLate).Settled()),
		"settled.json beside":    put(key(withLog).Settled(), []byte(`{"state":"missing"}`)),
		"the ledger's job.json": func(f *fixture) {
			raw := []byte(`{"id":1}`)
			put(key(withLog).Details(), raw)(f)
			sql(fmt.Sprintf(`UPDATE job_logs SET manifest_date = manifest_date + 0, details_sha256 = sha256('%s') WHERE job_id = 1`, raw))(f)
			sql(`UPDATE job_logs SET manifest_date = '2024-07-08' WHERE job_id = 1`)(f)
		},
		"the ledger's log": func(f *fixture) {
			sql(`UPDATE job_logs a SET (object_key, sha256, stored_sha256, raw_bytes, stored_bytes) = (
				SELECT 'v1/1/2/1/1/log.zst', sha256, stored_sha256, raw_bytes, stored_bytes FROM job_logs b WHERE b.job_id = 3) WHERE job_id = 1`)(f)
			put(key(withLog).Log(), f.object(key(cameLate).Log()))(f)
		},
		"the chain":             func(f *fixture) { sql(`UPDATE manifests SET sha256 = sha256('') WHERE date = '2024-07-08'`)(f) },
		"manifest absent":       remove(first),
		"manifest cut":          func(f *fixture) { put(first, f.object(first)[:100])(f) },
		"the ledger is changed": sql(`UPDATE job_logs SET manifest_date = '2024-07-09', state = 'expired' WHERE job_id = 2`),
		"another manifest":      sql(`UPDATE manifests SET sha256 = sha256('')`),
		"another key":           sql(`UPDATE job_logs SET object_key = 'v1/1/2/1/3/log.zst' WHERE job_id = 1`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newEvidence(t)
			damage(f)
			parent := t.TempDir()
			err := f.evidence(filepath.Join(parent, "package"), withLog, without, cameLate)
			if !errors.Is(err, bucket.ErrUnreadable) {
				t.Errorf("%v", err)
			}
			if entries, _ := os.ReadDir(parent); len(entries) > 0 {
				t.Errorf("left is %v", entries)
			}
		})
	}
}

func TestEvidenceTakesNoFolderOfSomebodyElses(t *testing.T) {
	t.Parallel()
	f := newEvidence(t)
	dir := t.TempDir()
	f.check(os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600))
	if err := f.evidence(dir, withLog); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("a folder with something in it: %v", err)
	}
	if err := f.evidence(filepath.Join(dir, "mine"), withLog); err == nil {
		t.Error("a file is taken for a folder")
	}
	if err := f.evidence(filepath.Join(dir, "none", "package"), withLog); err == nil {
		t.Error("a folder in a folder that is not there")
	}
	if files := filesIn(t, dir); len(files) != 1 {
		t.Errorf("there are %v", files)
	}
}
