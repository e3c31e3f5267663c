package store_test

import (
	"errors"
	"testing"

	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

func openStore(t testing.TB, url string) *store.DB {
	t.Helper()
	db, err := store.New(testenv.PoolAt(t, url))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func wantWrites(t testing.TB, db *store.DB, want error) {
	t.Helper()
	if err := db.CheckWrites(t.Context()); !errors.Is(err, want) || err != nil && want == nil {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestWhyPostgresDoesNotWrite(t *testing.T) {
	t.Parallel()
	server := testenv.Cluster(t, nil)
	db := openStore(t, server.URL())
	wantWrites(t, db, nil)
	if _, err := db.Pool().Exec(t.Context(), `ALTER DATABASE jobvault SET default_transaction_read_only = on`); err != nil {
		t.Fatal(err)
	}
	wantWrites(t, openStore(t, server.URL()), store.ErrReadOnly)

	db.Pool().Reset()
	server.BeStandby(t)
	db = openStore(t, server.URL())
	wantWrites(t, db, store.ErrStandby)
	if _, err := db.Pool().Exec(t.Context(), `SELECT pg_promote()`); err != nil {
		t.Fatal(err)
	}
	wantWrites(t, db, store.ErrReadOnly)
}

// An ordinary user may ask.
func TestToAskWhetherPostgresWritesNeedsNoRight(t *testing.T) {
	f := newFixture(t)
	f.exec(`CREATE ROLE asks`)
	defer f.exec(`DROP ROLE asks`)
	db := openStore(t, f.pool.Config().ConnString()+"&options=-c%20role%3Dasks")
	var user string
	f.check(db.Pool().QueryRow(t.Context(), `SELECT current_user`).Scan(&user))
	if user != "asks" {
		t.Errorf("asked as %s", user)
	}
	wantWrites(t, db, nil)
}
