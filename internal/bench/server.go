package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"time"

	"github.com/jobvault/jobvault/lookup/rest"
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

// linesOf asks the server how many lines the log of a job has.
func (s *server) linesOf(ctx context.Context, jobID int64) (int64, error) {
	var list rest.JobList
	b, err := fetch(ctx, s.url+"/api/v3/jobs")
	if err == nil {
		err = json.Unmarshal(b, &list)
	}
	if err != nil {
		return 0, err
	}
	for _, j := range list.Jobs {
		if j.ID == jobID && j.Lines != nil {
			return *j.Lines, nil
		}
	}
	return 0, fmt.Errorf("job %d has no log", jobID)
}

// fetchTimes asks the server for a path again and again, and returns the last answer and
// how many seconds each took.
func (s *server) fetchTimes(ctx context.Context, path string) (got []byte, took []float64, err error) {
	for range 21 {
		started := time.Now()
		if got, err = fetch(ctx, s.url+path); err != nil {
			return nil, nil, err
		}
		took = append(took, time.Since(started).Seconds())
	}
	return got, took, nil
}
