//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jobvault/jobvault/store"
)

// terminal opens a pair of terminals: what is written into one comes out of the other.
func openTerminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = ours.Close() })
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// onTerminal runs jobvault on a terminal, answers the question when it comes, and
// returns what was shown, and how it ended.
func (w *world) onTerminal(t *testing.T, answer string, args ...string) (string, int) {
	t.Helper()
	ours, theirs := openTerminal(t)
	cmd := exec.Command(testBinary(), args...)
	cmd.Env = append(os.Environ(), append([]string{beMain + "=1"}, w.settings...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
	w.check(cmd.Start())
	w.check(theirs.Close())
	var mu sync.Mutex
	var shown strings.Builder
	answered, read := false, make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 4096)
		for {
			n, err := ours.Read(buf)
			mu.Lock()
			shown.Write(buf[:n])
			ask := !answered && strings.Contains(shown.String(), "[y/N]")
			answered = answered || ask
			mu.Unlock()
			if ask {
				_, _ = io.WriteString(ours, answer)
			}
			if err != nil {
				return // the other side is closed
			}
		}
	}()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
		t.Errorf("jobvault %v does not end", args)
	}
	<-read
	return shown.String(), cmd.ProcessState.ExitCode()
}

// On a terminal redact shows how much would go and where, never the text, and asks;
// only yes is yes.
func TestRedactAsks(t *testing.T) {
	t.Parallel()
	bucketURL := "file://" + t.TempDir()
	w, v := removalWorld(t, bucketURL, bucketURL)
	oldJob(v, 31, "a\ns3cret s3cret\nb\n"+strings.Repeat("s3cret\n", 12))
	args := []string{"redact", "31", "--reason", "a token", "--pattern", "s3cret"}
	state := func(want string) {
		t.Helper()
		if l, err := w.db.JobLog(t.Context(), 31); err != nil || l.State != want {
			t.Errorf("the ledger says %s (%v), want %s", l.State, err, want)
		}
	}
	if s := w.command(args...); s.code != 2 || !strings.Contains(s.err, "--yes") || !strings.Contains(s.err, "Nothing is changed") {
		t.Errorf("without a terminal: %d %s%s", s.code, s.out, s.err)
	}
	const preview = "14 matches in 13 lines of the log of job 31 would go, 84 B: lines 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, …"
	for _, no := range []string{"n\n", "\n", "no way\n", "\x04"} {
		shown, code := w.onTerminal(t, no, args...)
		if code != 1 || !strings.Contains(shown, preview) || !strings.Contains(shown, "jobvault log 31 --lines 2 shows") || !strings.Contains(shown, "nothing is redacted") || strings.Contains(shown, "s3cret") {
			t.Errorf("%q: %d\n%s", no, code, shown)
		}
		state(store.LogArchived)
	}
	if shown, code := w.onTerminal(t, "y\n", append(args, "--pattern", "hunter2")...); code != 1 || !strings.Contains(shown, "pattern 2 of 2: it is not found in the log") || strings.Contains(shown, "[y/N]") || strings.Contains(shown, "hunter2") {
		t.Errorf("a pattern that is not found: %d\n%s", code, shown)
	}
	state(store.LogArchived)
	if shown, code := w.onTerminal(t, "y\n", args...); code != 0 || !strings.Contains(shown, "is without 14 matches in 13 lines") {
		t.Errorf("yes: %d\n%s", code, shown)
	}
	state(store.LogRemoved)
	if shown, code := w.onTerminal(t, "YES\n", "redact", "31", "--reason", "a token"); code != 0 || !strings.Contains(shown, "all of the log of job 31 would go: 15 lines") {
		t.Errorf("all of it: %d\n%s", code, shown)
	}
	if s := w.want(1, "redact", "31", "--reason", "a token", "--yes"); !strings.Contains(s.err, "there is no log of it in the archive") {
		t.Errorf("once more: %s", s.err)
	}
}
