package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jobvault/jobvault/internal/localpg"
	"github.com/jobvault/jobvault/migrations"
	"github.com/jobvault/jobvault/store"
)

// database is the Postgres of a command: the one of the settings, or the
// embedded one.
type database struct {
	pool     *pgxpool.Pool
	embedded *localpg.Server // nil: not ours
}

// openDatabase connects, and starts the embedded Postgres if need be.
func openDatabase(ctx context.Context, c config, n databaseNeed, maxConns int32, logger *slog.Logger) (*database, error) {
	d, url := &database{}, string(c.DatabaseURL)
	if url == "" {
		start := localpg.Attach
		if n == ownDatabase {
			start = localpg.Start
		}
		var err error
		d.embedded, err = start(ctx, localpg.Config{Dir: c.dataDir, Existing: n == existingDatabase, Logger: logger})
		if errors.Is(err, localpg.ErrNoCluster) {
			return nil, c.nothingYet()
		}
		if err != nil {
			return nil, err
		}
		url = d.embedded.URL()
	}
	pool, err := store.OpenPool(ctx, url, maxConns)
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	d.pool = pool
	if d.embedded == nil {
		if err := store.CheckSessions(ctx, pool); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", c.Given.setting("JOBVAULT_DATABASE_URL"), err), d.close())
		}
	}
	return d, nil
}

func (d *database) close() error {
	if d.pool != nil {
		d.pool.Close()
	}
	if d.embedded != nil {
		return d.embedded.Close()
	}
	return nil
}

// migrateUp brings the schema up; with several replicas one does the work.
func (d *database) migrateUp(ctx context.Context) ([]string, error) {
	m, err := migrations.New(d.pool)
	if err != nil {
		return nil, err
	}
	applied, err := m.Up(ctx)
	return applied, errors.Join(err, m.Close())
}

// grantReaders sees to the role of those who ask in SQL.
func (d *database) grantReaders(ctx context.Context) (migrations.Refused, error) {
	m, err := migrations.New(d.pool)
	if err != nil {
		return migrations.Refused{}, err
	}
	refused, err := m.GrantReaders(ctx)
	return refused, errors.Join(err, m.Close())
}

// checkSchema refuses a schema that is not this binary's.
func (d *database) checkSchema(ctx context.Context) error {
	m, err := migrations.New(d.pool)
	if err != nil {
		return err
	}
	return errors.Join(m.Check(ctx), m.Close())
}
