package localpg

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// If the machine was rebooted, the process id in the pid file may be another program's:
// Postgres starts all the same.
func TestStalePIDFile(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	s := mustStart(t, c)
	text, err := os.ReadFile(s.paths.pidFile())
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)

	// A shell in the cluster itself, of the same user: Postgres alone would
	// take it for a running Postgres.
	stranger := runAs(t, s.paths.cluster(), "cat")
	_, rest, _ := strings.Cut(string(text), "\n")
	stale := strconv.Itoa(stranger.Process.Pid) + "\n" + rest
	writeAsAccount(t, s.paths.pidFile(), stale)

	s = mustStart(t, c)
	if s.PID() == stranger.Process.Pid {
		t.Error("took a stranger for Postgres")
	}
}

func TestStalePIDFileOfNobody(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	s := mustStart(t, c)
	text, err := os.ReadFile(s.paths.pidFile())
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	writeAsAccount(t, s.paths.pidFile(), string(text))
	mustStart(t, c)
}

// A copy of a running data directory must not lead to the original's Postgres.
func TestCopiedDirectoryIsServedByItself(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	s := mustStart(t, c)
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	copied := c
	copied.Dir = filepath.Join(t.TempDir(), "copy")
	if out, err := exec.Command("cp", "-R", c.Dir, copied.Dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(s.paths.pidFile())
	if err != nil {
		t.Fatal(err)
	}
	writeAsAccount(t, layout{copied.Dir}.pidFile(), string(text))

	other := mustStart(t, copied)
	if other.PID() == s.PID() || other.facts.Port == s.facts.Port {
		t.Error("went on with the original's Postgres")
	}
	// It is the note that tells them apart: the password is the same.
	other.facts.Port = s.facts.Port
	if err := other.check(t.Context(), database); err == nil || !strings.Contains(err.Error(), "another cluster") {
		t.Errorf("check of the original's port: %v", err)
	}
}

func TestReadPIDFile(t *testing.T) {
	for _, test := range []struct {
		text string
		want pidFile
		bad  bool
	}{
		{"123\n/data\n1700000000\n5433\n\n127.0.0.1\n  6 0\nready   \n", pidFile{123, 5433, true}, false},
		{"123\n/data\n1700000000\n5433\n\n127.0.0.1\n  6 0\nstarting\n", pidFile{123, 5433, false}, false},
		{"123\n/data\n", pidFile{pid: 123}, false},
		{"", pidFile{}, true},
		{"-7\n", pidFile{}, true}, // a single-user Postgres
		{"x\n", pidFile{}, true},
	} {
		path := filepath.Join(t.TempDir(), "postmaster.pid")
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readPIDFile(path)
		if got != test.want || (err != nil) != test.bad {
			t.Errorf("%q: %+v, %v", test.text, got, err)
		}
	}
}

func TestStopBecomesHarsher(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", `trap '' INT; echo set; read line`)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := startPostmaster(cmd, "", testLogger(t.Output()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.stop(ctx, time.Minute); err == nil {
		t.Error("stopped without time")
	}
	if err := p.stop(t.Context(), 10*time.Millisecond); err != nil {
		t.Error(err)
	}
}

// runAs runs a program in dir, as the user that runs the cluster, until the
// test ends.
func runAs(t *testing.T, dir, program string) *exec.Cmd {
	t.Helper()
	acct, err := accountFor(dir)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	cmd := exec.Command(program)
	acct.apply(cmd)
	cmd.Dir = dir
	if dirsByDescriptor {
		cmd.Dir = fmt.Sprintf("%s/%d", descriptors, data.Fd())
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	return cmd
}

// writeAsAccount writes a file of the cluster that Postgres may replace.
func writeAsAccount(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	acct, err := accountFor(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if err := acct.own(path); err != nil {
		t.Fatal(err)
	}
}
