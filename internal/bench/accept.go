package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
)

// connections is how many clients each side uses.
const connections = 64

// Targets of the accept measurement.
const (
	wantAccept = 1.5
	wantP99    = 250 * time.Millisecond
)

// measureAccept compares the rate of deliveries accepted durably with pgbench inserting
// the same payload into the same server, in turns.
func measureAccept(ctx context.Context, l *lab) ([]row, error) {
	body, err := benchPayload()
	if err != nil {
		return nil, err
	}
	url, err := l.database(ctx, "accept")
	if err != nil {
		return nil, err
	}
	s, err := l.startServer(ctx, "JOBVAULT_DATABASE_URL="+url, "JOBVAULT_ROLES=receive")
	if err != nil {
		return nil, err
	}
	defer s.abandon()
	peer, err := newPgbench(ctx, l, body)
	if err != nil {
		return nil, err
	}
	var ours, theirs, ratios, p99s []float64
	for range l.scale.acceptTurns {
		theirRate, err := peer.run(ctx, l.scale.acceptFor)
		if err != nil {
			return nil, err
		}
		rate, p99, err := load(ctx, s.url, body, l.scale.acceptFor)
		if err != nil {
			return nil, err
		}
		ours, theirs = append(ours, rate), append(theirs, theirRate)
		ratios, p99s = append(ratios, rate/theirRate), append(p99s, p99.Seconds())
	}
	if _, err := s.stop(); err != nil {
		return nil, err
	}
	ratio, p99 := median(ratios), time.Duration(median(p99s)*float64(time.Second))
	return []row{
		{
			what: fmt.Sprintf("signed %d-byte deliveries accepted durably, %d connections", len(body), connections),
			ours: fmt.Sprintf("%.0f/s", median(ours)), against: fmt.Sprintf("%.0f/s pgbench, jsonb, a row a transaction", median(theirs)),
			ratio: fmt.Sprintf("%.2f", ratio), wanted: fmt.Sprintf("≥ %.1f", wantAccept), missed: ratio < wantAccept,
		},
		{
			what: "99th percentile of the answer in that run", ours: p99.Round(100 * time.Microsecond).String(), against: "10s that GitHub allows",
			ratio: fmt.Sprintf("%.4f", p99.Seconds()/10), wanted: "< " + wantP99.String(), missed: p99 >= wantP99,
		},
	}, nil
}

// benchPayload is a workflow_job payload of about 10 KB.
func benchPayload() ([]byte, error) {
	sim, err := githubsim.Start(githubsim.Options{Seed: 1})
	if err != nil {
		return nil, err
	}
	day := sim.PlayableDay(1, 50, 1<<20)
	var best []byte
	for _, d := range day.Deliveries {
		if abs(len(d.Body)-10_000) < abs(len(best)-10_000) {
			best = d.Body
		}
	}
	return best, sim.Close()
}

func abs(n int) int { return max(n, -n) }
