// Package ghapi is GitHub's REST API as jobvault uses it: who we are, what we ask for,
// how rate limits are shared, and what an error means. See
// docs/design.md#what-githubs-answers-mean.
//
// Every error of this package is an *Error with a Class; nothing outside looks
// at a status to decide. No error holds a token or a signed link.
package ghapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"
	"golang.org/x/sync/semaphore"
)

// Config says which GitHub it is and who we are there. Either Token or AppID
// with AppKey.
type Config struct {
	BaseURL     string           // of the API, with or without the slash at the end
	APIVersion  string           // X-GitHub-Api-Version; empty: by host
	Token       string           // a personal token; empty: the App's are used
	AppID       int64            // 0: no App, so there is a Token
	AppKey      []byte           // the App's private key: PEM, RSA
	Concurrency int64            // API requests at once, over all installations; at least 1
	UserAgent   string           // of all requests
	Stall       time.Duration    // how long a connection may make no progress; 0: a minute
	Now         func() time.Time // nil: time.Now
	Limits      Limits           // shared by all replicas; nil: this process knows its own
	// BackfillShare is the share of each limit, from 0 to 1, that requests with
	// the priority Backfill may use; 0: half.
	BackfillShare float64
	// PointsPerMinute is the secondary limit; 0: by host. GHES has none.
	PointsPerMinute int
	// Requested is told of each request that archiving has made of the API, with the status
	// of its answer, or 0 if there was none; nil: nobody is. What readers' own tokens ask
	// is not told.
	Requested func(Kind, int)
}

// Clients holds one Client for each installation, as rate limits are counted by
// installation. With a token there is one for all.
type Clients struct {
	config    Config
	baseURL   *url.URL
	limit     *semaphore.Weighted
	callers   *semaphore.Weighted
	strangers *semaphore.Weighted
	api       *apiConnections // to the API, for all installations
	logs      *http.Client    // carries no token
	app       *ghinstallation.AppsTransport
	lookup    *Client // asks as the App itself; nil without one

	gitea    bool // or Forgejo: it has no paths below /repositories/{id}
	pageSize pageSize

	mu            sync.Mutex
	byInstalled   map[int64]*Client
	installations map[string]lookedUp // by lower-case OWNER/NAME
	repositories  map[knownAs]knownRepository
}

// lookedUp is an installation that was asked for. It is believed for an hour: an
// App may be installed anew.
type lookedUp struct {
	id int64
	at time.Time
}

const lookupLife = time.Hour

const (
	defaultBackfillShare = 0.5
	pointsDotCom         = 900
)

// giteaPath is where Gitea and Forgejo have their API, and GitHub never: GHES has it
// under /api/v3/. Whoever is taken for the wrong kind gets 404, which is a no.
const giteaPath = "/api/v1/"

// The versions of the REST API that are asked for.
const (
	versionDotCom = "2026-03-10"
	versionOther  = "2022-11-28" // GHES below 3.21 answers 400 to a newer one
)

// ErrAppKey says that the App's private key is none.
var ErrAppKey = errors.New("the App's private key cannot be read: want PEM, RSA")

// New checks the configuration; it makes no request.
func New(c Config) (*Clients, error) {
	base, err := url.Parse(c.BaseURL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("ghapi: base URL %q: want http(s)://host/path/", c.BaseURL)
	}
	if !strings.HasSuffix(base.Path, "/") {
		base.Path += "/"
	}
	if c.Concurrency < 1 {
		return nil, fmt.Errorf("ghapi: concurrency %d: want at least one request", c.Concurrency)
	}
	c.fill(base.Host)
	redirects := &reach{}
	cs := &Clients{
		config:        c,
		baseURL:       base,
		gitea:         strings.HasSuffix(base.Path, giteaPath),
		limit:         semaphore.NewWeighted(c.Concurrency),
		callers:       semaphore.NewWeighted(callersAtOnce),
		strangers:     semaphore.NewWeighted(strangersAtOnce),
		api:           newAPITransport(c.Stall, base, redirects),
		logs:          newLogClient(c.Stall, redirects, http.ProxyFromEnvironment, nil),
		byInstalled:   make(map[int64]*Client),
		installations: make(map[string]lookedUp),
	}
	cs.pageSize.limit.Store(cs.gitea)
	if c.AppID != 0 {
		cs.app, err = ghinstallation.NewAppsTransport(secretRecorder{cs.api}, c.AppID, c.AppKey)
		if err != nil {
			return nil, ErrAppKey // without the cause, which may repeat the key
		}
		cs.app.BaseURL = strings.TrimSuffix(base.String(), "/")
		cs.lookup = cs.newClient(cs.app, 0)
	}
	return cs, nil
}

// fill puts in the defaults.
func (c *Config) fill(host string) {
	version, points := versionOther, 0
	if host == "api.github.com" {
		version, points = versionDotCom, pointsDotCom
	}
	c.APIVersion = cmp.Or(c.APIVersion, version)
	c.PointsPerMinute = cmp.Or(c.PointsPerMinute, points)
	c.BackfillShare = cmp.Or(c.BackfillShare, defaultBackfillShare)
	c.Stall = cmp.Or(c.Stall, time.Minute)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Limits == nil {
		c.Limits = &localLimits{}
	}
	if c.Requested == nil {
		c.Requested = func(Kind, int) {}
	}
}

// Close drops idle connections.
func (cs *Clients) Close() {
	cs.logs.CloseIdleConnections()
	cs.api.CloseIdleConnections()
}

// For returns the client that may read the repository. installation is what a
// webhook said; nil: not known, then GitHub is asked once.
func (cs *Clients) For(ctx context.Context, installation *int64, owner, repo string) (*Client, error) {
	if cs.app == nil {
		return cs.client(0), nil
	}
	if installation != nil {
		return cs.client(*installation), nil
	}
	name := strings.ToLower(owner + "/" + repo)
	cs.mu.Lock()
	found, known := cs.installations[name]
	cs.mu.Unlock()
	if known && cs.config.Now().Sub(found.at) < lookupLife {
		return cs.client(found.id), nil
	}
	id, err := cs.findInstallation(ctx, repoPath(owner, repo))
	if err != nil {
		return nil, err
	}
	cs.mu.Lock()
	cs.installations[name] = lookedUp{id: id, at: cs.config.Now()}
	cs.mu.Unlock()
	return cs.client(id), nil
}

// findInstallation asks, as the App itself, who can read a repository, or what an
// organisation owns.
func (cs *Clients) findInstallation(ctx context.Context, path string) (int64, error) {
	const op = "find installation"
	var found github.Installation
	if _, err := cs.lookup.get(ctx, op, path+"/installation", &found); err != nil {
		var e *Error
		if errors.As(err, &e) && (e.Class == NotFound || e.Class == Expired) {
			e.Class = Denied // the App is not installed there; that says nothing about jobs
		}
		return 0, err
	}
	if found.GetID() == 0 {
		return 0, &Error{Class: Transient, Op: op, Status: http.StatusOK, Message: "the answer names no installation"}
	}
	return found.GetID(), nil
}

func (cs *Clients) client(installation int64) *Client {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c, ok := cs.byInstalled[installation]
	if !ok {
		var auth http.RoundTripper
		if cs.app != nil {
			// A copy: fetching a token writes to it.
			app := *cs.app
			t := ghinstallation.NewFromAppsTransport(&app, installation)
			auth = installationTransport{t, make(chan struct{}, 1)}
		} else {
			auth = tokenTransport{token: cs.config.Token, next: secretRecorder{cs.api}}
		}
		c = cs.newClient(auth, installation)
		cs.byInstalled[installation] = c
	}
	return c
}

func (cs *Clients) newClient(auth http.RoundTripper, installation int64) *Client {
	client := &http.Client{
		Transport:     &apiTransport{host: cs.baseURL.Host, scheme: cs.baseURL.Scheme, version: cs.config.APIVersion, auth: auth},
		CheckRedirect: stayOnHost(cs.baseURL.Host),
	}
	rest := github.NewClient(nil)
	rest.BaseURL = cs.baseURL
	rest.UserAgent = cs.config.UserAgent
	spend := &budget{
		limits: cs.config.Limits, installation: installation, backfillShare: cs.config.BackfillShare,
		pointsPerMinute: cs.config.PointsPerMinute, now: cs.config.Now,
	}
	return &Client{rest: rest, http: client, limit: cs.limit, logs: cs.logs, spend: spend, now: cs.config.Now, requested: cs.config.Requested, pageSize: &cs.pageSize}
}
