package localpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
)

// survivor is what a cluster's postmaster.pid tells about a Postgres that was
// not shut down. The zero survivor is none.
type survivor struct {
	process *os.Process // nil: it does not run any more
	port    int
	stale   int // the process id it had, if it is certainly not its own any more
}

// survivor looks for a Postgres running on the cluster.
func (s *Server) survivor() (survivor, error) {
	f, err := readPIDFile(s.paths.pidFile())
	if errors.Is(err, fs.ErrNotExist) {
		return survivor{}, nil
	}
	if err != nil {
		return s.unsure(err)
	}
	acct, err := accountFor(s.paths.cluster())
	if err != nil {
		return survivor{}, err
	}
	// First the handle, then the question: the handle stays with this process
	// should the number be given to another.
	process, err := os.FindProcess(f.pid)
	if err != nil {
		return survivor{}, err
	}
	ours, err := acct.runsIn(f.pid, s.paths.cluster())
	switch {
	case err != nil:
		return s.unsure(err)
	case !ours:
		return survivor{stale: f.pid}, nil
	}
	return survivor{process: process, port: f.port}, nil
}

// unsure leaves it to Postgres, which refuses to start when in doubt and says why.
func (s *Server) unsure(err error) (survivor, error) {
	s.conf.Logger.Warn("cannot tell whether a Postgres still runs", "cluster", s.paths.cluster(), "error", err)
	return survivor{}, nil
}

// environment tells a new Postgres about a stale process id. It would take any
// process of its user that has got the number since, after a reboot say, for a
// running Postgres. This variable, which pg_ctl uses in its own way, names one
// number that does not count. Removing the file instead would also remove the
// check for children of a killed postmaster that still write.
func (v survivor) environment() []string {
	if v.stale == 0 {
		return nil
	}
	return []string{"PG_GRANDPARENT_PID=" + strconv.Itoa(v.stale)}
}

// adopt takes over the Postgres that a killed owner left behind. If there is none, or it
// is just ending, s.postmaster stays nil.
func (s *Server) adopt(ctx context.Context) error {
	found, err := s.survivor()
	if err != nil || found.process == nil {
		return err
	}
	pid := found.process.Pid
	s.conf.Logger.Info("a Postgres was left running, going on with it", "pid", pid)
	if found.port != 0 && found.port != s.facts.Port {
		s.facts.Port = found.port
		if err := s.facts.save(s.paths.facts()); err != nil {
			return err
		}
	}
	p := &postmaster{process: found.process, pidFile: s.paths.pidFile()}
	err = s.awaitReady(ctx, p)
	if errors.Is(err, errEnded) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the Postgres that was left running (pid %d): %w", pid, err)
	}
	s.postmaster = p
	return nil
}
