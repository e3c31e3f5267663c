package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

// leaving is a bucket that can go away.
type leaving struct {
	archive.Bucket
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
	m := &ingest.Remover{DB: v.DB, Archive: v.Archive, Now: time.Now}
	bucket := &leaving{Bucket: v.Archive.Bucket()}
	a, err := archive.New(bucket, 1<<40)
	v.Check(err)
	g := &removalGuard{log: &ingest.RemovalLog{DB: v.DB, Archive: a}, logger: testenv.Logger(t), err: errUnheard}
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
	bucket.err = errors.New("connection refused")
	if err := g.look(t.Context()); err == nil {
		t.Error("a look at a bucket that is away is none")
	}
	want("the bucket is away", http.StatusServiceUnavailable, "away")
	bucket.err = nil
	v.Check(g.look(t.Context()))
	want("after a look", http.StatusOK, "ok")

	if _, left, err := m.Redact(t.Context(), ingest.RedactOptions{JobID: 31, Actor: "eve", Reason: "a token"}); err != nil || left != nil {
		t.Fatal(left, err)
	}
	v.Check(g.look(t.Context()))
	bucket.err = errors.New("connection refused")
	if err := g.look(t.Context()); err == nil {
		t.Error("a look at a bucket that is away is none")
	}
	want("the bucket is away, and the database is what it was", http.StatusOK, "ok")

	g.log.DB = database(dump) // restored
	if err := g.look(t.Context()); err == nil {
		t.Error("a look at a bucket that is away is none")
	}
	want("restored, and the bucket is away", http.StatusServiceUnavailable, "away")
	bucket.err = nil
	v.Check(g.look(t.Context()))
	want("restored, and it has heard", http.StatusOK, "ok")
	if l, err := g.log.DB.JobLog(t.Context(), 31); err != nil || l.State != store.LogRemoved {
		t.Errorf("the ledger says %s, %v", l.State, err)
	}
	v.Check(v.Archive.Bucket().Remove(t.Context(), archive.RemovalsKey(1)))
	if err := g.look(t.Context()); !errors.Is(err, ingest.ErrRemovalsBroken) {
		t.Errorf("a record less: %v", err)
	}
	want("a record less", http.StatusServiceUnavailable, "broken")
}
