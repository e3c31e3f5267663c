package store_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

// claims are those of a sweep; the test's end closes them.
func (f *fixture) claims() *store.RunClaims {
	c := f.db.NewRunClaims()
	f.t.Cleanup(func() { f.check(c.Close()) })
	return c
}

func (f *fixture) wantClaim(c *store.RunClaims, run int64, want bool) {
	f.t.Helper()
	got, err := c.Try(f.t.Context(), run)
	f.check(err)
	if got != want {
		f.t.Errorf("run %d claimed: %t, want %t", run, got, want)
	}
}

func TestOneSweepClaimsARun(t *testing.T) {
	f := newFixture(t)
	mine, theirs := f.claims(), f.claims()
	f.wantClaim(mine, 1, true)
	f.wantClaim(mine, 2, true)
	f.wantClaim(theirs, 1, false)
	f.wantClaim(theirs, 3, true)
	f.wantClaim(mine, 3, false)
	f.check(mine.Release(t.Context(), 1))
	f.wantClaim(theirs, 1, true)
	f.wantClaim(theirs, 2, false)
	f.check(mine.Close())
	f.wantClaim(theirs, 2, true)
	f.check(mine.Release(t.Context(), 2)) // which it has not any more
	f.wantClaim(mine, 1, false)
	// A context that has ended keeps nobody from giving a claim up.
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	f.check(theirs.Release(ended, 2))
	f.wantClaim(mine, 2, true)
}

// A sweep whose connection has ended has no claims any more, says so once, and goes on.
func TestClaimsEndWithTheirConnection(t *testing.T) {
	f := newFixture(t)
	mine, theirs := f.claims(), f.claims()
	f.wantClaim(mine, 1, true)
	f.exec(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()`)
	for claimed := false; !claimed; { // once Postgres has ended it
		var err error
		claimed, err = theirs.Try(t.Context(), 1)
		f.check(err)
	}
	if _, err := mine.Try(t.Context(), 2); err == nil {
		t.Error("a connection that has ended claims a run")
	}
	f.wantClaim(mine, 2, true)
	f.wantClaim(theirs, 2, false)
}

// A connection is taken while something is claimed, and no longer.
func TestClaimsGiveTheirConnectionBack(t *testing.T) {
	f := newFixture(t)
	pool, err := store.OpenPool(t.Context(), testenv.DatabaseURL(t), 8)
	f.check(err)
	t.Cleanup(pool.Close)
	db, err := store.New(pool)
	f.check(err)
	c, others := db.NewRunClaims(), db.NewRunClaims()
	t.Cleanup(func() { f.check(errors.Join(c.Close(), others.Close())) })
	wantTaken := func(want int32) {
		t.Helper()
		if n := pool.Stat().AcquiredConns(); n != want {
			t.Errorf("%d connections are taken, want %d", n, want)
		}
	}
	f.wantClaim(c, 1, true)
	f.wantClaim(c, 2, true)
	f.wantClaim(others, 2, false)
	wantTaken(1)
	f.check(c.Release(t.Context(), 1))
	wantTaken(1)
	f.check(c.Release(t.Context(), 2))
	wantTaken(0)
	f.wantClaim(others, 1, true)
	f.wantClaim(others, 2, true)
	f.check(others.Close())
	wantTaken(0)
}

// A pool with few connections keeps them for the work: nothing is claimed there, and
// everything allowed.
func TestASmallPoolClaimsNothing(t *testing.T) {
	f := newFixture(t)
	small, err := store.OpenPool(t.Context(), testenv.DatabaseURL(t), 2)
	f.check(err)
	t.Cleanup(small.Close)
	db, err := store.New(small)
	f.check(err)
	for range 3 {
		c := db.NewRunClaims()
		f.wantClaim(c, 1, true)
		f.check(c.Close())
	}
	if n := small.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections are taken", n)
	}
}
