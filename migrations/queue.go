package migrations

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// QueueSchema is the Postgres schema that River's tables live in.
const QueueSchema = "queue"

// queueVersion is the version of River's schema that migration 1 brings up.
// A later River that needs more gets a migration of its own.
const queueVersion = 8

// queueMigration is migration 1: River's schema. It runs River's own migrator
// under goose's session lock, because River's takes none and two replicas
// start at once.
func queueMigration(pool *pgxpool.Pool) *goose.Migration {
	return goose.NewGoMigration(1,
		&goose.GoFunc{RunDB: func(ctx context.Context, _ *sql.DB) error {
			if _, err := pool.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+QueueSchema); err != nil {
				return fmt.Errorf("create schema %s: %w", QueueSchema, err)
			}
			return migrateQueue(ctx, pool, rivermigrate.DirectionUp, queueVersion)
		}},
		&goose.GoFunc{RunDB: func(ctx context.Context, _ *sql.DB) error {
			// River takes -1 for "all the way down".
			if err := migrateQueue(ctx, pool, rivermigrate.DirectionDown, -1); err != nil {
				return err
			}
			if _, err := pool.Exec(ctx, "DROP SCHEMA IF EXISTS "+QueueSchema); err != nil {
				return fmt.Errorf("drop schema %s: %w", QueueSchema, err)
			}
			return nil
		}},
	)
}

func migrateQueue(ctx context.Context, pool *pgxpool.Pool, dir rivermigrate.Direction, target int) error {
	m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{
		Schema: QueueSchema,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return fmt.Errorf("queue schema: %w", err)
	}
	if _, err := m.Migrate(ctx, dir, &rivermigrate.MigrateOpts{TargetVersion: target}); err != nil {
		return fmt.Errorf("queue schema: %w", err)
	}
	return nil
}
