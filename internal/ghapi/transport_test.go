package ghapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// script answers requests without a network.
type script func(*http.Request) *http.Response

func (s script) RoundTrip(r *http.Request) (*http.Response, error) {
	resp := s(r)
	resp.Request = r
	if resp.Header == nil {
		resp.Header = http.Header{}
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	return resp, nil
}

func answering(status int, header http.Header, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}
}

// scripted makes a client of the base URL whose requests go to s, with the token.
func scripted(t testing.TB, c Config, s script) *Client {
	t.Helper()
	c.Concurrency, c.Token, c.UserAgent = 1, "ghp_TheToken", "jobvault-test"
	cs, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return cs.newClient(tokenTransport{token: c.Token, next: s}, 0)
}

func TestVersionIsChosenByHost(t *testing.T) {
	for _, c := range []struct{ base, version, want string }{
		{"https://api.github.com/", "", "2026-03-10"},
		{"https://api.github.com", "", "2026-03-10"},
		{"https://api.github.com", "2022-11-28", "2022-11-28"},
		{"https://ghes.example/api/v3/", "", "2022-11-28"},
		{"https://ghes.example/api/v3", "2026-03-10", "2026-03-10"},
		{"https://api.acme.ghe.com/", "", "2022-11-28"},
		{"https://api.github.com.example/", "", "2022-11-28"},
		{"http://127.0.0.1:3000/api/v1", "", "2022-11-28"},
	} {
		var got []string
		client := scripted(t, Config{BaseURL: c.base, APIVersion: c.version}, func(r *http.Request) *http.Response {
			got = r.Header.Values("X-GitHub-Api-Version")
			return answering(200, nil, `{"id":7}`)
		})
		if _, err := client.Job(t.Context(), "a", "b", 7); err != nil {
			t.Error(err)
		}
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%s %q: version %q, want %s", c.base, c.version, got, c.want)
		}
	}
}

// A page that is its own next page ends somewhere.
func TestListingWithoutEndEnds(t *testing.T) {
	requests := 0
	c := scripted(t, Config{BaseURL: "https://ghes.example/api/v3/"}, func(r *http.Request) *http.Response {
		requests++
		return answering(200, http.Header{"Link": {"<" + r.URL.String() + `>; rel="next"`}}, `{"jobs":[]}`)
	})
	var errs []error
	for _, err := range c.RunJobs(t.Context(), "a", "b", 1, FilterAll) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	var e *Error
	if len(errs) != 1 || !errors.As(errs[0], &e) || e.Class != Transient || !strings.Contains(e.Message, "does not end") || requests > maxPages {
		t.Errorf("errors %v after %d requests", errs, requests)
	}
}

// Nobody listens in: neither the token nor a log travels in the open because of
// a redirect.
func TestRedirectDoesNotLeaveTLS(t *testing.T) {
	t.Run("of the API", func(t *testing.T) {
		for _, base := range []string{"https://api.github.com/", "https://ghes.example:8443/api/v3/"} {
			var open []string
			c := scripted(t, Config{BaseURL: base}, func(r *http.Request) *http.Response {
				if r.URL.Scheme != "https" {
					open = append(open, r.URL.String()+" "+r.Header.Get("Authorization"))
					return answering(200, nil, `{"id":7}`)
				}
				return answering(301, http.Header{"Location": {"http://" + r.URL.Host + "/repositories/3/actions/jobs/7"}}, "")
			})
			_, err := c.Job(t.Context(), "a", "b", 7)
			var e *Error
			if !errors.As(err, &e) || e.Class != Transient {
				t.Errorf("error %v, want a transient one", err)
			}
			if len(open) > 0 {
				t.Errorf("in the open: %q", open)
			}
		}
	})
	t.Run("to a log", func(t *testing.T) {
		c := scripted(t, Config{BaseURL: "https://api.github.com/"}, func(*http.Request) *http.Response {
			return answering(302, http.Header{"Location": {"http://storage.example/log"}}, "")
		})
		_, err := c.OpenLog(t.Context(), "a", "b", 7)
		var e *Error
		if !errors.As(err, &e) || e.Class != Denied || !strings.Contains(e.Message, `"storage.example" is refused: it leads from https to http`) {
			t.Errorf("error %v, want it refused", err)
		}
	})
	t.Run("of a log", func(t *testing.T) {
		logs := newLogClient(stall, &reach{}, noProxy, nil)
		logs.Transport = script(func(r *http.Request) *http.Response {
			if r.URL.Scheme != "https" {
				t.Errorf("asked for %s", r.URL)
			}
			return answering(307, http.Header{"Location": {"http://storage.example/log?sig=x"}}, "")
		})
		resp, err := logs.Get("https://storage.example/log")
		if err == nil {
			resp.Body.Close()
		}
		if !errors.Is(err, errIntoTheOpen) {
			t.Errorf("error %v", err)
		}
	})
}

func TestForeignHostsGetNoRequest(t *testing.T) {
	c := scripted(t, Config{BaseURL: "https://api.github.com/"}, func(r *http.Request) *http.Response {
		t.Errorf("a request left for %s", r.URL)
		return answering(200, nil, "")
	})
	for _, to := range []string{"https://api.github.com:443/", "https://github.com/", "https://api.github.com.example/", "https://api.github.com@example.org/", "//x/", "https:opaque"} {
		u, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.http.Transport.RoundTrip(&http.Request{Method: http.MethodGet, URL: u, Header: http.Header{}})
		if !errors.Is(err, errForeignHost) {
			resp.Body.Close()
			t.Errorf("%s: %v", to, err)
		}
	}
}

// The caller's request stays as it is: it may be sent again.
func TestRequestIsNotChanged(t *testing.T) {
	c := scripted(t, Config{BaseURL: "https://api.github.com/"}, func(*http.Request) *http.Response { return answering(200, nil, "") })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.github.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.http.Transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if len(req.Header) > 0 {
		t.Errorf("the request has become %v", req.Header)
	}
}

func TestRetryAt(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	unix := func(d time.Duration) string { return fmt.Sprint(now.Add(d).Unix()) }
	for _, c := range []struct {
		name                    string
		after, remaining, reset string
		want                    time.Duration
	}{
		{name: "nothing", want: time.Minute},
		{name: "seconds", after: "90", want: 90 * time.Second},
		{name: "at once", after: "0", want: 0},
		{name: "a time", after: now.Add(time.Hour).Format(http.TimeFormat), want: time.Hour},
		{name: "negative", after: "-5", want: time.Minute},
		{name: "a fraction", after: "1.5", want: time.Minute},
		{name: "too many digits", after: "99999999999999999999", want: time.Minute},
		{name: "nonsense, but a reset", after: "soon", remaining: "0", reset: unix(20 * time.Minute), want: 20 * time.Minute},
		{name: "both", after: "30", remaining: "0", reset: unix(20 * time.Minute), want: 30 * time.Second},
		{name: "a reset with something left", remaining: "17", reset: unix(20 * time.Minute), want: time.Minute},
		{name: "a reset that is past", remaining: "0", reset: unix(-1), want: time.Minute},
		{name: "a reset far away", remaining: "0", reset: unix(3 * time.Hour), want: time.Minute},
		{name: "a reset before all time", remaining: "0", reset: "-9223372036854775808", want: time.Minute},
		{name: "a reset after all time", remaining: "0", reset: "9223372036854775807", want: time.Minute},
		{name: "68 years", after: "2147483647", want: 2 * time.Hour},
		{name: "a time far away", after: now.AddDate(10, 0, 0).Format(http.TimeFormat), want: 2 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{}
			for name, v := range map[string]string{"Retry-After": c.after, "X-RateLimit-Remaining": c.remaining, "X-RateLimit-Reset": c.reset} {
				if v != "" {
					h.Set(name, v)
				}
			}
			if got := retryAt(h, now).Sub(now); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestMessageIsGitHubsOwnWords(t *testing.T) {
	long := strings.Repeat("ü", maxMessage)
	for _, c := range []struct{ body, code, want string }{
		{body: `{"message":"Not Found","status":"404"}`, want: "Not Found"},
		{body: `{"message":"one\ntwo"}`, want: "one"},
		{body: `{"message":"a\u0000b"}`, want: "ab"},
		{body: "{\"message\":\"\xff\"}", want: "\ufffd"},
		{body: `{"message":"` + long + `"}`, want: long[:maxMessage] + "…"},
		{body: `{"message":7}`},
		{body: `["message"]`},
		{body: `null`},
		{body: "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>BlobNotFound</Code><Message>It is gone.\nTime:x</Message></Error>", want: "BlobNotFound"},
		{body: `<Error><Code>NoSuchKey</Code></Error>`, want: "NoSuchKey"},
		{body: `<Error><Message>x</Message></Error>`},
		{body: `<Error`, code: "ServerBusy", want: "ServerBusy"},
		{code: "BlobNotFound", want: "BlobNotFound"},
		{body: "<html><h1>Unicorn!"},
		{body: "plain"},
	} {
		h := http.Header{}
		if c.code != "" {
			h.Set("X-Ms-Error-Code", c.code)
		}
		if got := message(h, []byte(c.body)); got != c.want {
			t.Errorf("%.60q: %q, want %q", c.body, got, c.want)
		}
	}
}

func TestNextPage(t *testing.T) {
	for _, c := range []struct {
		base, link, want string
		bad              bool
	}{
		{base: "https://api.github.com/", link: `<https://api.github.com/repositories/3/actions/runs/1/jobs?per_page=100&page=2>; rel="next", <https://api.github.com/x?page=3>; rel="last"`, want: "repositories/3/actions/runs/1/jobs?per_page=100&page=2"},
		{base: "https://ghes.example/api/v3/", link: `<https://ghes.example/api/v3/repositories/3/x?page=2>; rel="next"`, want: "repositories/3/x?page=2"},
		{base: "https://ghes.example/api/v3/", link: `<https://ghes.example/api/v3/x?page=1>; rel="prev", <https://ghes.example/api/v3/x?page=3>; rel="next"`, want: "x?page=3"},
		{base: "https://x/", link: `<https://x/y?page=2>;rel="next",<https://x/y?page=9>;rel="last"`, want: "y?page=2"},
		{base: "https://x/", link: `  <https://x/y?page=2>  ;  rel="next"`, want: "y?page=2"},
		{base: "https://x/", link: `<https://x/y?page=1>; rel="first"`},
		{base: "https://x/", link: `<https://x/y?page=2>; rel=next`, want: "y?page=2"},
		{base: "https://x/", link: `<https://x/y?page=2>`},
		{base: "https://x/", link: `<https://x/%zz>; rel="next"`, bad: true},
		{base: "https://x/", link: ``},
		{base: "https://x/", link: `,;,<>;`},
		{base: "https://x/", link: `<https://x/y?labels=a,b&page=2>; rel="next"`, want: "y?labels=a,b&page=2"},
	} {
		t.Run(c.link, func(t *testing.T) {
			base, err := url.Parse(c.base)
			if err != nil {
				t.Fatal(err)
			}
			h := http.Header{}
			h.Set("Link", c.link)
			if got, err := nextPage(h, base); got != c.want || (err != nil) != c.bad {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
		})
	}
}

// stall is the time that the connections of these tests have.
const stall = time.Minute
