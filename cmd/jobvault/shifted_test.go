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

	"github.com/jobvault/jobvault/internal/testenv"
)

// shiftFile names, in a shifted binary's environment, the file that says by how many
// seconds its clock is wrong.
const shiftFile = "JOBVAULT_TEST_SHIFT_FILE"

// shiftedBinary is jobvault as it is, built with a standard library whose clock shows
// what a file says; the monotonic clock is left alone, as when somebody sets a machine's
// clock. A Go program asks the kernel itself, so no library that is loaded before it
// could shift its time.
type shiftedBinary struct {
	t    testing.TB
	path string
	file string
}

// Where time.Now takes the wall clock's seconds, and what it then calls.
const (
	nowInGo   = "	sec, nsec, mono := runtimeNow()\n	if mono == 0 {"
	nowInTest = "	sec, nsec, mono := runtimeNow()\n	sec += shifted\n	if mono == 0 {"
	shiftInGo = `
var shiftName, _ = syscall.Getenv("` + shiftFile + `")

var shifted int64 // seconds

// Now is called where nothing may be asked of the kernel, so a goroutine looks.
func init() {
	if shiftName == "" {
		return
	}
	readShift()
	go func() {
		for {
			Sleep(50 * Millisecond)
			readShift()
		}
	}()
}

func readShift() {
	f, err := open(shiftName)
	if err != nil {
		return
	}
	var text [32]byte
	n, _ := read(f, text[:])
	closefd(f)
	if seconds, err := atoi(string(text[:max(n, 0)])); err == nil {
		shifted = int64(seconds)
	}
}
`
)

// buildShifted builds the binary, which takes a minute where Go's cache knows nothing of
// that library.
func buildShifted(t testing.TB) *shiftedBinary {
	t.Helper()
	tool := testenv.Program(t, "go")
	root, err := exec.CommandContext(t.Context(), tool, "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	text, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), nowInGo) != 1 {
		t.Fatalf("time.Now in %s is not what it was: look where it takes the wall clock's seconds now", original)
	}
	patched := strings.Replace(strings.Replace(string(text), nowInGo, nowInTest, 1), "import (", "import (\n\t\"syscall\"", 1) + shiftInGo
	dir := t.TempDir()
	b := &shiftedBinary{t: t, path: filepath.Join(dir, "jobvault"), file: filepath.Join(dir, "shift")}
	replaced := filepath.Join(dir, "time.go")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{original: replaced}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{replaced: []byte(patched), filepath.Join(dir, "overlay.json"): overlay} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.shift(0)
	build := exec.CommandContext(t.Context(), tool, "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", b.path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return b
}

// own is the same binary with a clock of the test's own, which is right at first.
func (b *shiftedBinary) own(t testing.TB) *shiftedBinary {
	own := &shiftedBinary{t: t, path: b.path, file: filepath.Join(t.TempDir(), "shift")}
	own.shift(0)
	return own
}

// shift sets the clock of every process that has it, running or to come.
func (b *shiftedBinary) shift(by time.Duration) {
	b.t.Helper()
	// Whole at every moment, as processes read it.
	next := b.file + ".next"
	if err := os.WriteFile(next, []byte(strconv.Itoa(int(by.Seconds()))), 0o600); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Rename(next, b.file); err != nil {
		b.t.Fatal(err)
	}
}

// setting is for a process's environment.
func (b *shiftedBinary) setting() string { return shiftFile + "=" + b.file }
