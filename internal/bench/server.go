package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"time"
)

// server is the real jobvault in a process of its own.
type server struct {
	url string
	cmd *exec.Cmd
}

const benchSecret = "bench"

var urlInLog = regexp.MustCompile(`msg="jobvault serves".* url=(\S+)`)

// startServer starts `jobvault serve` with these settings and returns when it
// serves.
func (l *lab) startServer(ctx context.Context, settings ...string) (*server, error) {
	s := &server{cmd: exec.CommandContext(ctx, l.binary, "serve")}
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.WaitDelay = time.Minute
	s.cmd.Env = append(os.Environ(), "JOBVAULT_LISTEN=127.0.0.1:0", "JOBVAULT_DATA_DIR="+l.dir+"/jobvault-data",
		"JOBVAULT_WEBHOOK_SECRET="+benchSecret, "JOBVAULT_LOG_LEVEL=info")
	s.cmd.Env = append(s.cmd.Env, settings...)
	log, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(log)
	var last string
	for lines.Scan() {
		last = lines.Text()
		if m := urlInLog.FindStringSubmatch(last); m != nil {
			s.url = m[1]
			// Its log must not fill the pipe.
			go func() { _, _ = io.Copy(io.Discard, log) }()
			return s, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("jobvault did not start: %s", last), s.cmd.Wait())
}

// stop ends the server and returns the CPU time that it took.
func (s *server) stop() (time.Duration, error) {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	err := s.cmd.Wait()
	return s.cmd.ProcessState.UserTime() + s.cmd.ProcessState.SystemTime(), err
}

// abandon kills a server that was not stopped because its measurement failed.
func (s *server) abandon() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}
