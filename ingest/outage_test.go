package ingest_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/localpg"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/migrations"
)

// recovery bounds how long all may take after the last part is back.
const recovery = 90 * time.Second

// Postgres goes away in the middle and comes back: what was answered 202 is
// there, what was not is answered 503, and the workers go on by themselves.
func TestPostgresStopsAndStarts(t *testing.T) {
	t.Parallel()
	server, err := localpg.Start(t.Context(), localpg.Config{
		Dir: t.TempDir(), Settings: map[string]string{"fsync": "off"}, // it is stopped, and the machine is not
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	pool := testenv.PoolAt(t, server.URL())
	m, err := migrations.New(pool)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	pool.Close()
	r := newRig(t, ingesttest.Options{DatabaseURL: server.URL()})
	day := r.GitHub.PlayableDay(11, 120, 5<<20)
	r.Work()
	half := len(day.Deliveries) / 2
	r.Send(day.Deliveries[:half], githubsim.SendOptions{Concurrency: 8})
	r.Check(server.Stop(t.Context()))
	for _, res := range githubsim.Send(t.Context(), r.Receiver.URL, day.Deliveries[half:half+5], githubsim.SendOptions{Secret: ingesttest.Secret, Concurrency: 5}) {
		if res.Err != nil || res.Status != http.StatusServiceUnavailable {
			t.Errorf("without Postgres a delivery was answered %d, %v", res.Status, res.Err)
		}
	}
	r.Check(server.Restart(t.Context()))
	// The pool may hold broken connections for a moment: 503 is an answer too.
	r.resend(day.Deliveries[half:])
	r.Await(recovery, ingesttest.Settled)
	r.CompareDay(day)
}

// resend delivers until each delivery is answered 202, as redeliveries would.
func (r *rig) resend(ds []githubsim.Delivery) {
	r.T.Helper()
	ctx, cancel := context.WithTimeout(r.T.Context(), recovery)
	defer cancel()
	for len(ds) > 0 {
		var left []githubsim.Delivery
		for _, res := range githubsim.Send(ctx, r.Receiver.URL, ds, githubsim.SendOptions{Secret: ingesttest.Secret, Concurrency: 8}) {
			if res.Status != http.StatusAccepted {
				left = append(left, res.Delivery)
			}
		}
		if ctx.Err() != nil {
			r.T.Fatalf("%d deliveries are still not accepted", len(left))
		}
		ds = left
	}
}

func TestS3StopsAndStarts(t *testing.T) {
	t.Parallel()
	s3 := testenv.NewS3(t)
	r := newRig(t, ingesttest.Options{BucketURL: s3.BucketURL(t)})
	day := r.GitHub.PlayableDay(12, 100, 9<<20)
	r.Work()
	half := len(day.Deliveries) / 2
	r.Send(day.Deliveries[:half], githubsim.SendOptions{Concurrency: 8})
	r.Await(recovery, `SELECT count(*) > 5 FROM job_logs WHERE state = 'archived'`)
	s3.Stop()
	r.Send(day.Deliveries[half:], githubsim.SendOptions{Concurrency: 8})
	r.Await(recovery, `EXISTS (SELECT FROM job_logs WHERE state = 'pending' AND reason LIKE 'archive:%')`)
	r.Check(s3.Start())
	r.Await(recovery, ingesttest.Settled)
	r.CompareDay(day)
}

// If GitHub misbehaves in every way at once for a while, all is settled in the end.
func TestGitHubMisbehaves(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{Client: func(c *ghapi.Config) { c.Stall = 500 * time.Millisecond }})
	day := r.GitHub.PlayableDay(13, 100, 3<<20)
	for _, f := range []githubsim.Fault{
		{Endpoint: job, Kind: githubsim.ServerError, Times: 10},
		{Endpoint: job, Kind: githubsim.Hang, Times: 3},
		{Endpoint: job, Kind: githubsim.HangBody, Times: 3},
		{Endpoint: job, Kind: githubsim.TooMany, RetryAfter: time.Second, Times: 2},
		{Endpoint: log, Kind: githubsim.SecondaryLimit, RetryAfter: time.Second, Times: 2},
		{Endpoint: log, Kind: githubsim.ServerError, Times: 10},
		{Endpoint: blb, Kind: githubsim.HangBody, Times: 5},
		{Endpoint: blb, Kind: githubsim.CutBody, Times: 5},
		{Endpoint: blb, Kind: githubsim.CutChunked, Times: 5},
		{Endpoint: blb, Kind: githubsim.HTML200, Times: 5},
		{Endpoint: blb, Kind: githubsim.WrongMD5, Times: 5},
	} {
		r.GitHub.Inject(f)
	}
	r.Work()
	r.Send(day.Deliveries, githubsim.SendOptions{Concurrency: 8, Shuffle: true, Duplicates: .1})
	r.Await(recovery, ingesttest.Settled)
	r.CompareDay(day)
}
