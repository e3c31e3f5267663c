package localpg

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestSecondOwnerIsRefused(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	s := mustStart(t, c)
	_, err := Start(t.Context(), c)
	expectLocked(t, err, c.Dir, os.Getpid())
	mustClose(t, s)
	mustStart(t, c)
}

func TestSecondOwnerIsRefusedAcrossProcesses(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	owner, _ := startOwner(t, c.Dir)
	_, err := Start(t.Context(), c)
	expectLocked(t, err, c.Dir, owner.Process.Pid)
}

// A released lock can be taken again, even while a process that is just being started has
// a copy of its file.
func TestReleaseDespiteACopyOfTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock, err := acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Dup(int(lock.file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	lock.release()
	again, err := acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	again.release()
}

func expectLocked(t *testing.T, err error, dir string, pid int) {
	t.Helper()
	if !errors.Is(err, ErrLocked) {
		t.Fatalf("error = %v, want ErrLocked", err)
	}
	for _, want := range []string{dir, fmt.Sprintf("pid %d", pid)} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %q", err, want)
		}
	}
}

func TestKilledOwnersPostgresIsReused(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	owner, pid := startOwner(t, c.Dir)
	kill(t, owner)

	s := mustStart(t, c)
	if s.PID() != pid {
		t.Errorf("postmaster = %d, want the one that was left running, %d", s.PID(), pid)
	}
	query(t, s.URL(), `create table kept as select 'yes' as answer`)
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := query(t, s.URL(), `select answer from kept`); got != "yes" {
		t.Errorf("kept answer = %q", got)
	}
}

// A Postgres that was shutting down when its owner was killed is not re-used.
func TestKilledOwnersPostgresIsEnding(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	owner, pid := startOwner(t, c.Dir)
	kill(t, owner)
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	s := mustStart(t, c)
	if s.PID() == pid {
		t.Error("re-used a Postgres that was shutting down")
	}
}

func TestCtrlCDoesNotReachPostgres(t *testing.T) {
	t.Parallel()
	s := mustStart(t, testConfig(t))
	group, err := syscall.Getpgid(s.PID())
	if err != nil || group == syscall.Getpgrp() {
		t.Errorf("process group %d is ours (%v)", group, err)
	}
}

func TestAttach(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	owner := mustStart(t, c)
	a, err := Attach(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if a.URL() != owner.URL() {
		t.Error("attached with another URL")
	}
	if err := a.Stop(t.Context()); !errors.Is(err, ErrNotOwner) {
		t.Errorf("stop: %v", err)
	}
	if err := a.Restart(t.Context()); !errors.Is(err, ErrNotOwner) {
		t.Errorf("restart: %v", err)
	}
	mustClose(t, a)
	query(t, owner.URL(), `select 'still there'`)
}

func TestAttachAcrossProcesses(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	startOwner(t, c.Dir)
	a, err := Attach(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	query(t, a.URL(), `select 'there'`)
	mustClose(t, a)
	query(t, a.URL(), `select 'still there'`)
}

// Attach may come while the owner makes the cluster.
func TestAttachWhileOwnerStarts(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	errs := make(chan error, 3)
	done := make(chan struct{})
	for range cap(errs) {
		go func() {
			s, err := Attach(t.Context(), c)
			errs <- err
			<-done
			if err == nil {
				s.Close()
			}
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	close(done)
}

func TestAttachWithoutOwnerStarts(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	s, err := Attach(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, s)
	if s.PID() == 0 {
		t.Error("not started by us")
	}
	_, err = Start(t.Context(), c)
	expectLocked(t, err, c.Dir, os.Getpid())
}

func kill(t *testing.T, p *exec.Cmd) {
	t.Helper()
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.Wait() // says that it was killed
}
