package rest_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

// octokit installs the client into the cache folder, once, and returns the script.
func octokit(t *testing.T) string {
	t.Helper()
	testenv.Program(t, "npm")
	dir := filepath.Join(testenv.Root(t), ".cache", "octokit")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	changed := false
	for _, name := range []string{"package.json", "package-lock.json", "read.mjs"} {
		b, err := os.ReadFile(filepath.Join("testdata", "octokit", name))
		if err != nil {
			t.Fatal(err)
		}
		had, _ := os.ReadFile(filepath.Join(dir, name)) // of nothing, if there is none
		changed = changed || string(had) != string(b)
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "@octokit", "rest")); changed || err != nil {
		cmd := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("npm ci: %v\n%s", err, out)
		}
	}
	return filepath.Join(dir, "read.mjs")
}

func TestOctokitReads(t *testing.T) {
	script := octokit(t)
	f := newFixture(t)
	facts := f.Facts(31, "Set up job")
	f.Record(facts)
	f.Log(31, []byte("2024-07-08T16:48:09.3750041Z hello\n"))
	f.Record(f.Facts(32))
	f.Settle(store.Settlement{JobID: 32, State: store.LogExpired})
	for id := range int64(3) {
		again := f.Facts(40 + id)
		again.Job.RunAttempt = new(int64(2))
		f.Record(again)
	}
	cmd := exec.CommandContext(t.Context(), "node", script, f.url)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	f.Check(err)
	type result struct {
		Job              string
		Log              string
		Latest           []int64
		Attempt          []int64
		All              []int64
		Unknown, Expired int
	}
	var got result
	f.Check(json.Unmarshal(out, &got))
	want := result{
		Job: facts.Job.Name, Log: "2024-07-08T16:48:09.3750041Z hello\n", Latest: []int64{40, 41, 42}, Attempt: []int64{31, 32},
		All: []int64{31, 32, 40, 41, 42}, Unknown: 404, Expired: 410,
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
