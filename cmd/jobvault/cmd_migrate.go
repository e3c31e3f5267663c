package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/jobvault/jobvault/migrations"
)

type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" help:"Apply pending migrations."`
	Down   migrateDownCmd   `cmd:"" help:"Undo the newest migration and lose what is in its tables."`
	Status migrateStatusCmd `cmd:"" help:"Show which migrations are applied."`
}

type (
	migrateUpCmd   struct{}
	migrateDownCmd struct {
		Yes bool `help:"Confirm that the data in the dropped tables may be lost."`
	}
	migrateStatusCmd struct{}
)

// Help is kong's: examples and exit status.
func (migrateCmd) Help() string {
	return helpText(`jobvault migrate status
jobvault migrate up`, "0 if it is done, 1 if it failed or the schema is not this binary's, 2 if it was used wrongly.")
}

// Help is kong's: examples and exit status.
func (migrateUpCmd) Help() string {
	return helpText("jobvault migrate up", usualExit)
}

func (migrateUpCmd) Run(ctx context.Context, e *environment) error {
	return withMigrator(ctx, e, migrateNeeds.mayBegin(), func(m *migrations.Migrator) error {
		applied, err := m.Up(ctx)
		for _, name := range applied {
			fmt.Fprintln(e.stdout, "applied", name)
		}
		if err == nil && len(applied) == 0 {
			fmt.Fprintln(e.stdout, "nothing to apply")
		}
		if err != nil {
			return err
		}
		refused, err := m.GrantReaders(ctx)
		fmt.Fprint(e.stdout, refused)
		return err
	})
}

// Help is kong's: examples and exit status.
func (migrateDownCmd) Help() string {
	return helpText("jobvault migrate down --yes", usualExit)
}

func (c migrateDownCmd) Run(ctx context.Context, e *environment) error {
	if !c.Yes {
		return usageError{errors.New("migrate down drops tables and all that is in them; confirm with --yes")}
	}
	return withMigrator(ctx, e, migrateNeeds, func(m *migrations.Migrator) error {
		undone, err := m.Down(ctx)
		for _, name := range undone {
			fmt.Fprintln(e.stdout, "undone", name)
		}
		if err == nil && len(undone) == 0 {
			fmt.Fprintln(e.stdout, "nothing to undo")
		}
		return err
	})
}

// Help is kong's: examples and exit status.
func (migrateStatusCmd) Help() string {
	return helpText("jobvault migrate status", "0 if the schema is this binary's, 1 if it is not or the command failed, 2 if it was used wrongly.")
}

func (migrateStatusCmd) Run(ctx context.Context, e *environment) error {
	return withMigrator(ctx, e, migrateNeeds, func(m *migrations.Migrator) error {
		list, err := m.Status(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
		for _, s := range list {
			applied := "pending"
			if s.State == goose.StateApplied {
				applied = s.AppliedAt.UTC().Format(time.RFC3339)
			}
			fmt.Fprintf(w, "%d\t%s\t%s\n", s.Source.Version, migrations.Name(s.Source), applied)
		}
		return errors.Join(w.Flush(), m.Check(ctx))
	})
}

// withMigrator runs a command that changes or shows the schema.
func withMigrator(ctx context.Context, e *environment, n needs, f func(*migrations.Migrator) error) error {
	return runSession(ctx, e, n, func(s *session) error {
		m, err := migrations.New(s.database.pool)
		if err != nil {
			return err
		}
		return errors.Join(f(m), m.Close())
	})
}
