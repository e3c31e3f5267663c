package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/growth"
	"github.com/jobvault/jobvault/lookup/search"
)

// pretender is what somebody who is no jobvault answers.
func pretender(t testing.TB, answer func(w http.ResponseWriter, r *http.Request)) *remote {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(answer))
	t.Cleanup(s.Close)
	r, err := remoteFlags{Server: s.URL}.open(&environment{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.client.CloseIdleConnections)
	return r
}

// ignored takes what a search tells, and looks at it as the command would.
type ignored struct{}

func (ignored) Matches(found []search.Match, _ bool) error {
	for _, f := range found {
		_ = f.Repository
	}
	return nil
}
func (ignored) Fault(f search.Fault)  { _ = f.Err.Error() }
func (ignored) Progress(search.Stats) {}

func nested(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }

// Whatever a server sends, a command ends with an error that can be shown.
func TestAnswersOfNoJobvaultAreErrors(t *testing.T) {
	t.Parallel()
	const maxDepth = 10_000
	for name, c := range map[string]struct{ body, says string }{
		"a failure without an end": {`{"failed":"\u001b[2Jno"}`, "no"},
		"a line without a job":     {`{"line":5,"text":"x"}`, "not an answer of jobvault's"},
		"a count without a job":    {`{"count":5}`, "not an answer of jobvault's"},
		"nothing":                  {`{}`, "not an answer of jobvault's"},
		"null":                     {`null`, "not an answer of jobvault's"},
		"cut off":                  {`{"progress":{}}`, "cut off"},
		"too deep":                 {`{"x":` + nested(maxDepth) + `}`, "exceeded max depth"},
		"an array":                 {`[]`, "cannot unmarshal"},
	} {
		t.Run(name, func(t *testing.T) {
			r := pretender(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, c.body) })
			_, err := r.search(t.Context(), url.Values{}, ignored{})
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("error %.300v, want one that says %q", err, c.says)
			}
		})
	}
	// As deep as may be, it is read.
	r := pretender(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `{"searched":{},"x":`+nested(maxDepth-1)+`}`)
	})
	if _, err := r.search(t.Context(), url.Values{}, ignored{}); err != nil {
		t.Errorf("at the bound: %v", err)
	}
}

// ones is a number that never ends.
type ones struct{}

func (ones) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '1'
	}
	return len(p), nil
}

func TestAnswersThatNeverEndAreGivenUp(t *testing.T) {
	t.Parallel()
	r := pretender(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, ones{}) })
	for name, ask := range map[string]func() error{
		"a search": func() error { _, err := r.search(t.Context(), url.Values{}, ignored{}); return err },
		"a list":   func() error { _, _, err := r.jobs(t.Context(), url.Values{}, 10); return err },
	} {
		if err := ask(); err == nil || !strings.Contains(err.Error(), "more than 67108864 bytes") || len(err.Error()) > 300 {
			t.Errorf("%s: %.300v", name, err)
		}
	}
	// Many lines may be longer than one may be, together.
	line := `{"progress":{},"x":"` + strings.Repeat("x", 1<<20) + `"}` + "\n"
	r = pretender(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 70 {
			_, _ = io.WriteString(w, line)
		}
		_, _ = io.WriteString(w, `{"searched":{}}`)
	})
	if _, err := r.search(t.Context(), url.Values{}, ignored{}); err != nil {
		t.Errorf("70 MiB in lines: %v", err)
	}
}

func TestListsThatDoNotGoOnEnd(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		`{"jobs":[],"next":"1.1"}`:             -1,
		`{"jobs":[{},{},{},{}],"next":"1.1"}`:  3, // though it is asked for three
		`{"jobs":[{},{}]}`:                     2,
		`{"jobs":null,"next":"` + `1.1` + `"}`: -1,
	} {
		r := pretender(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		jobs, _, err := r.jobs(t.Context(), url.Values{}, 3)
		if want < 0 && err == nil || want >= 0 && (err != nil || len(jobs) != want) {
			t.Errorf("%s: %d jobs, %v", body, len(jobs), err)
		}
	}
}

// FuzzRemote: no answer ends a command otherwise than with an error, nor takes it long.
func FuzzRemote(f *testing.F) {
	for _, body := range []string{
		`{"repository":"a/b","job_id":1,"line":2,"text":"x"}` + "\n" + `{"searched":{"jobs":1}}`, `{"failed":"x"}`, `{"count":1}`, `{"fault":{"job_id":1,"error":"x"}}`,
		`{"jobs":[{"id":1}],"next":"1.1"}`, `{"searched":null}`, `[[[[`, "null",
	} {
		f.Add(200, []byte(body))
	}
	f.Add(500, []byte(`{"message":"\u001b[2J"}`))
	var status int
	var body []byte
	r := pretender(f, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write(body)
	})
	f.Fuzz(func(t *testing.T, s int, b []byte) {
		if s < 200 || s > 599 || s == 204 || s == 304 {
			return
		}
		defer growth.Within(t, time.Now(), len(b))
		status, body = s, b
		_, serr := r.search(t.Context(), url.Values{}, ignored{})
		_, _, jerr := r.jobs(t.Context(), url.Values{}, 3)
		_, uerr := r.uses(t.Context(), usesCmd{Action: "a"})
		for _, err := range []error{serr, jerr, uerr} {
			if err != nil && s != 200 && strings.ContainsAny(err.Error(), "\x1b\x00") {
				t.Errorf("the error %q cannot be shown", err)
			}
		}
	})
}
