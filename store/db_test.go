package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

func TestNoErrorRepeatsThePassword(t *testing.T) {
	const password = "hunter2"
	for _, text := range []string{
		"postgres://user:hunter2@host:port/db",
		"postgres://user:hunter2@[::1/db",
		"postgres://user:hunter2%zz@host/db",
		"postgres://user:hunter2 @host/db",
		"postgres://user:hunter2\x7f@host/db",
		"postgres://user@host:hunter2/db",
		"postgres://user:hunter2@host/db?sslmode=hunter2",
		"postgres://user:hunter2@host/db?pool_max_conns=hunter2",
		"postgres://user:hunter2@host/db?connect_timeout=hunter2",
		"host=host password=hunter2 port=hunter2",
		"host=host password='hunter2",
		"hunter2",
		"://hunter2",
		// Good, but nobody is there.
		"postgres://user:hunter2@127.0.0.1:1/db",
		"host=127.0.0.1 port=1 user=user password=hunter2 dbname=db",
		"postgres://user@127.0.0.1:1/db?password=hunter2",
	} {
		pool, err := store.OpenPool(t.Context(), text, 2)
		if err == nil {
			var db *store.DB
			db, err = store.New(pool)
			if err == nil {
				err = db.Ping(t.Context())
			}
			pool.Close()
		}
		if err == nil {
			t.Errorf("%q works", text)
		} else if strings.Contains(err.Error(), password) || strings.Contains(fmt.Sprintf("%+v", err), password) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAPoolWithoutConnectionsIsAnError(t *testing.T) {
	if pool, err := store.OpenPool(t.Context(), "postgres://user:hunter2@host/db", 0); err == nil {
		pool.Close()
		t.Error("a pool of no connections")
	} else if strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

func TestARefusedPasswordIsNotRepeated(t *testing.T) {
	u, err := url.Parse(testenv.DatabaseURL(t))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(u.User.Username(), "hunter2")
	err = testenv.PoolAt(t, u.String()).Ping(t.Context())
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("with a wrong password: %v", err)
	}
}

func TestPoolSaysWhoItIsAndThinksInUTC(t *testing.T) {
	f := newFixture(t)
	if got := scalar[string](f, `SELECT current_setting('application_name') || ' ' || current_setting('timezone')`); got != "jobvault UTC" {
		t.Errorf("got %q", got)
	}
	f.check(f.db.Ping(t.Context()))
	if f.db.Pool() != f.pool {
		t.Error("Pool is another pool")
	}
}

func TestBadDataIsToldFromWhatMayGoAway(t *testing.T) {
	f := newFixture(t)
	f.tell(factsOf(3, "queued"))
	long := make([]byte, 9000)
	for i := range long {
		long[i] = byte('!' + rand.IntN(90)) // does not compress
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		sql  string
		args []any
		want bool
	}{
		{"a NUL", t.Context(), `SELECT $1::text`, []any{"\x00"}, true},
		{"a NUL in JSON", t.Context(), `SELECT $1::jsonb`, []any{`"\u0000"`}, true},
		{"no UTF-8", t.Context(), `SELECT $1::text`, []any{"\xff"}, true},
		{"a number too large", t.Context(), `SELECT (9223372036854775807 + id)::bigint FROM jobs`, nil, true},
		{"a time out of range", t.Context(), `SELECT '294277-01-01'::timestamptz`, nil, true},
		{"no number", t.Context(), `SELECT 'x'::text::bigint`, nil, true},
		{"too long for an index", t.Context(), `INSERT INTO labels (name) VALUES ($1)`, []any{string(long)}, true},
		{"a violated check", t.Context(), `UPDATE job_logs SET state = 'lost'`, nil, true},
		{"a key that is taken", t.Context(), `INSERT INTO job_logs (job_id) VALUES (3)`, nil, false},
		{"a row that is missing", t.Context(), `INSERT INTO job_logs (job_id) VALUES (99)`, nil, false},
		{"a table that is missing", t.Context(), `SELECT FROM nothing`, nil, false},
		{"a time-out", t.Context(), `SET statement_timeout = 1; SELECT pg_sleep(60)`, nil, false},
		{"the end of the connection", t.Context(), `SELECT pg_terminate_backend(pg_backend_pid())`, nil, false},
		{"a cancelled context", cancelled, `SELECT 1`, nil, false},
	} {
		_, err := f.pool.Exec(c.ctx, c.sql, c.args...)
		if err == nil {
			t.Errorf("%s: no error", c.name)
		}
		if got := store.IsBadData(err); got != c.want {
			t.Errorf("%s: IsBadData is %v of %v", c.name, got, err)
		}
		if got := store.IsBadData(fmt.Errorf("store: %w", errors.Join(errors.New("first"), err))); got != c.want {
			t.Errorf("%s, wrapped: IsBadData is %v", c.name, got)
		}
	}
	for _, err := range []error{nil, errors.New("22000"), &pgconn.PgError{Code: "40P01"}, &pgconn.PgError{}} {
		if store.IsBadData(err) {
			t.Errorf("%v is taken for bad data", err)
		}
	}
}

func TestAnswered(t *testing.T) {
	pool := testenv.Pool(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		sql  string
		want bool
	}{
		{"a table that is missing", t.Context(), `SELECT FROM nothing`, true},
		{"a column that is missing", t.Context(), `SELECT nothing FROM jobs`, true},
		{"no right", t.Context(), `SET ROLE jobvault_reader; SELECT FROM removal_log`, true},
		{"a time-out", t.Context(), `SET statement_timeout = 1; SELECT pg_sleep(60)`, false},
		{"the end of the connection", t.Context(), `SELECT pg_terminate_backend(pg_backend_pid())`, false},
		{"a cancelled context", cancelled, `SELECT 1`, false},
	} {
		_, err := pool.Exec(c.ctx, c.sql)
		if err == nil || store.Answered(fmt.Errorf("store: %w", err)) != c.want {
			t.Errorf("%s: %v, want it to be an answer: %v", c.name, err, c.want)
		}
	}
	for code, want := range map[string]bool{"3D000": true, "28P01": true, "57P03": false, "53300": false, "55P03": false, "40001": false, "": false} {
		if store.Answered(&pgconn.PgError{Code: code}) != want {
			t.Errorf("%s: want %v", code, want)
		}
	}
	if store.Answered(nil) || store.Answered(store.ErrNotFound) {
		t.Error("nothing is an answer")
	}
}

func TestFactsThatCannotBeWrittenAreBadData(t *testing.T) {
	f := newFixture(t)
	f.insert(deliveryOf(factsOf(3, "queued")))
	_, err := f.db.DrainDeliveries(t.Context(), 1, func(ds []store.Delivery) store.Interpretation {
		u := believeLast(ds)
		u.Facts[0].Job.CompletedAt = new(day.AddDate(9000, 0, 0))
		return u
	})
	if !store.IsBadData(err) {
		t.Errorf("got %v", err)
	}
}

func TestWithoutPostgresEverythingFailsAndNothingHangs(t *testing.T) {
	db, err := store.New(testenv.PoolAt(t, "postgres://nobody@127.0.0.1:1/nothing"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for name, f := range map[string]func() error{
		"Ping":             func() error { return db.Ping(ctx) },
		"InsertDeliveries": func() error { return db.InsertDeliveries(ctx, []store.Delivery{{GUID: uuid.New()}}) },
		"DrainDeliveries":  func() error { _, err := db.DrainDeliveries(ctx, 1, believeLast); return err },
		"RecordFetched":    func() error { return db.RecordFetched(ctx, factsOf(1, "queued"), day) },
		"Settle":           func() error { _, err := db.Settle(ctx, archivedAs(1), day); return err },
		"NoteAttempt":      func() error { return db.NoteAttempt(ctx, store.Attempt{JobID: 1, Asked: true, Status: 0, Reason: ""}) },
		"NoteAnswer":       func() error { return db.NoteAnswer(ctx, 1) },
		"RetryRuns": func() error {
			_, err := db.RetryRuns(ctx, store.ListedRuns{Repositories: []int64{1}, Since: day, Until: day}, 1)
			return err
		},
		"RequeuePending":     func() error { _, err := db.RequeuePending(ctx); return err },
		"NewClaimant":        func() error { _, err := db.NewClaimant(ctx, "me"); return err },
		"Jobs":               func() error { _, err := db.Jobs(ctx, store.JobFilter{}); return err },
		"StepsWithLines":     func() error { _, err := db.StepsWithLines(ctx, []int64{1}); return err },
		"Summaries":          func() error { _, err := db.Summaries(ctx, []int64{1}); return err },
		"LogPage":            func() error { _, _, err := db.LogPage(ctx, store.JobFilter{}); return err },
		"UnknownUses":        func() error { _, err := db.UnknownUses(ctx, store.ActionFilter{Action: "a/b"}); return err },
		"AllLogsRead":        func() error { _, err := db.AllLogsRead(ctx); return err },
		"LogsToReindex":      func() error { _, err := db.LogsToReindex(ctx, 0, false, 1); return err },
		"CountJobs":          func() error { _, err := db.CountJobs(ctx, store.JobFilter{}); return err },
		"Steps":              func() error { _, err := db.Steps(ctx, 1); return err },
		"JobLog":             func() error { _, err := db.JobLog(ctx, 1); return err },
		"JobToArchive":       func() error { _, err := db.JobToArchive(ctx, 1); return err },
		"LogStates":          func() error { _, err := db.LogStates(ctx); return err },
		"Backlog":            func() error { _, err := db.Backlog(ctx); return err },
		"SweepEnds":          func() error { _, err := db.SweepEnds(ctx); return err },
		"JobDetails":         func() error { _, err := db.JobDetails(ctx, 1); return err },
		"RunJobs":            func() error { _, _, err := db.RunJobs(ctx, store.JobsOfRun{RunID: 1}); return err },
		"RepositoriesNamed":  func() error { _, err := db.RepositoriesNamed(ctx, "a", "b"); return err },
		"RepositoriesWithin": func() error { _, err := db.RepositoriesWithin(ctx, []string{"a/b"}); return err },
		"KnownRepositories":  func() error { _, err := db.KnownRepositories(ctx, []int64{1}); return err },
		"RepositoryNames":    func() error { _, err := db.RepositoryNames(ctx, nil, 1); return err },
		"RepositoryIDs":      func() error { _, err := db.RepositoryIDs(ctx, "a/b", nil); return err },
		"AddReadToken":       func() error { return db.AddReadToken(ctx, store.ReadToken{Name: "a"}, [32]byte{}) },
		"ReadTokens":         func() error { _, err := db.ReadTokens(ctx); return err },
		"ReadTokenOf":        func() error { _, err := db.ReadTokenOf(ctx, [32]byte{}, day); return err },
		"RevokeReadToken":    func() error { return db.RevokeReadToken(ctx, "a", day) },
		"AddSession":         func() error { return db.AddSession(ctx, [32]byte{}, nil, day, time.Hour) },
		"Session":            func() error { _, err := db.Session(ctx, [32]byte{}, day); return err },
		"EndSession":         func() error { return db.EndSession(ctx, [32]byte{}) },
		"Key":                func() error { _, err := db.SharedKey(ctx, "x"); return err },
		"NoteRead":           func() error { return db.NoteRead(ctx, "x", 1, "whole") },
		"Days":               func() error { _, err := db.DailyFigures(ctx, store.Overview{}); return err },
		"HeavyJobs":          func() error { _, _, err := db.HeavyJobs(ctx, store.Overview{}); return err },
		"HeavySteps":         func() error { _, _, err := db.HeavySteps(ctx, store.Overview{}); return err },
	} {
		if err := f(); err == nil || errors.Is(err, store.ErrNotFound) || store.IsBadData(err) || !strings.HasPrefix(err.Error(), "store: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
