package localpg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// How long a shutdown may take before the next, harsher one is tried.
const (
	fastShutdown      = 30 * time.Second // SIGINT: transactions roll back, a checkpoint is made
	immediateShutdown = 10 * time.Second // SIGQUIT: the next start recovers, as after a crash
)

// postmaster is Postgres's main process.
type postmaster struct {
	process *os.Process
	pidFile string
	exited  chan struct{} // closed when our child has ended; nil for a process that is not our child
	serving atomic.Bool   // if it ends now, it does so unasked
}

// startPostmaster runs cmd as our child.
func startPostmaster(cmd *exec.Cmd, pidFile string, log *slog.Logger) (*postmaster, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &postmaster{process: cmd.Process, pidFile: pidFile, exited: make(chan struct{})}
	go func() {
		defer close(p.exited)
		err := cmd.Wait()
		if p.serving.Load() {
			log.Error("postgres has ended unexpectedly", "pid", cmd.Process.Pid, "error", err)
		}
	}()
	return p, nil
}

func (p *postmaster) running() bool {
	if p.exited != nil {
		select {
		case <-p.exited:
			return false
		default:
			return true
		}
	}
	if p.process.Signal(syscall.Signal(0)) != nil {
		return false
	}
	// Its new parent may not wait for it, then its process id stays. The last
	// thing it does, with all else closed, is to remove its pid file.
	f, err := readPIDFile(p.pidFile)
	return err == nil && f.pid == p.process.Pid
}

// stop has Postgres shut down and returns once it has ended; fast is how long
// that may take without force.
func (p *postmaster) stop(ctx context.Context, fast time.Duration) error {
	p.serving.Store(false)
	for _, s := range []struct {
		signal  os.Signal
		patient time.Duration
	}{{syscall.SIGINT, fast}, {syscall.SIGQUIT, immediateShutdown}} {
		if err := p.process.Signal(s.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("pid %d: %w", p.process.Pid, err)
		}
		if p.awaitExit(ctx, s.patient) {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return fmt.Errorf("pid %d is still there after SIGINT and SIGQUIT", p.process.Pid)
}

// awaitExit reports whether the process has ended within limit.
func (p *postmaster) awaitExit(ctx context.Context, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond) // nobody tells us about a process that is not our child
	defer poll.Stop()
	for p.running() {
		select {
		case <-p.exited:
		case <-poll.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// ready reports whether Postgres says that it takes connections.
func (p *postmaster) ready() bool {
	f, err := readPIDFile(p.pidFile)
	return err == nil && f.pid == p.process.Pid && f.ready
}

// pidFile is what Postgres writes into its postmaster.pid, as far as we need it.
type pidFile struct {
	pid   int
	port  int // 0 if not written yet
	ready bool
}

// readPIDFile reads a postmaster.pid. The process id is in its first line, the
// port in its fourth, how far it is in its eighth.
func readPIDFile(path string) (pidFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return pidFile{}, err
	}
	lines := strings.Split(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 0 {
		return pidFile{}, fmt.Errorf("%s does not begin with a process id", path)
	}
	f := pidFile{pid: pid}
	if len(lines) > 3 {
		f.port, _ = strconv.Atoi(strings.TrimSpace(lines[3]))
	}
	if len(lines) > 7 {
		state := strings.TrimSpace(lines[7])
		f.ready = state == "ready" || state == "standby" // which takes connections, to read
	}
	return f, nil
}
