package ingest_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// The most requests that a job costs at each place where it is asked for, if GitHub or its
// storage fails without end; and if it refuses, to begin with and for each day of
// JOBVAULT_DENIED_DEADLINE. docs/design.md has these figures.
const (
	failingRequests    = 100
	refusedRequests    = 60
	refusedRequestsDay = 4
)

// The days on which what is waited for ends, of failures and of refusals: the one after the
// deadline's last.
const (
	walkDeniedDays = 12 // the tests' JOBVAULT_DENIED_DEADLINE
	failedDay      = 8
	refusedDay     = walkDeniedDays + 1
)

// place is where GitHub answers wrongly, with what comes before being right.
type place struct {
	name   string
	faults []githubsim.Endpoint
}

// places are all of them: the job's description, the redirect to the log, the storage,
// and the first two at once.
var places = []place{
	{"API", []githubsim.Endpoint{job}},
	{"redirect", []githubsim.Endpoint{log}},
	{"storage", []githubsim.Endpoint{blb}},
	{"API and redirect", []githubsim.Endpoint{job, log}},
}

// body is what an answer says, with its type; empty: none is told.
type body struct{ name, kind, text string }

// isLog: it is one, as far as anybody can tell.
func (b body) isLog() bool { return b.name == "empty" || b.name == "text" }

var bodies = []body{
	{"JSON", "application/json; charset=utf-8", `{"message":"Failed to generate URL to download logs","documentation_url":"https://docs.github.com/rest","status":"500"}`},
	{"empty", "", ""},
	{"text", "text/plain", "2026-03-01T12:00:00.0000000Z a line\n"},
	{"JSON of no type", "", `{"message":"no"}`},
	{"another's JSON", "application/json", `{"id":77,"run_id":1,"status":"completed"}`},
	{"a list", "application/json", `[1,2,3]`},
	{"JSON that is none", "application/json", `{"message":`},
	{"HTML", "text/html", "<!DOCTYPE html><h1>Unicorn!</h1>"},
	{"HTML as text", "text/plain", "<html>sign in</html>"},
	{"XML", "application/xml", "\ufeff<?xml version=\"1.0\"?><Error><Code>AuthenticationFailed</Code></Error>"},
}

// statuses are all that have a name, and some that servers and proxies made up.
func statuses() []int {
	all := []int{299, 399, 420, 430, 444, 499, 509, 520, 530, 599, 600, 799, 999}
	for s := 200; s < 600; s++ {
		if http.StatusText(s) != "" {
			all = append(all, s)
		}
	}
	return all
}

// said is one wrong answer at one place.
type said struct {
	place  place
	status int
	body   body
	header http.Header // beside the type
}

func (s said) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s answers %d, %s %v", s.place.name, s.status, s.body.name, s.header))
}

// ends says what the job is in the end, and on how many days it is waited for at most,
// by the table of docs/design.md.
func (s said) ends() (state string, days int) {
	describes, refers, stores := s.place.faults[0] == job, slices.Contains(s.place.faults, log), s.place.faults[0] == blb
	limited := s.status == 429 || s.status == 403 && s.header.Get("Retry-After") != ""
	refused := !stores && (s.status == 401 || s.status == 403 || limited)
	switch {
	case s.status == 302 && s.away() && describes && refers:
		return store.LogMissing, failedDay + walkDeniedDays // first the one, then the other
	case s.status == 302 && s.away() && (refers || stores):
		return store.LogMissing, refusedDay
	case s.status == 200 && s.body.isLog() && describes && refers:
		return store.LogArchived, failedDay // it is no description; the log decides
	case s.status == 410:
		return store.LogExpired, 1
	case s.status == 404:
		return store.LogMissing, 1
	case describes && !refers && refused:
		return store.LogArchived, refusedDay
	case describes && !refers:
		return store.LogArchived, failedDay
	case refused:
		return store.LogMissing, refusedDay
	case s.status == 200 && s.body.isLog():
		return store.LogArchived, 1
	}
	return store.LogMissing, failedDay
}

// away: a log must not come from there, or nobody answers there.
func (s said) away() bool {
	to := s.header.Get("Location")
	return strings.Contains(to, "@") || strings.Contains(to, "//169.") || s.silent()
}

// silent: nobody answers at the address.
func (s said) silent() bool { return strings.Contains(s.header.Get("Location"), "127.0.0.1:1/") }

// combinations are, of each place, every status with a body that suits an error; and also
// of two at once, every body with the statuses that may be taken for a yes or are looked
// into, headers that ask for a pause, and addresses that lead nowhere.
func combinations() []said {
	var all []said
	for _, p := range places {
		if len(p.faults) == 1 {
			for _, status := range statuses() {
				all = append(all, said{place: p, status: status, body: bodies[0]})
			}
		}
		for _, b := range bodies[1:] {
			for _, status := range []int{200, 202, 302, 403, 404, 500} {
				all = append(all, said{place: p, status: status, body: b})
			}
		}
		for _, status := range []int{202, 403, 429, 500, 503} {
			for _, after := range []string{"0", "1", "86400", "soon"} {
				all = append(all, said{place: p, status: status, body: bodies[0], header: http.Header{"Retry-After": {after}}})
			}
		}
		for _, to := range []string{"file:///etc/passwd", "https://user:pass@storage.example/log", "http:///log", "http://169.254.169.254/latest", "http://127.0.0.1:1/log"} {
			all = append(all, said{place: p, status: 302, body: bodies[1], header: http.Header{"Location": {to}}})
		}
	}
	return all
}

// Whatever GitHub answers without end, and wherever, the job comes to an end, with what was
// last heard, and costs a bounded number of requests.
func TestEveryAnswerComesToAnEnd(t *testing.T) {
	t.Parallel()
	all := combinations()
	const shards = 8
	for shard := range shards {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			now := ingesttest.NewClock()
			r := newRig(t, ingesttest.Options{Now: now.Now, DeniedDays: walkDeniedDays})
			r.Logger = slog.New(slog.DiscardHandler)
			for i := shard; i < len(all); i += shards {
				r.walk(now, int64(i+1), all[i])
				now.Advance(25 * time.Hour) // what was closed by a limit is open again
			}
		})
	}
}

// walk asks for a job until it is settled, while GitHub says but one thing.
func (r *rig) walk(now *ingesttest.Clock, id int64, s said) {
	r.T.Helper()
	r.Know(ingesttest.Completed(id, now.Now(), githubsim.TextLog([]byte("2026-03-01T12:00:00.0000000Z a line\n"))))
	header := s.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if s.body.kind != "" {
		header.Set("Content-Type", s.body.kind)
	}
	for _, e := range s.place.faults {
		defer r.GitHub.Inject(githubsim.Fault{Endpoint: e, JobID: id, Kind: githubsim.Status, Status: s.status, Header: header, Body: s.body.text})()
	}
	began, days := now.Now(), map[string]bool{}
	for tries := 0; ; tries++ {
		days[now.Now().Format(time.DateOnly)] = true
		says, pause := r.Try(id)
		if says == "done" {
			break
		}
		if says != "snooze" || pause <= 0 || tries > 600 {
			r.T.Fatalf("%s: try %d says %s %s", s, tries, says, pause)
		}
		now.Advance(pause)
	}
	r.checkEnd(id, s, len(days), now.Now().Sub(began))
}

// checkEnd compares what became of a job with what is to be.
func (r *rig) checkEnd(id int64, s said, days int, took time.Duration) {
	r.T.Helper()
	l, err := r.DB.JobLog(r.T.Context(), id)
	r.Check(err)
	state, last := s.ends()
	if l.State != state || state == store.LogMissing && (l.Reason == nil || *l.Reason == "") {
		r.T.Errorf("%s: it is %s (%v), want %s", s, l.State, deref(l.Reason), state)
	}
	if days < last || days > last+1 || took < time.Duration(last-2)*24*time.Hour {
		r.T.Errorf("%s: it took %d days (%s), want %d", s, days, took, last)
	}
	if status := deref(l.HTTPStatus); l.State != store.LogArchived && status != s.status && !s.silent() {
		r.T.Errorf("%s: the ledger has the status %v", s, status)
	}
	asked := r.GitHub.RequestsFor(id)
	limit := int64(failingRequests)
	if last == refusedDay {
		limit = refusedRequests + refusedRequestsDay*refusedDay
	}
	for _, e := range []githubsim.Endpoint{job, log, blb} {
		if asked[e] > limit {
			r.T.Errorf("%s: %d requests for the %s, more than %d", s, asked[e], e, limit)
		}
	}
}
