package main

import (
	"context"
	"net/http"
	"strings"

	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/lookup/pages"
	"github.com/jobvault/jobvault/lookup/rest"
	"github.com/jobvault/jobvault/lookup/search"
)

// openLookup makes what answers readers.
func (s *service) openLookup(ctx context.Context) error {
	gate, logs := s.gate(), s.logs()
	sender, searcher := lookup.NewSender(logs, s.logger), search.NewLimitedSearcher(logs)
	programs, err := rest.New(ctx, rest.Config{DB: s.db, Gate: gate, Sender: sender, Searcher: searcher, Base: s.config.base, Logger: s.logger, Now: s.clock.Now})
	if err != nil {
		return err
	}
	people, err := pages.New(pages.Config{DB: s.db, Gate: gate, Sender: sender, Searcher: searcher, Logger: s.logger, Now: s.clock.Now})
	if err != nil {
		return err
	}
	// By the prefix: to a ServeMux, paths of pages, which begin with an owner, and
	// those of the API would be the same.
	s.lookup = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasPrefix(req.URL.Path, "/api/v3/") {
			programs.ServeHTTP(w, req)
			return
		}
		people.ServeHTTP(w, req)
	})
	return nil
}

// gate lets in whom the settings say.
func (s *service) gate() *access.Gate {
	switch {
	case s.config.ReadAuth == readLoopback:
		s.logger.Info("whoever asks from this machine may read, a proxy that runs on it too: have it pass /webhook only, or set JOBVAULT_READ_AUTH")
	case s.config.PublicURL == "":
		s.logger.Warn("links in answers lead to whatever host a request names: set JOBVAULT_PUBLIC_URL")
	}
	switch s.config.ReadAuth {
	case readGitHub:
		return access.GitHub(s.db, s.github)
	case readTokens:
		return access.Tokens(s.db)
	}
	return access.Loopback(s.db)
}

// base is where whoever makes a request reaches jobvault.
func (c config) base(req *http.Request) string {
	if c.PublicURL != "" {
		return strings.TrimRight(c.PublicURL, "/")
	}
	if req.TLS != nil || req.Header.Get("X-Forwarded-Proto") == "https" {
		return "https://" + req.Host
	}
	return "http://" + req.Host
}
