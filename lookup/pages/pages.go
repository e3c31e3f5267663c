// Package pages answers people: pages that find a job, show its run, and read its
// log. They are made on the server and work without JavaScript, which only makes some
// things handier. See docs/design.md#rooms.
//
// All that is shown comes from outside and may be hostile: html/template escapes it,
// lineHTML makes the text of logs harmless, and no page can load or run anything but the
// two files of this package.
package pages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/lookup/search"
	"github.com/jobvault/jobvault/store"
)

// Config is what the pages are made of. All but Now is required.
type Config struct {
	DB       *store.DB
	Gate     *access.Gate            // decides who may read what
	Sender   *lookup.Sender          // which the API may share, so that its limits hold for both
	Searcher *search.LimitedSearcher // likewise
	Logger   *slog.Logger            // of errors that are not the caller's
	Now      func() time.Time        // nil: time.Now
}

type site struct {
	Config
	templates templates
	readings  *semaphore.Weighted // of logs, for windows and finds
	overviews *semaphore.Weighted
}

const (
	// maxReadings is how many pages are made of logs at once.
	maxReadings = 16
	// maxOverviews is how many overviews are made at once: each asks much of
	// Postgres, which has others to answer.
	maxOverviews = 2
	// overviewTime is how long one may take.
	overviewTime = 30 * time.Second
)

// New makes the handler of all pages.
func New(c Config) (http.Handler, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	t, err := parseTemplates()
	if err != nil {
		return nil, err
	}
	s := &site{
		Config: c, templates: t, readings: semaphore.NewWeighted(maxReadings), overviews: semaphore.NewWeighted(maxOverviews),
	}
	mux := http.NewServeMux()
	route := func(pattern string, h func(*call) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
			c := &call{site: s, w: w, req: req}
			if err := h(c); err != nil {
				c.answerError(err)
			}
		})
	}
	route("GET /{$}", (*call).jobs)
	route("GET /overview", (*call).overview)
	route("GET /uses", (*call).uses)
	route("GET /search", (*call).search)
	route("GET /{owner}/{repo}/runs/{run_id}", (*call).run)
	route("GET /{owner}/{repo}/jobs/{job_id}", (*call).job)
	route("GET /{owner}/{repo}/jobs/{job_id}/find", (*call).find)
	route("GET /{owner}/{repo}/jobs/{job_id}/raw", (*call).raw)
	route("GET /sign-in", (*call).signInPage)
	route("POST /sign-in", (*call).signIn)
	route("POST /sign-out", (*call).signOut)
	route("GET /assets/{file}", (*call).asset)
	route("/", func(*call) error { return store.ErrNotFound })
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		c := &call{site: s, w: w, req: req}
		c.message(http.StatusForbidden, "Refused", "Another site has sent this request.")
	}))
	return guarded(protection.Handler(mux)), nil
}

// guarded sets the headers that keep a browser from doing anything that these pages do
// not need, whatever they show.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "private, no-cache")
		h.Set("Vary", "Cookie, Authorization")
		next.ServeHTTP(w, req)
	})
}

// call is one request for a page.
type call struct {
	*site
	w      http.ResponseWriter
	req    *http.Request
	reader access.Reader // once enter has let it in
}

func (c *call) ctx() context.Context { return c.req.Context() }

// enter finds who asks for a page, to which a link elsewhere may have led.
func (c *call) enter() (err error) {
	c.reader, err = c.Gate.PageReader(c.req)
	return err
}

// enterFromHere finds who asks for what no other site may lead to.
func (c *call) enterFromHere() (err error) {
	c.reader, err = c.Gate.Reader(c.req)
	return err
}

// readingSlot waits for one of the places for reading logs. The caller must call release
// when it is done.
func (c *call) readingSlot() (release func(), err error) {
	if err := c.readings.Acquire(c.ctx(), 1); err != nil {
		return nil, err
	}
	return func() { c.readings.Release(1) }, nil
}

// number returns a number in the path; 0, which nothing has, if it is not a number.
func (c *call) number(name string) int64 {
	n, err := strconv.ParseInt(c.req.PathValue(name), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// named finds the repositories that the path names and the reader may read, or
// fails with store.ErrNotFound.
func (c *call) named() ([]int64, error) {
	rs, err := c.reader.Named(c.ctx(), c.req.PathValue("owner"), c.req.PathValue("repo"))
	if err != nil {
		return nil, err
	}
	if len(rs) == 0 {
		return nil, store.ErrNotFound
	}
	ids := make([]int64, len(rs))
	for i, r := range rs {
		ids[i] = r.ID
	}
	return ids, nil
}

// answerError answers a request that failed with an error.
func (c *call) answerError(err error) {
	var forbidden *access.ForbiddenError
	switch {
	case errors.Is(err, access.ErrNoCredentials), errors.Is(err, access.ErrBadCredentials):
		next := c.req.URL.RequestURI()
		if c.req.Method != http.MethodGet {
			next = "/"
		}
		http.Redirect(c.w, c.req, "/sign-in?next="+queryEscape(next), http.StatusSeeOther)
	case errors.Is(err, access.ErrNotLocal):
		c.message(http.StatusForbidden, "Nothing is readable from here", "Until the operator sets JOBVAULT_READ_AUTH, only this machine itself may read, on a loopback address.")
	case errors.Is(err, access.ErrOtherSite):
		c.otherSite()
	case errors.As(err, &forbidden):
		c.message(http.StatusForbidden, "The token does not suffice", capital(forbidden.Error())+".")
	case errors.Is(err, access.ErrTooMany):
		c.message(http.StatusUnprocessableEntity, "Too many repositories", capital(err.Error())+".")
	case errors.Is(err, store.ErrNotFound), store.IsBadData(err):
		c.message(http.StatusNotFound, "Not found", "There is no such page, or you may not see it.")
	case errors.Is(err, errWrongUse):
		c.message(http.StatusBadRequest, "That cannot be asked", strings.TrimPrefix(err.Error(), errWrongUse.Error()+": "))
	case errors.Is(err, lookup.ErrBusy):
		c.message(http.StatusServiceUnavailable, "Too many logs are being read", "Try again in a moment.")
	case errors.Is(err, context.Canceled):
		panic(http.ErrAbortHandler)
	default:
		c.Logger.WarnContext(c.ctx(), "a page could not be made", "path", c.req.URL.EscapedPath(), "error", err)
		c.w.Header().Set("Retry-After", "5")
		c.message(http.StatusServiceUnavailable, "jobvault cannot answer now", "Its log says why. Try again in a moment.")
	}
}

// otherSite answers what another site has a browser send. Whoever was led here in a window
// may go on: not all browsers say that it was a person who followed a link, and some
// pages are not for links elsewhere. The link is one of ours.
func (c *call) otherSite() {
	p := messagePage{Title: "Refused", Text: "Another site has sent this request. Open the page at its own address."}
	if access.OpensPage(c.req) {
		p.Open = localPath(c.req.URL.RequestURI())
	}
	c.say(http.StatusForbidden, p)
}

// capital makes the beginning of a sentence of an error, which is ASCII.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// errWrongUse marks errors in what a reader has asked for.
var errWrongUse = errors.New("wrong use")

// layout is what every page shows around its own.
type layout struct {
	Title   string
	Subject string // who reads; empty: nobody has signed in
	SignsIn bool   // whether readers can sign out
	Style   string
	Script  string
	Page    any
}

// show answers with a page. It is made whole first: an error leaves no half one.
func (c *call) show(status int, name, title string, page any) error {
	b, err := c.render(name, title, page)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	c.w.WriteHeader(status)
	_, _ = io.WriteString(c.w, b) // the reader may be gone
	return nil
}

// render makes a page, and says what it is.
func (c *call) render(name, title string, page any) (string, error) {
	var b strings.Builder
	err := c.templates[name].ExecuteTemplate(&b, "layout", layout{
		Title: title, Subject: c.reader.Subject, SignsIn: c.Gate.SignsIn(), Style: stylePath, Script: scriptPath, Page: page,
	})
	if err != nil {
		return "", fmt.Errorf("page %s: %w", name, err)
	}
	c.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	return b.String(), nil
}

// message is a page with nothing but a message.
func (c *call) message(status int, title, text string) {
	c.say(status, messagePage{Title: title, Text: text})
}

func (c *call) say(status int, p messagePage) {
	if err := c.show(status, "message", p.Title, p); err != nil {
		c.Logger.ErrorContext(c.ctx(), "no page for an error", "error", err)
		http.Error(c.w, p.Title, status)
	}
}

type messagePage struct {
	Title, Text string
	Open        string // address of the page that was asked for; empty: no link to it is offered
}
