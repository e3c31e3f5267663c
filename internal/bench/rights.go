package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/jobvault/jobvault/internal/githubsim"
)

const (
	rightsCallers  = 16
	rightsAtOnce   = 4 // readings of each
	rightsReadings = 50
	wantAsked      = 1
)

// asked is a question to GitHub about a repository, with the token that asks it.
type asked struct{ token, path string }

// measureRights counts how many requests to GitHub callers' reading costs, if each
// repository must be asked about with each caller's token, and all callers begin at once.
func measureRights(ctx context.Context, l *lab) ([]row, error) {
	settings, _, err := l.archiveLogs(ctx, "rights", 64<<10, 64<<10)
	if err != nil {
		return nil, err
	}
	sim, err := githubsim.Start(githubsim.Options{Seed: 4})
	if err != nil {
		return nil, err
	}
	defer sim.Close()
	sim.AddRepository(benchRepository)
	for n := range rightsCallers {
		sim.AddUser(fmt.Sprint("caller", n), rightsToken(n), benchRepository.ID)
		sim.SetRights(rightsToken(n), githubsim.Rights{Permissions: []string{"metadata", "actions"}})
	}
	var mu sync.Mutex
	all, each := 0, make(map[asked]int)
	sim.OnRequest(func(e githubsim.Endpoint, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if all++; e == githubsim.EndpointRuns {
			each[asked{req.Header.Get("Authorization"), req.URL.Path}]++
		}
	})
	s, err := l.startServer(ctx, append(settings, "JOBVAULT_ROLES=lookup", "JOBVAULT_READ_AUTH=github", "JOBVAULT_GITHUB_API_URL="+sim.URL(), "JOBVAULT_GITHUB_TOKEN="+sim.Token())...)
	if err != nil {
		return nil, err
	}
	defer s.abandon()
	began := time.Now()
	g, gctx := errgroup.WithContext(ctx)
	for n := range rightsCallers {
		for range rightsAtOnce {
			g.Go(func() error { return readAs(gctx, s.url, rightsToken(n)) })
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	took := time.Since(began)
	if _, err := s.stop(); err != nil {
		return nil, err
	}
	most := 0
	for _, n := range each {
		most = max(most, n)
	}
	readings := rightsCallers * rightsAtOnce * rightsReadings
	return []row{{
		what: fmt.Sprintf("requests to GitHub for a token and a repository, %d readings by %d tokens", readings, rightsCallers),
		ours: fmt.Sprint(most), against: fmt.Sprintf("%d in all, at %.0f readings/s", all, float64(readings)/took.Seconds()),
		ratio: fmt.Sprintf("%.4f a reading", float64(all)/float64(readings)), wanted: fmt.Sprintf("≤ %d", wantAsked), missed: most > wantAsked || len(each) != rightsCallers,
	}}, nil
}

func rightsToken(n int) string { return fmt.Sprintf("ghp_caller_%020d", n) }

// readAs reads lines of both logs, by the repository's name and without, and lists jobs.
func readAs(ctx context.Context, base, token string) error {
	for i := range rightsReadings {
		path := logPath(1+i%2) + "?lines=1-10"
		switch i % 5 {
		case 3:
			path = "/api/v3/jobs/1/logs?lines=1-10"
		case 4:
			path = "/api/v3/jobs"
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := plain.Do(req)
		if err != nil {
			return err
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s, %w", path, resp.Status, err)
		}
	}
	return nil
}
