// Package testenv gives a test its own database, bucket and GitHub, made of the
// real parts: Postgres, a directory or a MinIO server, and githubsim.
//
// A package that uses it has
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
//
// which stops what was started for all tests of the package together.
package testenv

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

var (
	stopsMu sync.Mutex
	stops   []func()
)

// Main runs the tests of a package, stops the shared servers, and exits.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main without the exit, for a TestMain that has more to do.
func Run(m *testing.M) int {
	code := m.Run()
	stopsMu.Lock()
	defer stopsMu.Unlock()
	for i := len(stops) - 1; i >= 0; i-- {
		stops[i]()
	}
	return code
}

// guard removes a folder when this process ends, even by a panic, after it has stopped the
// servers that write there: a shell waits on a pipe that only this process holds open.
func guard(dir string, servers ...int) error {
	args := []string{"-c", `read -r _; dir=$1; shift; for pid; do kill -INT "$pid" 2>/dev/null && while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done; done; rm -rf "$dir"`,
		"guard", dir}
	for _, pid := range servers {
		args = append(args, strconv.Itoa(pid))
	}
	cmd := exec.Command("sh", args...)
	// Not in the terminal's process group, where Ctrl-C would end it too early.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	atEnd(func() {
		_ = pipe.Close()
		_ = cmd.Wait()
	})
	return nil
}

// atEnd makes Main call f at its end.
func atEnd(f func()) {
	stopsMu.Lock()
	defer stopsMu.Unlock()
	stops = append(stops, f)
}

// Missing skips a test that lacks a part, and says how to get that part. In CI, where
// every part must exist, it fails the test.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// Root is the folder of go.mod.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("testenv: no go.mod above the working directory")
		}
		dir = parent
	}
}

// Corpus is the folder of recorded inputs: JOBVAULT_CORPUS, which must be there, else
// ../shared/corpus beside the checkout. They are others', and not copied into the
// repository: without them the test is skipped, also in CI.
func Corpus(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("JOBVAULT_CORPUS")
	named := dir != ""
	if !named {
		dir = filepath.Join(Root(t), "..", "shared", "corpus")
	}
	_, err := os.Stat(filepath.Join(dir, "README.md"))
	if err != nil && named {
		t.Fatalf("JOBVAULT_CORPUS names no corpus: %v", err)
	}
	if err != nil {
		t.Skipf("what others recorded is not in the repository, and not tested: set JOBVAULT_CORPUS to its folder (%v)", err)
	}
	return dir
}

// Logger writes into the test's output.
func Logger(t testing.TB) *slog.Logger {
	w := &testWriter{t: t}
	t.Cleanup(w.end)
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// testWriter logs until the test ends; goroutines that outlive it by a moment
// would make the testing package panic.
type testWriter struct {
	mu sync.Mutex
	t  testing.TB
}

func (w *testWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.t != nil {
		w.t.Logf("%s", p[:len(p)-1])
	}
	return len(p), nil
}

func (w *testWriter) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t = nil
}

// must is for set-up that has no test to fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("testenv: %v", err))
	}
	return v
}
