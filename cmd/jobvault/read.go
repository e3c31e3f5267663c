package main

import (
	"context"
	"errors"

	"github.com/jobvault/jobvault/store"
)

// withStore runs a command that only reads, beside a running jobvault or alone. Its
// database has heard of all removals that the bucket tells of.
func withStore(ctx context.Context, e *environment, f func(config, *store.DB) error) error {
	return withLedger(ctx, e, func(c config, db *store.DB) error {
		a, err := openArchive(c)
		if err != nil {
			return err
		}
		if err := hearRemovals(ctx, db, a, quietLogger(c, e.stderr)); err != nil {
			return err
		}
		return f(c, db)
	})
}

// withLedger is withStore for a command that shows nothing of what logs say: the bucket
// may be away.
func withLedger(ctx context.Context, e *environment, f func(config, *store.DB) error) error {
	c, err := e.settings.load()
	if err != nil {
		return err
	}
	d, err := openDatabase(ctx, c, borrow, 4, quietLogger(c, e.stderr))
	if err != nil {
		return err
	}
	return errors.Join(readStore(ctx, c, d, f), d.close())
}

func readStore(ctx context.Context, c config, d *database, f func(config, *store.DB) error) error {
	if err := d.checkSchema(ctx); err != nil {
		return err
	}
	db, err := store.New(d.pool)
	if err != nil {
		return err
	}
	return f(c, db)
}
