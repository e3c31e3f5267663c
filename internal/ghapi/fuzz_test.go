package ghapi

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jobvault/jobvault/internal/growth"
)

// FuzzClassify: every answer has a class and a short text, and only a limit has
// a time that all must wait for.
func FuzzClassify(f *testing.F) {
	f.Add(403, "", "0", "1772366400", "", []byte(`{"message":"API rate limit exceeded","documentation_url":"https://docs.github.com/x"}`))
	f.Add(403, "60", "", "", "", []byte(`{"documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`))
	f.Add(403, "", "4999", "", "", []byte(`{"message":"Resource not accessible by integration"}`))
	f.Add(429, "Sun, 01 Mar 2026 13:00:00 GMT", "", "", "", []byte(nil))
	f.Add(404, "", "", "", "BlobNotFound", []byte("\ufeff<?xml version=\"1.0\"?><Error><Code>BlobNotFound</Code></Error>"))
	f.Add(410, "-1", "0", "-1", "", []byte(`{"message":"Server Error","status":"410"}`))
	f.Add(503, "99999999999999999999", "", "", "", []byte("<html>\x00\xff"))
	f.Add(500, "", "", "", "", []byte(`{"message":"`+strings.Repeat("ü", 200)+`"}`))
	f.Add(0, "", "", "", "\xff\n", []byte(`{"message":{"message":"x"}}`))
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, status int, after, remaining, reset, code string, body []byte) {
		defer growth.Within(t, time.Now(), len(body)+len(after)+len(reset))
		h := http.Header{"Retry-After": {after}, "X-Ratelimit-Remaining": {remaining}, "X-Ratelimit-Reset": {reset}, "X-Ms-Error-Code": {code}}
		e := classify("op", &http.Response{StatusCode: status, Header: h}, body, now)
		if (e.Class == RateLimited) != (status == 429 || status == 403 && e.Class != Denied) || (e.Class == Expired) != (status == 410) ||
			(e.Class == NotFound) != (status == 404) || status == 401 && e.Class != Denied {
			t.Errorf("status %d is %s", status, e.Class)
		}
		if e.Class == RateLimited && e.RetryAt.IsZero() || e.Class != RateLimited && e.Class != Transient && !e.RetryAt.IsZero() {
			t.Errorf("%s until %s", e.Class, e.RetryAt)
		}
		if after == "" && !e.RetryAt.IsZero() && !e.RetryAt.After(now) {
			t.Errorf("nobody asked to come back in the past: %s", e.RetryAt)
		}
		checkMessage(t, e.Message)
		if !strings.HasPrefix(e.Error(), "op: "+e.Class.String()) {
			t.Errorf("error %q", e)
		}
	})
}

// checkMessage: what is kept can be stored, and shown in one line.
func checkMessage(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\n") || len(text) > maxMessage+len("…") {
		t.Errorf("message %q", text)
	}
}

func FuzzMessage(f *testing.F) {
	f.Add("", []byte(`{"message":"Not Found"}`))
	f.Add("", []byte("{\"message\":\"\xed\xa0\x80 \\ud800 \\u0000\"}"))
	f.Add("", []byte("\ufeff<Error><Code>A</Code><Code>B\nC</Code></Error>"))
	f.Add("", []byte(`<!DOCTYPE x [<!ENTITY y "z">]><Error><Code>&y;</Code></Error>`))
	f.Add("ServerBusy", []byte(`[]`))
	f.Fuzz(func(t *testing.T, code string, body []byte) {
		defer growth.Within(t, time.Now(), len(code)+len(body))
		checkMessage(t, message(http.Header{"X-Ms-Error-Code": {code}}, body))
	})
}

// FuzzNextPage: whatever a Link header says, the request for the next page is
// for the API, or is not made.
func FuzzNextPage(f *testing.F) {
	for _, link := range []string{
		`<https://api.github.com/repositories/3/x?page=2>; rel="next", <https://api.github.com/x?page=9>; rel="last"`,
		`<https://ghes.example/api/v3/x?page=2>; rel="next"`, `<//evil.example/x>; rel="next"`, `<https://x//evil.example/y>; rel="next"`,
		`<https://x/api/v3//evil.example/y>; rel="next"`, `<https:evil>; rel="next"`, `<?page=2>; rel="next"`, `<>; rel="next"`,
		`<https://x/a,b?c,d>; rel="next"`, `<https://x/%zz>; rel="next"`, `<x:y>; rel="next"`, `<https://x/../../y>; rel="next"`,
		`<https://x/api/v3/https://evil.example/>; rel="next"`, "<\x00>; rel=\"next\"", `; rel="next"`,
	} {
		f.Add(link)
	}
	f.Fuzz(func(t *testing.T, link string) {
		defer growth.Within(t, time.Now(), len(link))
		for _, address := range []string{"https://api.github.com/", "https://ghes.example/api/v3/"} {
			base, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			next, err := nextPage(http.Header{"Link": {link}}, base)
			if next == "" || err != nil {
				continue
			}
			asked := 0
			c := scripted(t, Config{BaseURL: address}, func(r *http.Request) *http.Response {
				if asked++; r.URL.Host != base.Host || r.URL.Scheme != base.Scheme || r.Method != http.MethodGet {
					t.Errorf("link %q: %s %s", link, r.Method, r.URL)
				}
				return answering(200, nil, `{"jobs":[]}`)
			})
			var list struct{}
			_, err = c.get(t.Context(), "op", next, &list)
			var e *Error
			if err != nil && (asked > 0 || !errors.As(err, &e) || e.Class != Transient) {
				t.Errorf("link %q: %v", link, err)
			}
		}
	})
}
