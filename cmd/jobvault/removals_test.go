package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

// leaving is a bucket that can go away.
type leaving struct {
	bucket.Bucket
	err error
}

func (b *leaving) Size(ctx context.Context, key string) (int64, error) {
	if b.err != nil {
		return 0, b.err
	}
	return b.Bucket.Size(ctx, key)
}

// The gate is shut until the first look, and whenever the database knows less than it
// did: somebody restored it under a running process. A bucket that is away shuts
// it only where the database may have been restored.
func TestGuardOfReaders(t *testing.T) {
	t.Parallel()
	v := testenv.NewVault(t)
	oldJob(v, 31, secretLog)
	url := v.DB.Pool().Config().ConnString()
	v.DB.Pool().Close()
	dump := testenv.CopyDatabaseURL(t, url)
	database := func(url string) *store.DB {
		db, err := store.New(testenv.PoolAt(t, url))
		v.Check(err)
		return db
	}
	v.DB = database(url)
	m := &upkeep.Remover{DB: v.DB, Archive: v.Archive, Now: time.Now}
	b := &leaving{Bucket: v.Archive.Bucket()}
	a, err := archive.New(b, 1<<40)
	v.Check(err)
	g := &removalGuard{log: &upkeep.RemovalLog{DB: v.DB, Archive: a}, logger: testenv.Logger(t), err: errNotLooked}
	answer := func() int {
		w := httptest.NewRecorder()
		g.guarded(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })).
			ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v3/jobs", nil))
		return w.Code
	}
	want := func(when string, status int, ready string) {
		t.Helper()
		if got := answer(); got != status || g.ready() != ready {
			t.Errorf("%s: %d, %s; want %d, %s", when, got, g.ready(), status, ready)
		}
	}
	want("before the first look", http.StatusServiceUnavailable, "away")
	b.err = errors.New("connection refused")
	if err := g.look(t.Context()); err == nil {
		t.Error("a look at a bucket that is away is none")
	}
	want("the bucket is away", http.StatusServiceUnavailable, "away")
	b.err = nil
	v.Check(g.look(t.Context()))
	want("after a look", http.StatusOK, "ok")

	if _, left, err := m.Redact(t.Context(), upkeep.RedactOptions{JobID: 31, Actor: "eve", Reason: "a token"}); err != nil || left != nil {
		t.Fatal(left, err)
	}
	v.Check(g.look(t.Context()))
	b.err = errors.New("connection refused")
	if err := g.look(t.Context()); err == nil {
		t.Error("a look at a bucket that is away is none")
	}
	want("the bucket is away, and the database is what it was", http.StatusOK, "ok")

	g.log.DB = database(dump) // restored
	if err := g.look(t.Context()); err == nil {
		t.Error("a look at a bucket that is away is none")
	}
	want("restored, and the bucket is away", http.StatusServiceUnavailable, "away")
	b.err = nil
	v.Check(g.look(t.Context()))
	want("restored, and it has heard", http.StatusOK, "ok")
	if l, err := g.log.DB.JobLog(t.Context(), 31); err != nil || l.State != store.LogRemoved {
		t.Errorf("the ledger says %s, %v", l.State, err)
	}
	v.Check(v.Archive.Bucket().Remove(t.Context(), archive.RemovalsKey(1)))
	if err := g.look(t.Context()); !errors.Is(err, upkeep.ErrRemovalsBroken) {
		t.Errorf("a record less: %v", err)
	}
	want("a record less", http.StatusServiceUnavailable, "broken")
}

// A database without what the log of removals needs was restored from a dump of an older
// jobvault under a running process: Postgres answers, and nobody knows what it has not
// heard of. One that is away, or busy, says nothing against what was heard.
func TestGuardWhenPostgresAnswersWithAnError(t *testing.T) {
	t.Parallel()
	v := testenv.NewVault(t)
	oldJob(v, 31, secretLog)
	m := &upkeep.Remover{DB: v.DB, Archive: v.Archive, Now: time.Now}
	if _, left, err := m.Redact(t.Context(), upkeep.RedactOptions{JobID: 31, Actor: "eve", Reason: "a token"}); err != nil || left != nil {
		t.Fatal(left, err)
	}
	g := &removalGuard{log: &upkeep.RemovalLog{DB: v.DB, Archive: v.Archive}, logger: testenv.Logger(t), err: errNotLooked}
	v.Check(g.look(t.Context()))
	exec := func(sql string) {
		_, err := v.DB.Pool().Exec(t.Context(), sql)
		v.Check(err)
	}
	down := `ALTER TABLE removal_log RENAME TO removal_log_of_later`
	up := `ALTER TABLE removal_log_of_later RENAME TO removal_log`
	for name, sql := range map[string][2]string{
		"the table is not there": {down, up},
		"it cannot be read":      {down + `; CREATE VIEW removal_log AS SELECT number / 0 AS number, sha256, lines, written_at FROM removal_log_of_later`, `DROP VIEW removal_log; ` + up},
	} {
		exec(sql[0])
		if err := g.look(t.Context()); err == nil || g.state() == nil || g.ready() != "away" {
			t.Errorf("%s: look %v, readers are answered: %v", name, err, g.state() == nil)
		}
		exec(sql[1])
		if err := g.look(t.Context()); err != nil || g.state() != nil {
			t.Errorf("%s, and then again it is: %v", name, err)
		}
	}

	// What the bucket has after it, nobody has heard: and it cannot be written down.
	exec(`DELETE FROM removal_log; ALTER TABLE log_removals RENAME COLUMN logged_in TO logged_later`)
	g.seen = 0 // as if it had never known more
	if err := g.look(t.Context()); err == nil || g.state() == nil {
		t.Errorf("the columns are not there: look %v, readers are answered", err)
	}
	exec(`ALTER TABLE log_removals RENAME COLUMN logged_later TO logged_in`)
	v.Check(g.look(t.Context()))

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.look(gone); err == nil || g.state() != nil {
		t.Errorf("Postgres is away: look %v, state %v", err, g.state())
	}
}
