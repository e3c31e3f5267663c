package ingest_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const secret = "It's a Secret to Everybody"

// rig is a jobvault with everything around it, for one test.
type rig struct {
	t        testing.TB
	github   *githubsim.Server
	pool     *pgxpool.Pool
	db       *store.DB
	archive  *archive.Archive
	clients  *ghapi.Clients
	metrics  *ingest.Metrics
	logger   *slog.Logger
	receiver *httptest.Server
	workers  *ingest.Workers // nil until work is called
	now      func() time.Time
	deadline time.Duration
	selected func(string) bool
}

// rigOptions change what a rig is made of; zero fields mean the usual.
type rigOptions struct {
	github      githubsim.Options
	databaseURL string
	bucketURL   string
	now         func() time.Time
	deadline    time.Duration
	selected    func(string) bool
	secrets     []string
	client      func(*ghapi.Config)
}

func newRig(t testing.TB, o rigOptions) *rig {
	t.Helper()
	r := &rig{t: t, logger: testenv.Logger(t), now: o.now, deadline: o.deadline, selected: o.selected, metrics: ingest.NewMetrics(prometheus.NewRegistry())}
	if r.now == nil {
		r.now = time.Now
	}
	if r.deadline == 0 {
		r.deadline = 6 * time.Hour
	}
	if o.databaseURL == "" {
		o.databaseURL = testenv.DatabaseURL(t)
	}
	if o.bucketURL == "" {
		o.bucketURL = "file://" + t.TempDir()
	}
	if o.secrets == nil {
		o.secrets = []string{secret}
	}
	var err error
	if o.github.Now == nil {
		o.github.Now = o.now
	}
	r.github, err = githubsim.Start(o.github)
	r.check(err)
	t.Cleanup(func() { r.check(r.github.Close()) })
	r.pool = testenv.PoolAt(t, o.databaseURL)
	r.db, err = store.New(r.pool)
	r.check(err)
	b, err := bucket.Open(o.bucketURL)
	r.check(err)
	r.archive, err = archive.New(b, 1<<40)
	r.check(err)
	config := ghapi.Config{BaseURL: r.github.URL(), Token: r.github.Token(), Concurrency: 50, UserAgent: "jobvault-test", Now: o.now}
	config.Limits = ingest.NewSharedLimits(r.db)
	if o.client != nil {
		o.client(&config)
	}
	r.clients, err = ghapi.New(config)
	r.check(err)
	t.Cleanup(r.clients.Close)
	receiver, err := ingest.NewReceiver(ingest.ReceiverConfig{
		Secrets: o.secrets, Selected: o.selected, DB: r.db, Logger: r.logger, Metrics: r.metrics,
		Accepted: func() {
			if r.workers != nil {
				r.workers.Wake()
			}
		},
	})
	r.check(err)
	t.Cleanup(receiver.Close)
	r.receiver = httptest.NewServer(receiver)
	t.Cleanup(r.receiver.Close)
	return r
}

func (r *rig) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) archiver() *ingest.Archiver {
	return &ingest.Archiver{DB: r.db, Archive: r.archive, GitHub: r.clients, Deadline: r.deadline, Logger: r.logger, Metrics: r.metrics, Now: r.now}
}

// sweeper looks for what webhooks missed. What it finds, workers must archive.
func (r *rig) sweeper() *ingest.Sweeper {
	return &ingest.Sweeper{DB: r.db, Archive: r.archive, GitHub: r.clients, Selected: r.selected, Logger: r.logger, Metrics: r.metrics, Now: r.now}
}

// work starts workers, which the test's end stops.
func (r *rig) work() *ingest.Workers {
	r.t.Helper()
	w, err := ingest.NewWorkers(ingest.WorkersConfig{
		DB: r.db, Archiver: r.archiver(), Parallel: 16, Logger: r.logger, Metrics: r.metrics,
	})
	r.check(err)
	r.check(w.Start(r.t.Context()))
	r.workers = w
	r.t.Cleanup(func() {
		if r.workers == w {
			r.stopWork()
		}
	})
	return w
}

func (r *rig) stopWork() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.workers.Stop(ctx); err != nil {
		r.t.Error(err)
	}
	r.workers = nil
}

// send delivers to the receiver and wants every request answered 202.
func (r *rig) send(ds []githubsim.Delivery, o githubsim.SendOptions) {
	r.t.Helper()
	o.Secret = secret
	for _, res := range githubsim.Send(r.t.Context(), r.receiver.URL+"/webhook", ds, o) {
		if res.Err != nil || res.Status != 202 {
			r.t.Fatalf("delivery %s: %d, %v", res.Delivery.GUID, res.Status, res.Err)
		}
	}
}

// drain turns all deliveries into rows, without workers.
func (r *rig) drain() {
	r.t.Helper()
	w, err := ingest.NewDeliveryWorker(r.db, r.logger, r.metrics)
	r.check(err)
	w.Selected = r.selected
	for {
		n, err := w.Drain(r.t.Context())
		r.check(err)
		if n == 0 {
			return
		}
	}
}

// await polls Postgres until the query says true. There is nothing to be woken
// by: what is waited for may be another process's commit.
func (r *rig) await(within time.Duration, query string, args ...any) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), within)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		var ok bool
		err := r.pool.QueryRow(ctx, "SELECT ("+query+")", args...).Scan(&ok)
		if err == nil && ok {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.t.Fatalf("not within %s: %s (last error %v)\n%s", within, query, err, r.dump())
		}
	}
}

// settled awaits that nothing waits any more.
const settled = `NOT EXISTS (SELECT FROM deliveries WHERE state = 'received')
	AND NOT EXISTS (SELECT FROM job_logs WHERE state IN ('pending', 'denied'))`

// dump is what is in the ledger and the queue, for a failed test.
func (r *rig) dump() string {
	var s string
	_ = r.pool.QueryRow(context.Background(), `
		SELECT concat_ws(E'\n',
			(SELECT string_agg(format('deliveries %s: %s', state, n), E'\n') FROM (SELECT state, count(*) n FROM deliveries GROUP BY 1) d),
			(SELECT string_agg(format('log %s: %s %s', job_id, state, reason), E'\n')
			 FROM (SELECT * FROM job_logs WHERE state IN ('pending', 'denied') LIMIT 10) l),
			(SELECT string_agg(format('queue %s %s %s at %s: %s', args, state, attempt, scheduled_at, errors[array_upper(errors, 1)] ->> 'error'), E'\n')
			 FROM (SELECT * FROM queue.river_job WHERE state <> 'completed' LIMIT 10) q))`).Scan(&s)
	return s
}

// rows reads a query as maps, for comparing.
func (r *rig) rows(query string, args ...any) []map[string]any {
	r.t.Helper()
	rows, err := r.pool.Query(r.t.Context(), query, args...)
	r.check(err)
	out, err := pgx.CollectRows(rows, pgx.RowToMap)
	r.check(err)
	return out
}

// scalar reads one value.
func scalar[T any](r *rig, query string, args ...any) T {
	r.t.Helper()
	var v T
	r.check(r.pool.QueryRow(r.t.Context(), query, args...).Scan(&v))
	return v
}

// pointAt has the client ask another server than the simulator.
func pointAt(s *httptest.Server) func(*ghapi.Config) {
	return func(c *ghapi.Config) { c.BaseURL = s.URL }
}

// compareObject compares an object of a job, decompressed if it is the log.
func (r *rig) compareObject(jobID int64, name string, want []byte) {
	r.t.Helper()
	var k archive.JobKey
	r.check(r.pool.QueryRow(r.t.Context(), `SELECT repository_id, run_id, coalesce(run_attempt, 1), id FROM jobs WHERE id = $1`, jobID).
		Scan(&k.RepositoryID, &k.RunID, &k.RunAttempt, &k.JobID))
	var body io.ReadCloser
	var err error
	if name == "log.zst" {
		body, err = r.archive.OpenLog(r.t.Context(), k.Log())
	} else {
		body, err = r.archive.Bucket().Get(r.t.Context(), k.Details(), 0, -1)
	}
	r.check(err)
	defer body.Close()
	got, err := io.ReadAll(body)
	r.check(err)
	if !bytes.Equal(got, want) {
		r.t.Errorf("%s of job %d has %d bytes, want %d as sent", name, jobID, len(got), len(want))
	}
}

// keyOf is where a job of the ledger is in the bucket.
func keyOf(l store.LedgerLine) archive.JobKey {
	k := archive.JobKey{RepositoryID: l.Repository.ID, RunID: l.RunID, RunAttempt: 1, JobID: l.JobID}
	if l.RunAttempt != nil {
		k.RunAttempt = *l.RunAttempt
	}
	return k
}
