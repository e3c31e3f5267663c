// Package migrations brings a Postgres database to the schema that this binary
// works with: jobvault's own tables, and River's in the schema "queue".
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed *.sql
var files embed.FS

// ErrNewer says that the database was migrated by a newer jobvault. This
// binary must not touch it.
var ErrNewer = errors.New("the database schema is newer than this jobvault")

// State compares a database with this binary.
type State struct {
	Current int64 // version of the database; 0: empty
	Latest  int64 // version this binary needs
}

// Migrator moves one database up and down. Any number of processes may do so
// at once: goose holds a session lock, so that one works and the others wait.
type Migrator struct {
	provider *goose.Provider
	pool     *pgxpool.Pool
	db       *sql.DB
}

// New prepares to migrate the database behind the pool. Close it after use; the
// pool stays open.
func New(pool *pgxpool.Pool) (*Migrator, error) {
	// Asked for every second, for five minutes.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return nil, fmt.Errorf("migrations: session locker: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker),
		goose.WithDisableGlobalRegistry(true),
		goose.WithGoMigrations(queueMigration(pool)),
		goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("migrations: %w", err), db.Close())
	}
	return &Migrator{provider: provider, pool: pool, db: db}, nil
}

// Close gives back what New took. The pool is the caller's.
func (m *Migrator) Close() error { return m.db.Close() }

// State reads how far the database is. It changes nothing but creating goose's
// version table in an empty database.
func (m *Migrator) State(ctx context.Context) (State, error) {
	current, latest, err := m.provider.GetVersions(ctx)
	if err != nil {
		return State{}, fmt.Errorf("migrations: read versions: %w", err)
	}
	return State{Current: current, Latest: latest}, nil
}

// Up applies what is missing, each migration in its own transaction, and is
// harmless to repeat. It fails with ErrNewer rather than work on a database of
// the future.
func (m *Migrator) Up(ctx context.Context) ([]string, error) {
	s, err := m.State(ctx)
	if err == nil {
		err = s.refuseNewer()
	}
	if err != nil || s.Current == s.Latest {
		return nil, err
	}
	results, err := m.provider.Up(ctx)
	if err != nil {
		return names(results), fmt.Errorf("migrations: up: %w", err)
	}
	return names(results), nil
}

// Down undoes the newest migration; its tables and all that is in them are
// gone. It returns no names when there is nothing left to undo.
func (m *Migrator) Down(ctx context.Context) ([]string, error) {
	if err := m.refuseNewer(ctx); err != nil {
		return nil, err
	}
	result, err := m.provider.Down(ctx)
	if errors.Is(err, goose.ErrNoNextVersion) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("migrations: down: %w", err)
	}
	return names([]*goose.MigrationResult{result}), nil
}

// Status lists every migration that this binary knows, oldest first, each with
// whether it is applied.
func (m *Migrator) Status(ctx context.Context) ([]*goose.MigrationStatus, error) {
	status, err := m.provider.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrations: status: %w", err)
	}
	return status, nil
}

// Check refuses a database that this binary must not work with: ErrNewer, or an
// error that says to migrate.
func (m *Migrator) Check(ctx context.Context) error {
	s, err := m.State(ctx)
	if err != nil {
		return err
	}
	if s.Current < s.Latest {
		return fmt.Errorf("the database schema is at %d and must be at %d: run jobvault migrate up", s.Current, s.Latest)
	}
	return s.refuseNewer()
}

func (s State) refuseNewer() error {
	if s.Current > s.Latest {
		return fmt.Errorf("%w: database %d, binary %d; run a newer jobvault", ErrNewer, s.Current, s.Latest)
	}
	return nil
}

func (m *Migrator) refuseNewer(ctx context.Context) error {
	s, err := m.State(ctx)
	if err != nil {
		return err
	}
	return s.refuseNewer()
}

// Name is a migration's file name.
func Name(s *goose.Source) string {
	if s.Path == "" {
		return fmt.Sprintf("%05d_queue.go", s.Version)
	}
	return s.Path
}

func names(results []*goose.MigrationResult) []string {
	var out []string
	for _, r := range results {
		out = append(out, Name(r.Source))
	}
	return out
}
