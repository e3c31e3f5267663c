package store_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

func TestSessionsThroughPgBouncer(t *testing.T) {
	t.Parallel()
	url := testenv.PgBouncer(t, testenv.DatabaseURL(t), map[string]string{"pool_mode": "session"})
	pool := testenv.PoolAt(t, url)
	if err := store.CheckSessions(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	db, err := store.New(pool)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, pool: pool, db: db}
	settings := scalar[string](f, `SELECT concat_ws(' ', current_setting('application_name'), current_setting('timezone'), current_setting('lock_timeout'),
		current_setting('idle_in_transaction_session_timeout'), current_setting('tcp_keepalives_idle'))`)
	if settings != "jobvault UTC 30s 1min 15" {
		t.Errorf("the session's settings are %s", settings)
	}
	f.tell(factsOf(3, "queued"))
	f.tell(factsOf(3, "completed"))
	if got := scalar[string](f, `SELECT status FROM jobs WHERE id = 3`); got != "completed" {
		t.Errorf("job 3 is %s", got)
	}
	unlock, _, err := db.LockRemovals(t.Context())
	f.check(err)
	unlock()
}

// Whatever order a pooler hands its connections out in, and whoever uses it besides.
func TestPoolersWithoutSessionsAreFoundOut(t *testing.T) {
	t.Parallel()
	database := testenv.DatabaseURL(t)
	for name, settings := range map[string]map[string]string{
		"transaction":   {"pool_mode": "transaction"},
		"round robin":   {"pool_mode": "transaction", "server_round_robin": "1"},
		"one":           {"pool_mode": "transaction", "default_pool_size": "1", "query_wait_timeout": "5"},
		"statement":     {"pool_mode": "statement"},
		"busy":          {"pool_mode": "transaction"},
		"busy, in turn": {"pool_mode": "transaction", "server_round_robin": "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := testenv.PgBouncer(t, database, settings)
			if strings.HasPrefix(name, "busy") {
				keepBusy(t, url)
			}
			pool := testenv.PoolAt(t, url)
			for range 20 {
				if err := store.CheckSessions(t.Context(), pool); !errors.Is(err, store.ErrNoSessions) {
					t.Fatal(err)
				}
			}
		})
	}
}

// keepBusy has a few other clients ask short questions until the test ends.
func keepBusy(t *testing.T, url string) {
	var asking sync.WaitGroup
	for range 6 {
		asking.Go(func() {
			conn, err := pgx.Connect(t.Context(), url)
			for err == nil && t.Context().Err() == nil {
				_, err = conn.PgConn().Exec(t.Context(), "SELECT").ReadAll()
			}
			if t.Context().Err() == nil {
				t.Error(err)
			}
			_ = conn.Close(context.Background())
		})
	}
	t.Cleanup(asking.Wait)
}

// A pooler that has too few connections would have jobvault wait for itself.
func TestASmallPoolerIsRefused(t *testing.T) {
	t.Parallel()
	database := testenv.DatabaseURL(t)
	small := map[string]string{"pool_mode": "session", "default_pool_size": "4", "query_wait_timeout": "1"}
	err := store.CheckSessions(t.Context(), testenv.PoolAt(t, testenv.PgBouncer(t, database, small)))
	if !errors.Is(err, store.ErrSmallPooler) {
		t.Error(err)
	}
	enough := maps.Clone(small)
	enough["default_pool_size"] = "5"
	if err := store.CheckSessions(t.Context(), testenv.PoolAt(t, testenv.PgBouncer(t, database, enough))); err != nil {
		t.Error(err)
	}
}

func TestSmallPoolsAreRefused(t *testing.T) {
	for url, want := range map[string]error{
		"postgres://user:hunter2@127.0.0.1:1/db?pool_max_conns=3":              store.ErrFewConns,
		"host=127.0.0.1 user=user password=hunter2 dbname=db pool_max_conns=1": store.ErrFewConns,
		"postgres://user:hunter2@127.0.0.1:1/db?pool_max_conns=4":              nil,
	} {
		if err := store.CheckURL(url); !errors.Is(err, want) || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
		pool, err := store.OpenPool(t.Context(), url, 20)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", url, err)
		}
		if err == nil {
			pool.Close()
		}
	}
}

// Whoever waits for the log of removals leaves the others of its process connections.
func TestWaitingForRemovalsTakesNoConnections(t *testing.T) {
	pool, err := store.OpenPool(t.Context(), testenv.DatabaseURL(t), 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	db, err := store.New(pool)
	if err != nil {
		t.Fatal(err)
	}
	unlock, _, err := db.LockRemovals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var waiting sync.WaitGroup
	for range 3 {
		waiting.Go(func() {
			unlock, _, err := db.LockRemovals(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			unlock()
		})
	}
	for range 20 {
		asking, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err := db.Ping(asking)
		cancel()
		if err != nil {
			t.Errorf("while others wait for the lock: %v", err)
			break
		}
	}
	unlock()
	waiting.Wait()
}
