package localpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// portRule says what happens if the remembered port is not free.
type portRule bool

const (
	anyPort  portRule = false // another one is picked and remembered
	keepPort portRule = true  // that is an error: people hold our URL
)

// launchTries is how often a start is tried whose failure may pass. With the
// pauses between it takes some three seconds.
const launchTries = 10

// errEnded says that Postgres ended where it should have become ready.
var errEnded = errors.New("postgres has ended")

// launch starts Postgres on the cluster and waits until it takes connections.
func (s *Server) launch(ctx context.Context, rule portRule) error {
	acct, bin, err := s.tools(ctx)
	if err != nil {
		return err
	}
	log, err := openLog(s.paths.log())
	if err != nil {
		return err
	}
	defer log.Close()
	retry := newPause()
	for try := 1; ; try++ {
		if err := s.choosePort(rule); err != nil {
			return err
		}
		begin, err := log.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		p, err := s.spawn(acct, bin, log)
		if err != nil {
			return err
		}
		err = s.awaitReady(ctx, p)
		if err == nil {
			p.serving.Store(true)
			s.postmaster = p
			s.conf.Logger.Info("postgres started", "pid", p.process.Pid, "port", s.facts.Port, "version", bin.major)
			return nil
		}
		if !errors.Is(err, errEnded) {
			return errors.Join(err, p.stop(context.WithoutCancel(ctx), 5*time.Second))
		}
		said := tail(log, begin)
		if try == launchTries || !s.mayPass(said) || retry.wait(ctx) != nil {
			return fmt.Errorf("%w: %s", err, said)
		}
	}
}

// mayPass reports whether what made Postgres end, saying this, may be over soon:
// somebody was quicker to take the port, or a postmaster was killed and its
// children have not noticed yet.
func (s *Server) mayPass(said string) bool {
	return !portFree(s.facts.Port) || strings.Contains(said, "pre-existing shared memory block")
}

func (s *Server) choosePort(rule portRule) (err error) {
	if rule == keepPort || s.facts.Port != 0 && portFree(s.facts.Port) {
		return nil
	}
	if s.facts.Port, err = pickPort(); err != nil {
		return err
	}
	return s.facts.save(s.paths.facts())
}

// spawn starts the process. What it prints goes to log.
func (s *Server) spawn(acct *account, bin binaries, log *os.File) (*postmaster, error) {
	found, err := s.survivor()
	if err != nil {
		return nil, err
	}
	data, err := os.Open(s.paths.cluster())
	if err != nil {
		return nil, err
	}
	defer data.Close()
	// Without a context: it ends when it is stopped, not when Start's caller
	// is done waiting.
	cmd := exec.Command(bin.postgres())
	acct.apply(cmd)
	cmd.Env = append(cmd.Env, found.environment()...)
	cmd.Args = append(cmd.Args, "-D", acct.handOverDir(cmd, data))
	cmd.Args = append(cmd.Args, s.settings()...)
	cmd.Stdout, cmd.Stderr = log, log
	return startPostmaster(cmd, s.paths.pidFile(), s.conf.Logger)
}

// settings are the command line's: our defaults, the caller's, and what nobody
// may change.
func (s *Server) settings() []string {
	all := map[string]string{
		"max_connections": "200",
		"shared_buffers":  "128MB",
		"cluster_name":    "jobvault",
		"timezone":        "UTC",
		"log_timezone":    "UTC",
		"log_checkpoints": "off", // one every few minutes, for years
		"jit":             "off", // a hardened service may not make code at run time
	}
	maps.Copy(all, s.conf.Settings)
	maps.Copy(all, map[string]string{
		"listen_addresses":        loopback,
		"port":                    strconv.Itoa(s.facts.Port),
		"unix_socket_directories": "",
		"logging_collector":       "off", // postgres.log is ours
	})
	var args []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		args = append(args, "-c", name+"="+all[name])
	}
	return args
}
