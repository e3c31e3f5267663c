// Package githubsim simulates GitHub on loopback, for tests, the demo and benchmarks (see
// docs/design.md#rooms): the REST endpoints around workflow jobs, the host that
// keeps their logs, App authentication, and the webhooks a job's life causes.
//
// The same seed, clock and calls give the same jobs, logs, links and payloads;
// only the ports differ from one start to the next.
package githubsim

import (
	"cmp"
	"crypto/rsa"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Options say which GitHub to simulate. The zero value is a plain one.
type Options struct {
	// Seed decides tokens, link signatures and GUIDs; 0 is a seed as any other.
	Seed uint64
	// Token is the bearer token that the API accepts; empty: "sim-token".
	Token string
	// AppID and AppKey make the server accept the App's JWTs, and the
	// installation tokens it issues in return; 0 and nil: there is no App.
	AppID  int64
	AppKey *rsa.PublicKey
	// Now is the clock of everything with a time in it; nil: time.Now.
	Now func() time.Time
	// LinkTTL is how long a link to a log lives; 0: one minute.
	LinkTTL time.Duration
	// DirectLogs answers logs 200 with the text, as Gitea does, not 302.
	DirectLogs bool
	// Gitea makes it one: its API is under /api/v1/ and has a repository by its id, but
	// nothing of it; a page's size is limit; logs are direct; tokens' scopes, webhooks and
	// all JSON are its own; there are no deliveries to list, no App and no headers of limits.
	Gitea bool
	// Features are in what a Gitea is unlike others.
	Features Features
	// RateLimit is the primary limit an hour for each caller: a token, or an
	// App's installation whatever its token. With 0 there is none, and the
	// headers say that 4,999 of 5,000 remain.
	RateLimit int
	// SecondaryPoints is how many requests each caller has a minute, which
	// begins with its first request; 0: any number. No header tells.
	SecondaryPoints int
	// MaxConcurrent is how many API requests each caller may have at once; 0:
	// any number. A request counts until its answer begins.
	MaxConcurrent int
	// APIVersions are the accepted values of X-GitHub-Api-Version; nil: those
	// of api.github.com. GHES below 3.21 has only 2022-11-28.
	APIVersions []string
}

// Server is a running simulator. All its methods may be called at any time
// from any goroutine.
type Server struct {
	o       Options
	token   string
	linkTTL time.Duration
	now     func() time.Time

	world     *world
	faults    faultList
	lies      lies
	strays    strays
	features  atomic.Pointer[Features]
	onRequest atomic.Pointer[func(Endpoint, *http.Request)]
	counters  counters
	rates     rates
	paces     paces
	waits     limitAnswers
	tokens    issuedTokens
	users     users
	rights    rightsList
	hook      *hook

	api, blob *listening
	closing   chan struct{}
	closeOnce sync.Once
	closeErr  error
}

// Start listens on two ports of 127.0.0.1, one for the API and one for logs.
func Start(o Options) (*Server, error) {
	s := &Server{
		o:       o,
		token:   cmp.Or(o.Token, "sim-token"),
		linkTTL: cmp.Or(o.LinkTTL, time.Minute),
		now:     o.Now,
		world:   newWorld(),
		hook:    newHook(),
		closing: make(chan struct{}),
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.SetFeatures(o.Features)
	var err error
	if s.blob, err = listen(s.dated(s.blobHandler())); err != nil {
		return nil, fmt.Errorf("githubsim: blob host: %w", err)
	}
	if s.api, err = listen(s.dated(s.apiHandler())); err != nil {
		s.blob.close()
		return nil, fmt.Errorf("githubsim: API host: %w", err)
	}
	return s, nil
}

// URL is the base of the API, with a trailing slash.
func (s *Server) URL() string {
	if s.o.Gitea {
		return s.api.url + "api/v1/"
	}
	return s.api.url
}

// BlobURL is the base of the host that keeps the logs, with a trailing slash.
func (s *Server) BlobURL() string { return s.blob.url }

// Token is the bearer token that the API accepts.
func (s *Server) Token() string { return s.token }

// Close ends every request, also hanging ones, and waits for the server's
// goroutines. It is idempotent.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		s.closeErr = errors.Join(s.api.close(), s.blob.close())
		s.hook.close()
	})
	return s.closeErr
}

// dated lets every answer tell the time of the server's clock, not the machine's:
// a client may reckon by it how long to wait.
func (s *Server) dated(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
		h.ServeHTTP(w, r)
	})
}

// listening is one of the two hosts.
type listening struct {
	url     string
	server  *http.Server
	running sync.WaitGroup // Serve and every connection
	err     error          // of Serve
}

func listen(h http.Handler) (*listening, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	host := &listening{url: "http://" + l.Addr().String() + "/"}
	host.server = &http.Server{
		Handler: h,
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				host.running.Add(1)
			case http.StateClosed, http.StateHijacked:
				host.running.Done()
			}
		},
	}
	host.running.Go(func() {
		if err := host.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			host.err = err
		}
		// A connection accepted in the last moment is not among those that
		// the first Close has closed.
		host.server.Close()
	})
	return host, nil
}

func (l *listening) close() error {
	err := l.server.Close()
	l.running.Wait()
	return errors.Join(err, l.err)
}
