package ghapi_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// operation is something to ask GitHub for. The endpoint is the nth that an App
// without a token yet comes to.
type operation struct {
	endpoint githubsim.Endpoint
	nth      int32
	do       func(context.Context, *ghapi.Clients) error
}

// asInstallation is an operation of installation 5.
func asInstallation(do func(context.Context, *ghapi.Client) error) func(context.Context, *ghapi.Clients) error {
	return func(ctx context.Context, cs *ghapi.Clients) error {
		c, err := cs.For(ctx, &repository.InstallationID, owner, repo)
		if err != nil {
			return err
		}
		return do(ctx, c)
	}
}

func getJob(ctx context.Context, c *ghapi.Client) error {
	_, err := c.Job(ctx, owner, repo, 7)
	return err
}

func getLog(ctx context.Context, c *ghapi.Client) error {
	_, err := readLog(ctx, c, 7)
	return err
}

func listRun(ctx context.Context, c *ghapi.Client) error {
	_, err := collect(c.RunJobs(ctx, owner, repo, 100, ghapi.FilterAll))
	return err
}

func listAttempt(ctx context.Context, c *ghapi.Client) error {
	_, err := collect(c.AttemptJobs(ctx, owner, repo, 100, 1, ""))
	return err
}

var operations = []operation{
	{githubsim.EndpointInstallation, 1, func(ctx context.Context, cs *ghapi.Clients) error {
		_, err := cs.For(ctx, nil, owner, repo)
		return err
	}},
	{githubsim.EndpointToken, 1, asInstallation(getJob)},
	{githubsim.EndpointJob, 2, asInstallation(getJob)},
	{githubsim.EndpointRunJobs, 2, asInstallation(listRun)},
	{githubsim.EndpointAttemptJobs, 2, asInstallation(listAttempt)},
	{githubsim.EndpointLog, 2, asInstallation(getLog)},
	{githubsim.EndpointBlob, 3, asInstallation(getLog)},
}

// meaning is what an error should say.
type meaning struct {
	class   ghapi.Class
	status  int
	after   time.Duration // from now to RetryAt; 0: RetryAt is not set
	success bool          // it is no error at all
}

// Each thing that GitHub, its storage and its token endpoint can do wrong, what
// it means, and that the next request after it finds everything in order: with a
// place for one request only, none was lost.
func TestFaultsHaveTheirClasses(t *testing.T) {
	var (
		transient = func(status int) meaning { return meaning{class: ghapi.Transient, status: status} }
		denied    = func(status int) meaning { return meaning{class: ghapi.Denied, status: status} }
		limited   = func(status int, d time.Duration) meaning {
			return meaning{class: ghapi.RateLimited, status: status, after: d}
		}
		later     = func(status int, d time.Duration) meaning { return meaning{status: status, after: d} }
		notFound  = meaning{class: ghapi.NotFound, status: 404}
		fine      = meaning{success: true}
		noLookup  = meaning{class: ghapi.Denied, status: 404}
		goneToo   = meaning{class: ghapi.Denied, status: 410}
		unreadYet = meaning{class: ghapi.RateLimited, status: 403, after: time.Minute}
	)
	status := func(code int, body string, header ...string) githubsim.Fault {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return githubsim.Fault{Kind: githubsim.Status, Status: code, Body: body, Header: h}
	}
	for _, c := range []struct {
		name                string
		fault               githubsim.Fault
		api, token, storage meaning
		lookup              *meaning // nil: as api
		cancelled           bool     // the caller gives up, as nothing else would end it
	}{
		{name: "404 in JSON", fault: githubsim.Fault{Kind: githubsim.NotFoundJSON}, api: notFound, token: denied(404), storage: notFound, lookup: &noLookup},
		{name: "404 in XML", fault: githubsim.Fault{Kind: githubsim.NotFoundXML}, api: notFound, token: denied(404), storage: notFound, lookup: &noLookup},
		{name: "410", fault: githubsim.Fault{Kind: githubsim.Gone}, api: meaning{class: ghapi.Expired, status: 410}, token: denied(410), storage: meaning{class: ghapi.Expired, status: 410}, lookup: &goneToo},
		{name: "429", fault: githubsim.Fault{Kind: githubsim.TooMany, RetryAfter: 90 * time.Second}, api: limited(429, 90*time.Second), token: limited(429, 90*time.Second), storage: later(429, 90*time.Second)},
		{name: "429 without a time", fault: status(429, ""), api: limited(429, time.Minute), token: limited(429, time.Minute), storage: later(429, time.Minute)},
		{name: "primary limit", fault: githubsim.Fault{Kind: githubsim.PrimaryLimit, RetryAfter: 30 * time.Minute}, api: limited(403, 30*time.Minute), token: limited(403, 30*time.Minute), storage: later(403, 30*time.Minute)},
		{name: "secondary limit", fault: githubsim.Fault{Kind: githubsim.SecondaryLimit}, api: limited(403, time.Minute), token: unreadYet, storage: later(403, time.Minute)},
		{name: "secondary limit with a time", fault: githubsim.Fault{Kind: githubsim.SecondaryLimit, RetryAfter: 5 * time.Minute}, api: limited(403, 5*time.Minute), token: limited(403, 5*time.Minute), storage: later(403, 5*time.Minute)},
		{name: "abuse limit", fault: status(403, `{"documentation_url":"https://docs.github.com/rest/overview/resources-in-the-rest-api#abuse-rate-limits"}`), api: limited(403, time.Minute), token: unreadYet, storage: later(403, time.Minute)},
		{name: "403 with a time", fault: status(403, `{"message":"slow down"}`, "Retry-After", "70"), api: limited(403, 70*time.Second), token: limited(403, 70*time.Second), storage: later(403, 70*time.Second)},
		{name: "401", fault: githubsim.Fault{Kind: githubsim.Unauthorized}, api: denied(401), token: denied(401), storage: transient(401)},
		{name: "403", fault: githubsim.Fault{Kind: githubsim.Forbidden}, api: denied(403), token: denied(403), storage: transient(403)},
		{name: "403 that is no JSON", fault: status(403, "<h1>no</h1>"), api: denied(403), token: denied(403), storage: transient(403)},
		{name: "400", fault: status(400, "{}"), api: transient(400), token: transient(400), storage: transient(400)},
		{name: "422", fault: status(422, `{"message":7}`), api: transient(422), token: transient(422), storage: transient(422)},
		{name: "500", fault: githubsim.Fault{Kind: githubsim.ServerError}, api: transient(500), token: transient(500), storage: transient(500)},
		{name: "502 with a page", fault: status(502, "<html>", "Content-Type", "text/html"), api: transient(502), token: transient(502), storage: transient(502)},
		{name: "503 with a time", fault: status(503, "", "Retry-After", "30"), api: later(503, 30*time.Second), token: later(503, 30*time.Second), storage: later(503, 30*time.Second)},
		{name: "304", fault: status(304, ""), api: transient(304), token: transient(304), storage: transient(304)},
		{name: "204", fault: status(204, ""), api: transient(204), token: transient(-1), storage: transient(204)},
		{name: "301 to nowhere", fault: status(301, ""), api: transient(301), token: transient(301), storage: transient(301)},
		{name: "302 to nowhere", fault: status(302, ""), api: transient(302), token: transient(302), storage: transient(302)},
		{name: "a page with status 200", fault: githubsim.Fault{Kind: githubsim.HTML200}, api: transient(200), token: transient(-1), storage: transient(200)},
		{name: "nothing for ever", fault: githubsim.Fault{Kind: githubsim.Hang}, api: transient(0), token: transient(0), storage: transient(0), cancelled: true},
		{name: "half a body for ever", fault: githubsim.Fault{Kind: githubsim.HangBody, After: 10}, api: transient(-1), token: transient(0), storage: transient(-1), cancelled: true},
		{name: "a body cut short", fault: githubsim.Fault{Kind: githubsim.CutBody}, api: transient(200), token: transient(0), storage: transient(200)},
		{name: "a chunked body cut short", fault: githubsim.Fault{Kind: githubsim.CutChunked, After: 20}, api: transient(200), token: transient(0), storage: transient(200)},
		{name: "slowness", fault: githubsim.Fault{Kind: githubsim.Slow, After: 500, Delay: time.Millisecond}, api: fine, token: fine, storage: fine},
		{name: "a wrong MD5", fault: githubsim.Fault{Kind: githubsim.WrongMD5}, api: fine, token: fine, storage: transient(200)},
	} {
		for _, op := range operations {
			t.Run(c.name+"/"+string(op.endpoint), func(t *testing.T) {
				want := c.api
				switch {
				case op.endpoint == githubsim.EndpointToken:
					want = c.token
				case op.endpoint == githubsim.EndpointBlob:
					want = c.storage
				case op.endpoint == githubsim.EndpointInstallation && c.lookup != nil:
					want = *c.lookup
				case op.endpoint == githubsim.EndpointLog && bodyFault(c.fault.Kind):
					t.Skip("the answer is a redirect without a body")
				}
				now := newClock()
				gh, cs := app(t, githubsim.Options{Now: newClock().Now}, ghapi.Config{Concurrency: 1, Now: now.Now},
					completed(7, githubsim.GeneratedLog(1, 5000, githubsim.LogStyle{})))
				c.fault.Endpoint = op.endpoint
				remove := gh.Inject(c.fault)
				ctx := soon(t)
				if c.cancelled {
					ctx = cancelOn(t, op.nth)
				}
				err := op.do(ctx, cs)
				if want.success {
					check(t, err)
					return
				}
				e := refusal(t, err, want.class, want.status, "")
				if retryAt := now.Now().Add(want.after); want.after > 0 && !e.RetryAt.Equal(retryAt) || want.after == 0 && !e.RetryAt.IsZero() {
					t.Errorf("to be tried again at %s, want %s after %s", e.RetryAt, want.after, now.Now())
				}
				if c.cancelled != errors.Is(err, context.Canceled) {
					t.Errorf("cancelled %t, the error is %v", c.cancelled, err)
				}
				remove()
				now.advance(want.after)
				if err := op.do(soon(t), cs); err != nil {
					t.Errorf("after it has gone: %v", err)
				}
			})
		}
	}
}

// bodyFault tells the faults that spoil a body from those that replace it.
func bodyFault(k githubsim.FaultKind) bool { return k >= githubsim.HangBody }

func TestNoAnswerIsTransient(t *testing.T) {
	gh := simulate(t, githubsim.Options{})
	c := ask(t, gh)
	check(t, gh.Close())
	for _, do := range []func(context.Context, *ghapi.Client) error{getJob, getLog, listRun, listAttempt} {
		e := refusal(t, do(soon(t), c), ghapi.Transient, 0, "connect")
		var cause *net.OpError
		if !errors.As(e, &cause) {
			t.Errorf("%v hides its cause", e)
		}
	}
}

// A server that says nothing more is given up by itself, wherever it stops.
func TestStalledServerIsTransient(t *testing.T) {
	for _, kind := range []githubsim.FaultKind{githubsim.Hang, githubsim.HangBody} {
		for _, op := range operations {
			status := 0
			switch {
			case op.endpoint == githubsim.EndpointLog && bodyFault(kind):
				continue // a redirect has no body
			case op.endpoint != githubsim.EndpointToken && bodyFault(kind):
				status = http.StatusOK // it had begun to answer
			}
			gh, cs := app(t, githubsim.Options{}, ghapi.Config{Stall: 50 * time.Millisecond}, completed(7, githubsim.GeneratedLog(1, 5000, githubsim.LogStyle{})))
			gh.Inject(githubsim.Fault{Endpoint: op.endpoint, Kind: kind})
			ctx := soon(t)
			e := refusal(t, op.do(ctx, cs), ghapi.Transient, status, "timeout")
			if ctx.Err() != nil {
				t.Errorf("kind %d at %s was ended by its caller: %v", kind, op.endpoint, e)
			}
		}
	}
}

func TestClassesHaveNames(t *testing.T) {
	for class, want := range map[ghapi.Class]string{
		ghapi.Transient: "transient", ghapi.RateLimited: "rate limited", ghapi.NotFound: "not found", ghapi.Expired: "expired", ghapi.Denied: "denied",
	} {
		if got := class.String(); got != want {
			t.Errorf("%d is called %q, want %q", class, got, want)
		}
	}
	// What nobody has classified is tried again.
	if zero := new(ghapi.Error); zero.Class != ghapi.Transient {
		t.Errorf("the zero class is %s", zero.Class)
	}
}

// GitHub's words are shown on terminals, and kept in Postgres: nothing in them can
// move a cursor, turn text around, or be refused.
func TestMessagesAreTextOnly(t *testing.T) {
	for body, want := range map[string]string{
		`{"message":"plain, with é and 日本"}`:                  "plain, with é and 日本",
		`{"message":"a\u001b[2J\u001b]0;title\u0007b"}`:       "a[2J]0;titleb",
		`{"message":"a\u0000b\u009bc\u007fd\te"}`:             "abcde",
		`{"message":"a\u202eb\u2066c\u2069d"}`:                "abcd",
		`{"message":"one\ntwo"}`:                              "one",
		"<Error><Code>Bl&#x85;ob</Code><Message/></Error>":    "Blob",
		`{"message":"` + strings.Repeat("\u00e9", 400) + `"}`: strings.Repeat("é", 150) + "…",
	} {
		gh := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, body)
		})
		var e *ghapi.Error
		if err := getJob(t.Context(), clientOf(t, ghapi.Config{BaseURL: gh.URL})); !errors.As(err, &e) || e.Message != want {
			t.Errorf("%s: %q, want %q", body, e.Message, want)
		}
	}
}
