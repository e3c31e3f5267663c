package localpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
)

// Server is a running Postgres, owned (Start) or only used (Attach). Its
// methods may be called from several goroutines.
type Server struct {
	conf  Config
	paths layout
	lock  *dirLock // nil if only attached
	facts facts    // does not change once Start or Attach has returned

	mu         sync.Mutex
	postmaster *postmaster // nil while stopped, or if only attached
}

// URL is how to connect to the database "jobvault", as a superuser. It holds
// the password. It stays the same until Close, through Stop and Restart too.
func (s *Server) URL() string { return s.facts.url(database) }

// URLFor is URL for another database of the same server.
func (s *Server) URLFor(name string) string { return s.facts.url(name) }

// PID is the postmaster's process id; 0 while stopped, or if only attached.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.postmaster == nil {
		return 0
	}
	return s.postmaster.process.Pid
}

// String names the server without its password.
func (s *Server) String() string { return "Postgres in " + s.paths.dir }

// Stop ends Postgres and keeps the data directory; Restart brings it back.
// Connections are cut, transactions in progress rolled back. Stopping what is
// stopped does nothing.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return ErrNotOwner
	}
	return s.stop(ctx)
}

// Restart starts Postgres again on the same port, stopping it first if it
// runs. It also brings back one that has crashed.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return ErrNotOwner
	}
	if err := s.stop(ctx); err != nil {
		return err
	}
	if err := s.launch(ctx, keepPort); err != nil {
		return fmt.Errorf("restart Postgres in %s: %w", s.paths.dir, err)
	}
	return nil
}

// Close stops Postgres and gives up the data directory, in bounded time. On a
// Server that was only attached, or is closed already, it does nothing.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return nil
	}
	err := s.stop(context.Background())
	// Also after an error: a Postgres that still runs is found by the next Start.
	s.lock.release()
	s.lock = nil
	return err
}

func (s *Server) stop(ctx context.Context) error {
	if s.postmaster == nil {
		return nil
	}
	pid := s.postmaster.process.Pid
	if err := s.postmaster.stop(ctx, fastShutdown); err != nil {
		return fmt.Errorf("stop Postgres in %s: %w", s.paths.dir, err)
	}
	s.postmaster = nil
	s.conf.Logger.Info("postgres stopped", "pid", pid)
	return nil
}

// start brings an owned data directory from whatever state it is in to a
// running Postgres with our database.
func (s *Server) start(ctx context.Context) (err error) {
	s.facts, err = readFacts(s.paths.facts())
	unknown := errors.Is(err, fs.ErrNotExist)
	if err != nil && !unknown {
		return err
	}
	if unknown {
		s.facts = facts{Password: newPassword()}
	}
	if err := s.prepare(ctx, unknown); err != nil {
		return err
	}
	if err := s.adopt(ctx); err != nil {
		return err
	}
	if s.postmaster == nil {
		if err := s.launch(ctx, anyPort); err != nil {
			return err
		}
	}
	if err := s.ensureDatabase(ctx); err != nil {
		return errors.Join(err, s.stop(context.WithoutCancel(ctx)))
	}
	return nil
}
