package checkout_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/internal/bench/checkout"
)

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// repository has two commits of a program that prints which one it is of, and a change that
// is in neither.
func repository(t *testing.T) string {
	dir := t.TempDir()
	run(t, dir, "git", "init", "--quiet")
	for _, version := range []string{"first", "second", "changed"} {
		for name, text := range map[string]string{
			"go.mod":               "module example.com/m\n",
			"cmd/version/main.go":  "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"" + version + "\") }\n",
			"only-in-" + version:   "",
			"cmd/version/doc.go":   "// Command version prints its version.\npackage main\n",
			"cmd/broken/broken.go": "package main\n\nfunc main() { undefined() }\n",
		} {
			path := filepath.Join(dir, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		if version != "changed" {
			run(t, dir, "git", "add", ".")
			run(t, dir, "git", "-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false", "commit", "--quiet", "-m", version)
		}
	}
	return dir
}

func TestBuildOfAnEarlierCommit(t *testing.T) {
	repo := repository(t)
	before := run(t, repo, "git", "status", "--short") + run(t, repo, "git", "worktree", "list")
	for commit, want := range map[string]string{"HEAD": "second", run(t, repo, "git", "rev-parse", "--short", "HEAD~1"): "first"} {
		dir := t.TempDir()
		c, err := checkout.New(t.Context(), filepath.Join(repo, "cmd"), commit, filepath.Join(dir, "files"))
		if err != nil {
			t.Fatal(err)
		}
		if want := run(t, repo, "git", "rev-parse", commit); c.Commit != want {
			t.Errorf("%s is %s, want %s", commit, c.Commit, want)
		}
		program := filepath.Join(dir, "program")
		if err := c.Build(t.Context(), "./cmd/version", program); err != nil {
			t.Fatal(err)
		}
		if got := run(t, dir, program); got != want {
			t.Errorf("the program of %s prints %s, want %s", commit, got, want)
		}
		if err := c.Build(t.Context(), "./cmd/broken", program); err == nil {
			t.Error("a program that does not compile is built")
		}
	}
	if after := run(t, repo, "git", "status", "--short") + run(t, repo, "git", "worktree", "list"); after != before {
		t.Errorf("the repository was changed:\n%s\nbefore:\n%s", after, before)
	}
}

// A clone that lacks the commit is told from other errors.
func TestCommitThatIsNotThere(t *testing.T) {
	repo := repository(t)
	first := run(t, repo, "git", "rev-parse", "HEAD~1")
	shallow := filepath.Join(t.TempDir(), "shallow")
	run(t, repo, "git", "clone", "--quiet", "--depth", "1", "file://"+repo, shallow)
	for dir, commit := range map[string]string{repo: "0123456789", shallow: first, filepath.Join(repo, "cmd"): "--help"} {
		dest := filepath.Join(t.TempDir(), "files")
		if _, err := checkout.New(t.Context(), dir, commit, dest); !errors.Is(err, checkout.ErrNoCommit) || !strings.Contains(err.Error(), commit) {
			t.Errorf("commit %s: %v", commit, err)
		}
		if _, err := os.Stat(dest); err == nil {
			t.Errorf("commit %s: a folder was made", commit)
		}
	}
	if _, err := checkout.New(t.Context(), t.TempDir(), "HEAD", filepath.Join(t.TempDir(), "files")); err == nil || errors.Is(err, checkout.ErrNoCommit) {
		t.Errorf("a folder that is no repository: %v", err)
	}
}
