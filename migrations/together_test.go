package migrations_test

import (
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/migrations"
	"github.com/jobvault/jobvault/store"
)

// Replicas that start together, each with a pool of its own, migrate once.
func TestManyUpAtOnceApplyEachMigrationOnce(t *testing.T) {
	t.Parallel() // those that wait for the lock ask for it every few seconds only
	const replicas = 8
	url := testenv.EmptyDatabaseURL(t)
	var mu sync.Mutex
	times := make(map[string]int)
	var running sync.WaitGroup
	start := make(chan struct{})
	for range replicas {
		m := newMigrator(t, testenv.PoolAt(t, url))
		running.Go(func() {
			<-start
			applied, err := m.Up(t.Context())
			if err == nil {
				err = m.Check(t.Context())
			}
			if err == nil {
				_, err = m.GrantReaders(t.Context())
			}
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, name := range applied {
				times[name]++
			}
		})
	}
	close(start)
	running.Wait()
	once, every := make(map[string]int), []int64(nil)
	for _, name := range all {
		version, err := strconv.ParseInt(name[:5], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		once[name], every = 1, append(every, version)
	}
	if diff := cmp.Diff(once, times); diff != "" {
		t.Errorf("how often each was applied (-want +got):\n%s", diff)
	}
	pool := testenv.PoolAt(t, url)
	noted := column[int64](t, pool, `SELECT version_id FROM goose_db_version WHERE version_id > 0 ORDER BY id`)
	if diff := cmp.Diff(every, noted); diff != "" {
		t.Errorf("goose noted (-want +got):\n%s", diff)
	}
}

// A command that only migrates needs no more connections than a small pool has.
func TestUpWorksWithTwoConnections(t *testing.T) {
	pool, err := store.OpenPool(t.Context(), testenv.EmptyDatabaseURL(t), 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	m, err := migrations.New(pool)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if applied := up(t, m); !cmp.Equal(applied, all) {
		t.Errorf("applied %v", applied)
	}
}
