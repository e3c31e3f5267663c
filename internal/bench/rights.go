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
	settings, _, err := l.archiveLogs(ctx, "rights", githubsim.LogStyle{ANSI: true}, 64<<10, 64<<10)
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
	questions := countQuestions(sim)
	s, err := l.startServer(ctx, append(settings, "JOBVAULT_ROLES=lookup", "JOBVAULT_READ_AUTH=github", "JOBVAULT_GITHUB_API_URL="+sim.URL(), "JOBVAULT_GITHUB_TOKEN="+sim.Token())...)
	if err != nil {
		return nil, err
	}
	defer s.abandon()
	took, err := readAtOnce(ctx, s.url)
	if err != nil {
		return nil, err
	}
	if _, err := s.stop(); err != nil {
		return nil, err
	}
	maxAsked := 0
	for _, n := range questions.each {
		maxAsked = max(maxAsked, n)
	}
	readings := rightsCallers * rightsAtOnce * rightsReadings
	return []row{{
		what: fmt.Sprintf("requests to GitHub for a token and a repository, %d readings by %d tokens", readings, rightsCallers),
		ours: fmt.Sprint(maxAsked), against: fmt.Sprintf("%d in all, at %.0f readings/s", questions.all, float64(readings)/took.Seconds()),
		ratio:  fmt.Sprintf("%.4f a reading", float64(questions.all)/float64(readings)),
		wanted: fmt.Sprintf("≤ %d", wantAsked), missed: maxAsked > wantAsked || len(questions.each) != rightsCallers,
	}}, nil
}

// questions counts requests to GitHub: all, and of those about rights each one.
type questions struct {
	mu   sync.Mutex
	all  int
	each map[asked]int
}

func countQuestions(sim *githubsim.Server) *questions {
	q := &questions{each: make(map[asked]int)}
	sim.OnRequest(func(e githubsim.Endpoint, req *http.Request) {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.all++; e == githubsim.EndpointRuns {
			q.each[asked{req.Header.Get("Authorization"), req.URL.Path}]++
		}
	})
	return q
}

// readAtOnce has all callers read, and returns how long that took.
func readAtOnce(ctx context.Context, base string) (time.Duration, error) {
	began := time.Now()
	g, gctx := errgroup.WithContext(ctx)
	for n := range rightsCallers {
		for range rightsAtOnce {
			g.Go(func() error { return readAs(gctx, base, rightsToken(n)) })
		}
	}
	err := g.Wait()
	return time.Since(began), err
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
