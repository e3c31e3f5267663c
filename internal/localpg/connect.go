package localpg

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func (s *Server) connect(ctx context.Context, name string) (*pgx.Conn, error) {
	conf, err := pgx.ParseConfig(s.facts.url(name))
	if err != nil {
		return nil, err
	}
	// Whoever else may have got hold of the port must not be told the password.
	conf.RequireAuth = "scram-sha-256"
	conf.ConnectTimeout = 5 * time.Second
	return pgx.ConnectConfig(ctx, conf)
}

// errStarting says that Postgres does not claim to be ready.
var errStarting = errors.New("postgres is starting or stopping")

// awaitReady returns once Postgres takes connections. The error is errEnded if
// p ends before that.
func (s *Server) awaitReady(ctx context.Context, p *postmaster) error {
	for retry := newPause(); ; {
		err := errStarting
		if p.ready() { // before that somebody else may be listening on its port
			err = s.check(ctx, maintenanceDatabase)
		}
		switch {
		case err == nil:
			return nil
		case refused(err):
			return fmt.Errorf("the password in %s is wrong; with Postgres stopped, remove that file to have a new one made: %w", s.paths.facts(), err)
		case !p.running():
			return errEnded
		case !notYet(err):
			return err
		case retry.wait(ctx) != nil:
			return fmt.Errorf("wait until Postgres is ready: %w; last: %w", ctx.Err(), err)
		}
	}
}

// notYet reports whether a failure to connect may pass: Postgres is starting or
// ending, or too busy to answer.
func notYet(err error) bool {
	_, network := errors.AsType[net.Error](err)
	_, spoken := errors.AsType[*pgconn.PgError](err)
	return network || spoken || errors.Is(err, errStarting) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// refused reports whether Postgres did not let us in (SQLSTATE class 28).
func refused(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && strings.HasPrefix(pgErr.Code, "28")
}

// check connects and makes sure that the server at the other end works on our
// cluster, by having it read what was just written there. The password alone
// does not say so: a copy of the data directory has it too.
func (s *Server) check(ctx context.Context, name string) error {
	conn, err := s.connect(ctx, name)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)

	want := rand.Text()
	path, err := s.leaveNote(want)
	if err != nil {
		return err
	}
	defer os.Remove(path)
	var got string
	const query = `select coalesce(pg_read_file($1, 0, 100, true), '')`
	if err := conn.QueryRow(ctx, query, filepath.Base(path)).Scan(&got); err != nil {
		return fmt.Errorf("ask which cluster it serves: %w", err)
	}
	if got != want {
		return fmt.Errorf("the Postgres on port %d serves another cluster than %s", s.facts.Port, s.paths.cluster())
	}
	return nil
}

// leaveNote writes text to a new file in the cluster, for Postgres to read.
func (s *Server) leaveNote(text string) (path string, err error) {
	acct, err := accountFor(s.paths.cluster())
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(s.paths.cluster(), "jobvault-note-")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = acct.own(f.Name())
	}
	if err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// join uses the Postgres of the owner of the data directory.
func (s *Server) join(ctx context.Context) (err error) {
	if s.facts, err = readFacts(s.paths.facts()); err != nil {
		return err
	}
	return s.check(ctx, database)
}

func (s *Server) ensureDatabase(ctx context.Context) error {
	conn, err := s.connect(ctx, maintenanceDatabase)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var exists bool
	const query = `select exists (select from pg_database where datname = $1)`
	if err := conn.QueryRow(ctx, query, database).Scan(&exists); err != nil {
		return fmt.Errorf("look for database %s: %w", database, err)
	}
	if exists {
		return nil
	}
	if _, err := conn.Exec(ctx, "create database "+database); err != nil {
		return fmt.Errorf("create database %s: %w", database, err)
	}
	return nil
}
