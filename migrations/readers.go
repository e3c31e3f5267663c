package migrations

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ReaderRole is the role of people and programs that ask questions in SQL. It may read the
// views of readerViews, and no table.
const ReaderRole = "jobvault_reader"

// readerViews are the views that ReaderRole may read.
var readerViews = []string{
	"action_facts", "action_uses", "annotation_facts", "coverage", "delivery_hourly", "environment_facts", "failure_signatures", "flaky_jobs",
	"job_facts", "label_daily", "run_facts", "runner_daily", "step_facts", "workflow_daily",
}

// Refused is what of ReaderRole and its grants this database's user may not put in place.
// The zero value says that all of it is there.
type Refused struct {
	SQL []string // statements for somebody who may, in their order, to be run in this database
	Why error    // of the first that was refused
}

// GrantReaders sees to it that ReaderRole is there and may read its views, whatever became
// of it: a dump has the grants and not the role, and another database of the server may
// have made the role. What this user may not do is no error. It changes nothing where
// nothing is missing, and may be repeated. The database must be migrated.
func (m *Migrator) GrantReaders(ctx context.Context) (r Refused, err error) {
	err = pgx.BeginFunc(ctx, m.pool, func(tx pgx.Tx) error {
		// Two that grant at once would be in each other's way.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('jobvault readers', 0))`); err != nil {
			return err
		}
		if r.Why, err = makeReader(ctx, tx); err != nil {
			return err
		}
		missing, err := missingGrants(ctx, tx)
		if err != nil || len(missing) == 0 {
			return err
		}
		for _, statement := range missing {
			if r.Why != nil { // there is no role
				break
			}
			if r.Why, err = attempt(ctx, tx, statement); err != nil {
				return err
			}
		}
		// Postgres only warns of some grants that it did not make.
		r.SQL, err = missingGrants(ctx, tx)
		return err
	})
	if err != nil {
		return Refused{}, fmt.Errorf("migrations: %s: %w", ReaderRole, err)
	}
	if len(r.SQL) > 0 && r.Why == nil {
		r.Why = errors.New("the views belong to another role")
	}
	return r, nil
}

const createReader = "CREATE ROLE " + ReaderRole + " NOLOGIN"

// readerExists says whether the server has the role.
const readerExists = `EXISTS (SELECT FROM pg_roles WHERE rolname = '` + ReaderRole + `')`

// makeReader makes the role if the server has none.
func makeReader(ctx context.Context, tx pgx.Tx) (refused, err error) {
	var exists bool
	if err := tx.QueryRow(ctx, `SELECT `+readerExists).Scan(&exists); err != nil || exists {
		return nil, err
	}
	return attempt(ctx, tx, createReader)
}

// attempt runs a statement that may be refused, which is no error then.
func attempt(ctx context.Context, tx pgx.Tx, statement string) (refused, err error) {
	err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { // a savepoint
		_, err := tx.Exec(ctx, statement)
		return err
	})
	pg, answered := errors.AsType[*pgconn.PgError](err)
	switch {
	case !answered:
		return nil, err
	case pg.Code == "42501" || pg.Code == "25006": // not allowed to; not while the server only reads
		return errors.New(pg.Message), nil
	case pg.Code == "42710" || pg.Code == "23505": // another database of the server was quicker
		return nil, nil
	}
	return nil, err
}

// missingGrants lists the statements that are still to be run.
func missingGrants(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `
		WITH known AS (SELECT `+readerExists+` AS role),
		     views AS (
		         SELECT format('%I.%I', n.nspname, c.relname) AS name, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		         WHERE n.nspname = current_schema() AND c.relkind = 'v' AND c.relname = ANY($2)),
		     denied AS (SELECT string_agg(name, ', ' ORDER BY name) AS names FROM views, known WHERE CASE WHEN role THEN NOT has_table_privilege($1, oid, 'SELECT') ELSE true END)
		SELECT $3 FROM known WHERE NOT role
		UNION ALL
		SELECT format('GRANT CONNECT ON DATABASE %I TO %s', current_database(), $1) FROM known
		WHERE CASE WHEN role THEN NOT has_database_privilege($1, current_database(), 'CONNECT') ELSE false END
		UNION ALL
		SELECT format('GRANT USAGE ON SCHEMA %I TO %s', current_schema(), $1) FROM known
		WHERE CASE WHEN role THEN NOT has_schema_privilege($1, current_schema(), 'USAGE') ELSE false END
		UNION ALL
		SELECT format('GRANT SELECT ON %s TO %s', names, $1) FROM denied WHERE names IS NOT NULL`, ReaderRole, readerViews, createReader)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// String is what to tell people: why, and what whoever may has to run. Empty: nothing.
func (r Refused) String() string {
	if len(r.SQL) == 0 {
		return ""
	}
	return fmt.Sprintf("the role %s, for questions in SQL, is not complete: %v\nwhoever may, runs in this database:\n%s;\n", ReaderRole, r.Why, strings.Join(r.SQL, ";\n"))
}
