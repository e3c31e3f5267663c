// Package ingesttest runs a whole jobvault for the tests of the write path and of upkeep:
// a simulated GitHub, a Postgres, a bucket, and what reads and writes them. See
// docs/design.md#rooms.
package ingesttest

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

// Secret is what webhooks are signed with.
const Secret = "It's a Secret to Everybody"

// Rig is a jobvault with everything around it, for one test.
type Rig struct {
	T        testing.TB
	GitHub   *githubsim.Server
	Pool     *pgxpool.Pool
	DB       *store.DB
	Archive  *archive.Archive
	Clients  *ghapi.Clients
	Metrics  *ingest.Metrics
	Logger   *slog.Logger
	Receiver *httptest.Server
	Workers  *ingest.Workers // nil until work is called
	Now      func() time.Time
	Deadline time.Duration
	// DeniedDays is the Archiver's.
	DeniedDays int
	Selected   func(string) bool
}

// Options change what a rig is made of; zero fields mean the usual.
type Options struct {
	GitHub      githubsim.Options   // of the simulator
	DatabaseURL string              // empty: a database of its own
	BucketURL   string              // empty: a folder of its own
	Now         func() time.Time    // nil: time.Now
	Deadline    time.Duration       // the Archiver's; 0: six hours
	DeniedDays  int                 // the Archiver's; 0: 30
	Selected    func(string) bool   // which repositories are archived; nil: all
	Secrets     []string            // the receiver's; nil: Secret
	Client      func(*ghapi.Config) // changes how GitHub is asked; nil: as it is
}

// New makes a rig, which the test's end takes down.
func New(t testing.TB, o Options) *Rig {
	t.Helper()
	r := &Rig{T: t, Logger: testenv.Logger(t), Now: o.Now, Deadline: o.Deadline, DeniedDays: o.DeniedDays, Selected: o.Selected, Metrics: ingest.NewMetrics(prometheus.NewRegistry())}
	if r.Now == nil {
		r.Now = time.Now
	}
	if r.Deadline == 0 {
		r.Deadline = 6 * time.Hour
	}
	if r.DeniedDays == 0 {
		r.DeniedDays = 30
	}
	if o.DatabaseURL == "" {
		o.DatabaseURL = testenv.DatabaseURL(t)
	}
	if o.BucketURL == "" {
		o.BucketURL = testenv.FileBucketURL(t)
	}
	if o.Secrets == nil {
		o.Secrets = []string{Secret}
	}
	var err error
	if o.GitHub.Now == nil {
		o.GitHub.Now = o.Now
	}
	r.GitHub, err = githubsim.Start(o.GitHub)
	r.Check(err)
	t.Cleanup(func() { r.Check(r.GitHub.Close()) })
	r.Pool = testenv.PoolAt(t, o.DatabaseURL)
	r.DB, err = store.New(r.Pool)
	r.Check(err)
	b, err := bucket.Open(o.BucketURL)
	r.Check(err)
	r.Archive, err = archive.New(b, 1<<40)
	r.Check(err)
	config := ghapi.Config{BaseURL: r.GitHub.URL(), Token: r.GitHub.Token(), Concurrency: 50, UserAgent: "jobvault-test", Now: o.Now}
	config.Limits = ingest.NewSharedLimits(r.DB)
	if o.Client != nil {
		o.Client(&config)
	}
	r.Clients, err = ghapi.New(config)
	r.Check(err)
	t.Cleanup(r.Clients.Close)
	receiver, err := ingest.NewReceiver(ingest.ReceiverConfig{
		Secrets: o.Secrets, Selected: o.Selected, DB: r.DB, Logger: r.Logger, Metrics: r.Metrics,
		Accepted: func() {
			if r.Workers != nil {
				r.Workers.Wake()
			}
		},
	})
	r.Check(err)
	t.Cleanup(receiver.Close)
	r.Receiver = httptest.NewServer(receiver)
	t.Cleanup(r.Receiver.Close)
	return r
}

// Check fails the test for an error.
func (r *Rig) Check(err error) {
	r.T.Helper()
	if err != nil {
		r.T.Fatal(err)
	}
}

// Archiver is the archive worker.
func (r *Rig) Archiver() *ingest.Archiver {
	return &ingest.Archiver{DB: r.DB, Archive: r.Archive, GitHub: r.Clients, Deadline: r.Deadline, DeniedDays: r.DeniedDays, Logger: r.Logger, Metrics: r.Metrics, Now: r.Now}
}

// Sweeper looks for what webhooks missed. What it finds, workers must archive.
func (r *Rig) Sweeper() *ingest.Sweeper {
	return &ingest.Sweeper{DB: r.DB, Archive: r.Archive, GitHub: r.Clients, Selected: r.Selected, Logger: r.Logger, Metrics: r.Metrics, Now: r.Now, DeniedDays: r.DeniedDays}
}

// Work starts workers, which the test's end stops.
func (r *Rig) Work() *ingest.Workers {
	r.T.Helper()
	w, err := ingest.NewWorkers(ingest.WorkersConfig{
		DB: r.DB, Archiver: r.Archiver(), Parallel: 16, Selected: r.Selected, Logger: r.Logger, Metrics: r.Metrics,
	})
	r.Check(err)
	r.Check(w.Start(r.T.Context()))
	r.Workers = w
	r.T.Cleanup(func() {
		if r.Workers == w {
			r.StopWork()
		}
	})
	return w
}

// StopWork stops the workers.
func (r *Rig) StopWork() {
	r.T.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.Workers.Stop(ctx); err != nil {
		r.T.Error(err)
	}
	r.Workers = nil
}

// Send delivers to the receiver and wants every request answered 202.
func (r *Rig) Send(ds []githubsim.Delivery, o githubsim.SendOptions) {
	r.T.Helper()
	o.Secret = Secret
	for _, res := range githubsim.Send(r.T.Context(), r.Receiver.URL+"/webhook", ds, o) {
		if res.Err != nil || res.Status != 202 {
			r.T.Fatalf("delivery %s: %d, %v", res.Delivery.GUID, res.Status, res.Err)
		}
	}
}

// Drain turns all deliveries into rows, without workers.
func (r *Rig) Drain() {
	r.T.Helper()
	w, err := ingest.NewDeliveryWorker(r.DB, r.Logger, r.Metrics)
	r.Check(err)
	w.Selected = r.Selected
	for {
		n, err := w.Drain(r.T.Context())
		r.Check(err)
		if n == 0 {
			return
		}
	}
}

// Await polls Postgres until the query says true. There is nothing to be woken
// by: what is waited for may be another process's commit.
func (r *Rig) Await(within time.Duration, query string, args ...any) {
	r.T.Helper()
	ctx, cancel := context.WithTimeout(r.T.Context(), within)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		var ok bool
		err := r.Pool.QueryRow(ctx, "SELECT ("+query+")", args...).Scan(&ok)
		if err == nil && ok {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.T.Fatalf("not within %s: %s (last error %v)\n%s", within, query, err, r.Dump())
		}
	}
}

// Settled awaits that nothing waits any more.
const Settled = `NOT EXISTS (SELECT FROM deliveries WHERE state = 'received')
	AND NOT EXISTS (SELECT FROM job_logs WHERE state IN ('pending', 'denied'))`

// Dump is what is in the ledger and the queue, for a failed test.
func (r *Rig) Dump() string {
	var s string
	_ = r.Pool.QueryRow(context.Background(), `
		SELECT concat_ws(E'\n',
			(SELECT string_agg(format('deliveries %s: %s', state, n), E'\n') FROM (SELECT state, count(*) n FROM deliveries GROUP BY 1) d),
			(SELECT string_agg(format('log %s: %s %s', job_id, state, reason), E'\n')
			 FROM (SELECT * FROM job_logs WHERE state IN ('pending', 'denied') LIMIT 10) l),
			(SELECT string_agg(format('queue %s %s %s at %s: %s', args, state, attempt, scheduled_at, errors[array_upper(errors, 1)] ->> 'error'), E'\n')
			 FROM (SELECT * FROM queue.river_job WHERE state <> 'completed' LIMIT 10) q))`).Scan(&s)
	return s
}

// Rows reads a query as maps, for comparing.
func (r *Rig) Rows(query string, args ...any) []map[string]any {
	r.T.Helper()
	rows, err := r.Pool.Query(r.T.Context(), query, args...)
	r.Check(err)
	out, err := pgx.CollectRows(rows, pgx.RowToMap)
	r.Check(err)
	return out
}

// Scalar reads one value.
func Scalar[T any](r *Rig, query string, args ...any) T {
	r.T.Helper()
	var v T
	r.Check(r.Pool.QueryRow(r.T.Context(), query, args...).Scan(&v))
	return v
}

// PointAt has the client ask another server than the simulator.
func PointAt(s *httptest.Server) func(*ghapi.Config) {
	return func(c *ghapi.Config) { c.BaseURL = s.URL }
}

// CompareObject compares an object of a job, decompressed if it is the log.
func (r *Rig) CompareObject(jobID int64, name string, want []byte) {
	r.T.Helper()
	var k archive.JobKey
	r.Check(r.Pool.QueryRow(r.T.Context(), `SELECT repository_id, run_id, coalesce(run_attempt, 1), id FROM jobs WHERE id = $1`, jobID).
		Scan(&k.RepositoryID, &k.RunID, &k.RunAttempt, &k.JobID))
	var body io.ReadCloser
	var err error
	if name == "log.zst" {
		body, err = r.Archive.OpenLog(r.T.Context(), k.Log())
	} else {
		body, err = r.Archive.Bucket().Get(r.T.Context(), k.Details(), 0, -1)
	}
	r.Check(err)
	defer body.Close()
	got, err := io.ReadAll(body)
	r.Check(err)
	if !bytes.Equal(got, want) {
		r.T.Errorf("%s of job %d has %d bytes, want %d as sent", name, jobID, len(got), len(want))
	}
}

// KeyOf is where a job of the ledger is in the bucket.
func KeyOf(l store.LedgerLine) archive.JobKey {
	k := archive.JobKey{RepositoryID: l.Repository.ID, RunID: l.RunID, RunAttempt: 1, JobID: l.JobID}
	if l.RunAttempt != nil {
		k.RunAttempt = *l.RunAttempt
	}
	return k
}
