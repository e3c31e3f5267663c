package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jobvault/jobvault/internal/localpg"
	"github.com/jobvault/jobvault/migrations"
	"github.com/jobvault/jobvault/store"
)

// template is the migrated database that every test's database is copied from.
const template = "migrated"

// shared is the package's Postgres, started by the first test that needs it.
var shared = sync.OnceValues(func() (*localpg.Server, error) {
	dir := must(os.MkdirTemp("", "jobvault-test-"))
	server, err := localpg.Start(context.Background(), localpg.Config{
		Dir: dir,
		// What a test writes need not survive a power cut.
		Settings: map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"},
	})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	atEnd(func() {
		if err := errors.Join(server.Close(), os.RemoveAll(dir)); err != nil {
			fmt.Fprintln(os.Stderr, "testenv:", err)
		}
	})
	if err := guard(server.PID(), dir); err != nil {
		return nil, err
	}
	return server, makeTemplate(server)
})

func makeTemplate(server *localpg.Server) error {
	ctx := context.Background()
	if err := execOn(ctx, server.URL(), "CREATE DATABASE "+template); err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, server.URLFor(template))
	if err != nil {
		return err
	}
	defer pool.Close()
	m, err := migrations.New(pool)
	if err != nil {
		return err
	}
	_, err = m.Up(ctx)
	return errors.Join(err, m.Close())
}

func execOn(ctx context.Context, url, sql string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

var databases atomic.Int64

// DatabaseURL makes a fresh, migrated database and drops it after the test.
func DatabaseURL(t testing.TB) string {
	t.Helper()
	return newDatabase(t, " TEMPLATE "+template)
}

// EmptyDatabaseURL makes a database without tables and drops it after the test.
func EmptyDatabaseURL(t testing.TB) string {
	t.Helper()
	return newDatabase(t, "")
}

// CopyDatabaseURL makes a copy of a database as it is now, to be restored as from a
// dump, and drops it after the test. Nobody may be connected to the original.
func CopyDatabaseURL(t testing.TB, url string) string {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	return newDatabase(t, " TEMPLATE "+config.Database)
}

func newDatabase(t testing.TB, from string) string {
	t.Helper()
	server, err := shared()
	if errors.Is(err, localpg.ErrNoBinaries) {
		Missing(t, "tests run a PostgreSQL of their own, also where JOBVAULT_DATABASE_URL is set: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("test_%d", databases.Add(1))
	if err := execOn(t.Context(), server.URL(), "CREATE DATABASE "+name+from); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := execOn(context.Background(), server.URL(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return server.URLFor(name)
}

// Pool opens a pool on a fresh, migrated database.
func Pool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return PoolAt(t, DatabaseURL(t))
}

// PoolAt opens a pool and closes it after the test.
func PoolAt(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := store.OpenPool(t.Context(), url, 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// DB is the store on a fresh, migrated database.
func DB(t testing.TB) *store.DB {
	t.Helper()
	db, err := store.New(Pool(t))
	if err != nil {
		t.Fatal(err)
	}
	return db
}
