package main

import (
	"context"
	"errors"

	"github.com/jobvault/jobvault/store"
)

// withStore runs a command that only reads, beside a running jobvault or alone.
func withStore(ctx context.Context, e *environment, f func(config, *store.DB) error) error {
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
