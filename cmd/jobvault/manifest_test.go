package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
)

// A day is archived and listed; the manifests are verified from a copy of the bucket
// alone; a run and a job are exported; what is dropped is named with and without the
// database.
func TestManifestsFromTheCommandLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	day := w.github.AddHistory(githubsim.History{Seed: 12, Jobs: 80, Runs: 10, Repositories: 1, Begin: now.AddDate(0, 0, -5), End: now.AddDate(0, 0, -4), NoDeliveries: true})
	w.want(0, "backfill", "--org", day.Repositories[0].Owner, "--since", "9d")
	_, err := w.pool.Exec(t.Context(), `UPDATE job_logs SET settled_at = settled_at - interval '2 days'`)
	w.check(err)
	var written writtenManifest
	w.check(json.Unmarshal([]byte(w.want(0, "manifest", "--json").out), &written))
	if written.Jobs != int64(len(day.Jobs)) {
		t.Errorf("%+v lists not all of %d jobs", written, len(day.Jobs))
	}
	dir := strings.TrimPrefix(w.archive.Bucket().String(), "file://")
	copied := filepath.Join(t.TempDir(), "copy")
	w.check(os.CopyFS(copied, os.DirFS(dir)))
	alone := *w
	alone.settings = []string{"JOBVAULT_DATABASE_URL=postgres://nobody@127.0.0.1:1/none"}
	if s := alone.want(0, "verify", "--manifests", "--from", copied, "--deep", "--head", written.Date+":"+written.SHA256); !strings.Contains(s.out, "80 settlements of 80 jobs") {
		t.Errorf("verify: %s", s.out)
	}
	w.want(0, "verify", "--deep")
	w.export(day)

	// Dropped: only who knows the last one can tell.
	key := archive.ManifestKey(mustDate(t, written.Date))
	w.check(os.Remove(filepath.Join(copied, key)))
	w.check(w.archive.Bucket().Remove(t.Context(), key))
	if s := alone.want(1, "verify", "--manifests", "--from", copied, "--head", written.Date+":"+written.SHA256); !strings.Contains(s.out, "manifest "+written.Date+": head") {
		t.Errorf("verify: %s", s.out)
	}
	if s := w.want(1, "verify"); !strings.Contains(s.out, "manifest: "+key+": there is no such object") {
		t.Errorf("verify: %s", s.out)
	}
	if s := w.want(1, "export", strconv.FormatInt(day.Jobs[0].ID, 10), filepath.Join(t.TempDir(), "out")); !strings.Contains(s.err, "is not there") {
		t.Errorf("export: %s", s.err)
	}
}

// export exports a job and its run, and checks what it gets.
func (w *world) export(day githubsim.Day) {
	w.t.Helper()
	parent, run := w.t.TempDir(), day.Jobs[0].RunID
	jobs := 0
	for _, j := range day.Jobs {
		if j.RunID == run {
			jobs++
		}
	}
	w.want(0, "export", strconv.FormatInt(day.Jobs[0].ID, 10), filepath.Join(parent, "job"))
	w.want(0, "export", "--run", strconv.FormatInt(run, 10), filepath.Join(parent, "run"))
	if s := w.want(1, "export", "--run", strconv.FormatInt(run, 10), filepath.Join(parent, "run")); !strings.Contains(s.err, "is not empty") {
		w.t.Errorf("export into what is there: %s", s.err)
	}
	for dir, want := range map[string]int{"job": 1, "run": jobs} {
		dir = filepath.Join(parent, dir)
		if folders, err := filepath.Glob(filepath.Join(dir, "*", "manifest.jsonl")); err != nil || len(folders) != want {
			w.t.Errorf("%s has %d jobs, want %d (%v)", dir, len(folders), want, err)
		}
		cmd := exec.CommandContext(w.t.Context(), testenv.Program(w.t, "sha256sum"), "--check", "--quiet", "SHA256SUMS")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			w.t.Errorf("%s: %v\n%s", dir, err, out)
		}
	}
}

func mustDate(t testing.TB, s string) time.Time {
	t.Helper()
	date, err := time.Parse(time.DateOnly, s)
	if err != nil {
		t.Fatal(err)
	}
	return date
}
