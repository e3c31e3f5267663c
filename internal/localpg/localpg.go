// Package localpg runs a private Postgres: the database of a jobvault that was
// given none, and of the tests.
//
// The cluster lives in the data directory and listens on loopback only. Its port and its
// random password are remembered beside it, in postgres.json. An exclusive lock makes one
// jobvault at a time the owner of a data directory. Postgres runs in a session of its
// own, so it outlives an owner that was killed; the next owner finds it and takes it
// over.
package localpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

var (
	// ErrLocked says that another jobvault owns the data directory.
	ErrLocked = errors.New("another jobvault is using it")
	// ErrNoBinaries says that this machine has no suitable initdb and
	// postgres, and that they could not be fetched either.
	ErrNoBinaries = errors.New("no suitable PostgreSQL on this machine")
	// ErrNoCluster says that a cluster was never made in a data directory.
	ErrNoCluster = errors.New("there is no Postgres cluster")
	// ErrNotOwner is returned when a Server that was only attached is asked
	// to stop or to restart the Postgres of its owner.
	ErrNotOwner = errors.New("this Postgres belongs to another jobvault")
)

// Config says where a cluster lives and how it is run.
type Config struct {
	// Dir is jobvault's data directory. It is made if it does not exist.
	// The cluster is in Dir/postgres, what is needed to connect to it in
	// Dir/postgres.json (mode 0600), what it says in Dir/postgres.log.
	Dir string
	// Settings are further Postgres settings, as in postgresql.conf; they win over our
	// defaults, but cannot change where Postgres listens. They take effect when Postgres
	// is started: one that a killed owner left behind keeps those it has.
	Settings map[string]string
	// BinDir, if not empty, is the only folder where initdb and postgres are looked for.
	// Empty: PATH, the usual folders of packages, and then a download.
	BinDir string
	// Existing has Start and Attach fail with ErrNoCluster, and make nothing, where there is
	// no cluster yet. One that its owner is making is waited for by Attach.
	Existing bool
	// Logger gets a message at each start and stop. Nil means no log.
	Logger *slog.Logger

	programs *catalogue // nil: this machine's; the tests have their own
}

// Start becomes the owner of c.Dir and has its Postgres running: one that a
// killed owner left behind, or a new one, on a new cluster if there is none.
// It returns once Postgres takes connections and the database "jobvault"
// exists; that lasts until ctx ends at most. The error is ErrLocked if there is
// an owner already, in this process or in another.
func Start(ctx context.Context, c Config) (*Server, error) {
	if err := c.checkExisting(); err != nil {
		return nil, err
	}
	s, err := newServer(c)
	if err != nil {
		return nil, err
	}
	if s.lock, err = acquire(s.paths.lock()); err != nil {
		return nil, fmt.Errorf("data directory %s: %w", s.paths.dir, err)
	}
	if err := s.start(ctx); err != nil {
		s.lock.release()
		return nil, fmt.Errorf("start Postgres in %s: %w", s.paths.dir, err)
	}
	return s, nil
}

// attachPatience is how long Attach waits for the owner's Postgres: an owner
// that has just begun may be making its cluster.
const attachPatience = time.Minute

// Attach connects to the Postgres of the jobvault that owns c.Dir. If there is
// no owner it is Start. The Server of an owner may go away at any time.
func Attach(ctx context.Context, c Config) (*Server, error) {
	if err := c.checkExisting(); err != nil {
		return nil, err
	}
	giveUp := time.Now().Add(attachPatience)
	for pause := newPause(); ; {
		s, err := Start(ctx, c)
		if !errors.Is(err, ErrLocked) {
			return s, err
		}
		if s, err = newServer(c); err != nil {
			return nil, err
		}
		if err = s.join(ctx); err == nil {
			return s, nil
		}
		if errors.Is(err, fs.ErrPermission) || time.Now().After(giveUp) {
			return nil, fmt.Errorf("attach to the Postgres in %s: %w", s.paths.dir, err)
		}
		if pause.wait(ctx) != nil {
			return nil, fmt.Errorf("attach to the Postgres in %s: %w: %w", s.paths.dir, ctx.Err(), err)
		}
	}
}

// checkExisting fails if there must be a cluster and there is none, nor anybody who may be
// making it. It makes nothing, not even the data directory.
func (c Config) checkExisting() error {
	if !c.Existing {
		return nil
	}
	paths := layout{c.Dir}
	major, err := clusterMajor(paths.cluster())
	if err == nil && major == 0 {
		err = ErrNoCluster
		if _, serr := os.Stat(paths.lock()); serr == nil { // acquire would make it
			lock, lerr := acquire(paths.lock())
			if errors.Is(lerr, ErrLocked) {
				return nil
			}
			if lerr == nil {
				lock.release()
			}
		}
	}
	if err != nil {
		return fmt.Errorf("data directory %s: %w", c.Dir, err)
	}
	return nil
}

func newServer(c Config) (*Server, error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.programs == nil {
		c.programs = machine()
	}
	return &Server{conf: c, paths: layout{dir}}, nil
}

// layout names the files of one data directory.
type layout struct{ dir string }

func (l layout) cluster() string { return filepath.Join(l.dir, "postgres") }
func (l layout) pidFile() string { return filepath.Join(l.cluster(), "postmaster.pid") }
func (l layout) facts() string   { return filepath.Join(l.dir, "postgres.json") }
func (l layout) log() string     { return filepath.Join(l.dir, "postgres.log") }
func (l layout) lock() string    { return filepath.Join(l.dir, "jobvault.lock") }
