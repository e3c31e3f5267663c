package testenv

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
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

// cluster is the package's Postgres.
type cluster struct {
	*localpg.Server
	admin *pgxpool.Pool // where databases are made and dropped
	// strategy has Postgres copy a database's files: half the work of writing each page into
	// buffers and log, as Postgres 15 does unasked. 14 does nothing else and has no word for it.
	strategy string
}

// shared is started by the first test that needs it.
var shared = sync.OnceValues(func() (*cluster, error) {
	dir := must(os.MkdirTemp(quickParent(), "jobvault-test-"))
	server, err := localpg.Start(context.Background(), localpg.Config{
		Dir: dir,
		// What a test writes need not survive a power cut, nor be replayed elsewhere.
		Settings: map[string]string{
			"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "wal_level": "minimal", "max_wal_senders": "0",
			"max_wal_size": "256MB", "max_connections": "300",
		},
	})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	c := &cluster{Server: server}
	atEnd(func() {
		if err := errors.Join(server.Close(), os.RemoveAll(dir)); err != nil {
			fmt.Fprintln(os.Stderr, "testenv:", err)
		}
	})
	if err := guard(dir, server.PID()); err != nil {
		return nil, err
	}
	return c, c.makeTemplate(context.Background())
})

func (c *cluster) makeTemplate(ctx context.Context) (err error) {
	if c.admin, err = pgxpool.New(ctx, c.URL()); err != nil {
		return err
	}
	atEnd(c.admin.Close)
	err = c.admin.QueryRow(ctx, `SELECT CASE WHEN current_setting('server_version_num')::int >= 150000 THEN 'STRATEGY file_copy' ELSE '' END`).Scan(&c.strategy)
	if err != nil {
		return err
	}
	if _, err := c.admin.Exec(ctx, "CREATE DATABASE "+template); err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, c.URLFor(template))
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

// OwnCluster is a Postgres of one test.
type OwnCluster struct {
	*localpg.Server
	dir string
}

// Cluster starts a Postgres for this test alone, with settings as in postgresql.conf.
func Cluster(t testing.TB, settings map[string]string) *OwnCluster {
	t.Helper()
	dir, err := os.MkdirTemp(quickParent(), "jobvault-test-")
	if err != nil {
		t.Fatal(err)
	}
	return ClusterIn(t, dir, settings)
}

// ClusterIn is Cluster in a folder, which is removed after the test.
func ClusterIn(t testing.TB, dir string, settings map[string]string) *OwnCluster {
	t.Helper()
	all := map[string]string{"fsync": "off", "full_page_writes": "off", "shared_buffers": "16MB"}
	maps.Copy(all, settings)
	server, err := localpg.Start(t.Context(), localpg.Config{Dir: dir, Settings: all})
	if errors.Is(err, localpg.ErrNoBinaries) {
		Missing(t, "the test runs a PostgreSQL of its own: %v", err)
	}
	if err != nil {
		t.Fatal(errors.Join(err, os.RemoveAll(dir)))
	}
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return &OwnCluster{server, dir}
}

// BeStandby has the server start again as one that follows another, and only reads: that
// one never says anything. pg_promote ends it.
func (c *OwnCluster) BeStandby(t testing.TB) {
	t.Helper()
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "postgres", "standby.signal"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := c.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

var databases atomic.Int64

// DatabaseURL makes a fresh, migrated database and drops it after the test.
func DatabaseURL(t testing.TB) string {
	t.Helper()
	return newDatabase(t, template)
}

// EmptyDatabaseURL makes a database without tables and drops it after the test.
func EmptyDatabaseURL(t testing.TB) string {
	t.Helper()
	return newDatabase(t, "template1")
}

// CopyDatabaseURL makes a copy of a database as it is now, to be restored as from a
// dump, and drops it after the test. Nobody may be connected to the original.
func CopyDatabaseURL(t testing.TB, url string) string {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	return newDatabase(t, config.Database)
}

// newDatabase makes a copy of a database.
func newDatabase(t testing.TB, from string) string {
	t.Helper()
	c, err := shared()
	if errors.Is(err, localpg.ErrNoBinaries) {
		Missing(t, "tests run a PostgreSQL of their own, also where JOBVAULT_DATABASE_URL is set: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("test_%d", databases.Add(1))
	if _, err := c.admin.Exec(t.Context(), "CREATE DATABASE "+name+" TEMPLATE "+from+" "+c.strategy); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := c.admin.Exec(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return c.URLFor(name)
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
