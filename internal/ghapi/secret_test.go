package ghapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// secrets are what no error may hold, collected while a test runs.
type secrets struct {
	mu   sync.Mutex
	list []string
}

func (s *secrets) add(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, values...)
}

// telling is how many characters of a secret tell too much.
const telling = 12

// in finds a telling part of a secret.
func (s *secrets) in(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.list {
		for i := 0; i+telling <= len(secret); i++ {
			if part := secret[i : i+telling]; strings.Contains(text, part) {
				return part
			}
		}
	}
	return ""
}

// absent fails for a secret in an error or in any of its causes, however printed.
func (s *secrets) absent(t *testing.T, err error) {
	t.Helper()
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
		if part := s.in(text); part != "" {
			t.Errorf("%q is in the error %s", part, text)
		}
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, cause := range joined.Unwrap() {
			s.absent(t, cause)
		}
	} else if cause := errors.Unwrap(err); cause != nil {
		s.absent(t, cause)
	}
}

// appKeySecrets are the lines of the App's key.
func appKeySecrets() []string {
	lines := strings.Split(strings.TrimSpace(string(keyPEM(appKey()))), "\n")
	return lines[1 : len(lines)-1]
}

// echo is a way to answer a request with what it held.
type echo struct {
	name   string
	answer func(w http.ResponseWriter, secret string)
}

// echoes are all places of an answer that can end in an error.
func echoes() []echo {
	status := func(code int, format string, header ...string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, secret string) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], strings.ReplaceAll(header[i+1], "%s", secret))
			}
			w.WriteHeader(code)
			if format != "" {
				io.WriteString(w, strings.ReplaceAll(format, "%s", secret))
			}
		}
	}
	raw := func(format string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, secret string) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			defer conn.Close()
			io.WriteString(conn, strings.ReplaceAll(format, "%s", secret))
		}
	}
	list := []echo{
		{name: "page with status 200", answer: status(200, "<h1>%s</h1>", "Content-Type", "text/html")},
		{name: "JSON that is none", answer: status(200, "%s", "Content-Type", "application/json")},
		{name: "JSON of the wrong kind", answer: status(200, `{"id":"%s"}`, "Content-Type", "application/json")},
		{name: "JSON with the wrong time", answer: status(200, `{"id":7,"created_at":"%s"}`, "Content-Type", "application/json")},
		{name: "JSON in a listing with the wrong time", answer: status(200, `{"id":7,"jobs":[{"id":7,"created_at":"%s"}]}`, "Content-Type", "application/json")},
		{name: "an encoding", answer: status(200, "x", "Content-Encoding", "%s")},
		{name: "a type", answer: status(200, "x", "Content-Type", "%s")},
		{name: "an MD5", answer: status(200, "x", "Content-MD5", "%s")},
		{name: "a redirect to nowhere", answer: status(302, "", "Location", "file:///%s")},
		{name: "a redirect that cannot be parsed", answer: status(302, "", "Location", "https://x.example/%zz?%s")},
		{name: "a move that cannot be parsed", answer: status(301, "", "Location", "https://x.example:port/?%s")},
		{name: "a move to a port that is closed", answer: status(301, "", "Location", "http://127.0.0.1:1/?%s")},
		{name: "a move to a name", answer: status(301, "", "Location", "http://a.invalid/?%s")},
		{name: "a status line", answer: raw("HTTP/1.1 %s\r\n\r\n")},
		{name: "no HTTP at all", answer: raw("%s\r\n\r\n")},
		{name: "a header without a colon", answer: raw("HTTP/1.1 200 OK\r\n%s\r\n\r\n")},
		{name: "a length", answer: raw("HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n")},
		{name: "a transfer encoding", answer: raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n")},
		{name: "a chunk", answer: raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n")},
		{name: "a reason", answer: raw("HTTP/1.1 403 %s\r\nContent-Length: 0\r\n\r\n")},
	}
	for _, code := range []int{301, 400, 401, 403, 404, 410, 429, 500, 503} {
		for name, body := range map[string]string{
			"text": "%s", "JSON": `{"message":"no %s here","documentation_url":"https://docs.github.com/%s"}`,
			"JSON in two lines": "{\"message\":\"%s\\n%s\"}", "JSON with escapes": `{"message":"\u0000<%s>\u0000"}`,
			"XML": "<Error><Code>%s</Code><Message>%s</Message></Error>", "page": "<html><body>%s",
		} {
			list = append(list, echo{name: fmt.Sprintf("%d with %s", code, name), answer: status(code, body)})
		}
		list = append(list, echo{name: fmt.Sprintf("%d with headers", code), answer: status(code, "", "X-Ms-Error-Code", "%s", "Retry-After", "%s", "X-GitHub-Request-Id", "%s")})
	}
	for _, before := range []int{280, 290, 299} {
		list = append(list, echo{name: fmt.Sprintf("behind %d characters", before),
			answer: func(w http.ResponseWriter, secret string) {
				w.WriteHeader(http.StatusInternalServerError)
				fmt.Fprintf(w, `{"message":"%s%s"}`, strings.Repeat(".", before), secret)
			}})
	}
	return list
}

// each runs the operations against a server that answers with what it was sent,
// and wants errors without it. held is what a request holds.
func each(t *testing.T, list []echo, held func(*http.Request) (secret string, others []string), run func(*testing.T, http.HandlerFunc, *secrets)) {
	for _, e := range list {
		t.Run(e.name, func(t *testing.T) {
			known := &secrets{}
			run(t, func(w http.ResponseWriter, r *http.Request) {
				secret, others := held(r)
				known.add(append(others, secret)...)
				e.answer(w, secret)
			}, known)
		})
	}
}

// credentials is the token of a request, of whatever kind.
func credentials(r *http.Request) (string, []string) {
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return token, nil
}

func TestTokenIsInNoError(t *testing.T) {
	each(t, echoes(), credentials, func(t *testing.T, h http.HandlerFunc, known *secrets) {
		gh := serve(t, h)
		for _, do := range []func(context.Context, *ghapi.Client) error{getJob, getLog, listRun, listAttempt} {
			// A client that has not hit a limit yet.
			if err := do(soon(t), clientOf(t, ghapi.Config{BaseURL: gh.URL})); err != nil {
				known.absent(t, err)
			}
		}
	})
}

// An installation's token is as secret as a person's, for its hour.
func TestInstallationTokenIsInNoError(t *testing.T) {
	list := echoes()
	each(t, list, credentials, func(t *testing.T, h http.HandlerFunc, known *secrets) {
		gh := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/access_tokens") {
				w.WriteHeader(http.StatusCreated)
				io.WriteString(w, `{"token":"ghs_ThisIsTheTokenOfAnInstallation","expires_at":"2099-01-01T00:00:00Z"}`)
				return
			}
			h(w, r)
		})
		known.add(appKeySecrets()...)
		for _, op := range operations[2:] {
			if err := op.do(soon(t), clientsOf(t, ghapi.Config{BaseURL: gh.URL, AppID: appID, AppKey: keyPEM(appKey())})); err != nil {
				known.absent(t, err)
			}
		}
	})
}

// Who holds the App's signed claim can be the App for two minutes.
func TestAppsClaimIsInNoError(t *testing.T) {
	list := echoes()
	each(t, list, credentials, func(t *testing.T, h http.HandlerFunc, known *secrets) {
		gh := serve(t, h)
		known.add(appKeySecrets()...)
		for _, op := range operations[:2] {
			if err := op.do(soon(t), clientsOf(t, ghapi.Config{BaseURL: gh.URL, AppID: appID, AppKey: keyPEM(appKey())})); err != nil {
				known.absent(t, err)
			}
		}
	})
}

// The signature of a log's address, as Azure makes them, and as it is sent.
const signature = "q83vEjRWeJ/q83vEjRWeJ+q83vEjRWeJ1234567890k="

var signedQuery = url.Values{"se": {"2026-03-01T12:01:00Z"}, "sig": {signature}, "sp": {"r"}, "sv": {"2024-11-04"}}.Encode()

func TestLogAddressIsInNoError(t *testing.T) {
	for form, held := range map[string]func(*http.Request) string{
		"as sent":   func(r *http.Request) string { return r.URL.RawQuery },
		"decoded":   func(r *http.Request) string { q, _ := url.QueryUnescape(r.URL.RawQuery); return q },
		"signature": func(r *http.Request) string { return r.URL.Query().Get("sig") },
	} {
		list := echoes()
		t.Run(form, func(t *testing.T) {
			each(t, list, func(r *http.Request) (string, []string) {
				return held(r), []string{signature, url.QueryEscape(signature)}
			},
				func(t *testing.T, h http.HandlerFunc, known *secrets) {
					blob := serve(t, h)
					gh := serve(t, redirect(http.StatusFound, func() string { return blob.URL + "/log?" + signedQuery }))
					if err := getLog(soon(t), clientOf(t, ghapi.Config{BaseURL: gh.URL})); err != nil {
						known.absent(t, err)
					}
				})
		})
	}
}

// The address of a log is no less secret for having been moved.
func TestMovedLogAddressIsInNoError(t *testing.T) {
	list := echoes()
	each(t, list, func(r *http.Request) (string, []string) {
		return r.URL.RawQuery, []string{signature, url.QueryEscape(signature)}
	},
		func(t *testing.T, h http.HandlerFunc, known *secrets) {
			second := serve(t, h)
			first := serve(t, redirect(http.StatusTemporaryRedirect, func() string { return second.URL + "/log?" + signedQuery }))
			gh := serve(t, redirect(http.StatusFound, func() string { return first.URL + "/log?sig=another" }))
			if err := getLog(soon(t), clientOf(t, ghapi.Config{BaseURL: gh.URL})); err != nil {
				known.absent(t, err)
			}
		})
}

func TestAddressOfAnUnreachableStorageIsInNoError(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	check(t, closed.Close())
	for _, to := range []string{
		"http://" + closed.Addr().String() + "/log?", "http://storage.invalid/log?", "https://" + closed.Addr().String() + "/log?", "http://127.0.0.1:99999/log?",
		"file:///log?", "gopher://x.example/log?", "http:///log?",
	} {
		known := &secrets{}
		known.add(signature, url.QueryEscape(signature))
		gh := serve(t, redirect(http.StatusFound, func() string { return to + signedQuery }))
		err := getLog(soon(t), clientOf(t, ghapi.Config{BaseURL: gh.URL}))
		refusal(t, err, ghapi.Transient, -1, "")
		known.absent(t, err)
	}
}

// No error shows a secret, for every fault of the simulator at every operation.
func TestNoFaultTellsASecret(t *testing.T) {
	for kind := githubsim.Status; kind <= githubsim.WrongMD5; kind++ {
		for _, op := range operations {
			gh, cs := app(t, githubsim.Options{}, ghapi.Config{}, completed(7, githubsim.GeneratedLog(1, 5000, githubsim.LogStyle{})))
			gh.Inject(githubsim.Fault{Endpoint: op.endpoint, Kind: kind, Delay: 1})
			ctx := soon(t)
			if kind == githubsim.Hang || kind == githubsim.HangBody {
				ctx = cancelOn(t, op.nth)
			}
			known := &secrets{}
			known.add(appKeySecrets()...)
			known.add("Bearer ey", "token ghs_", "ghs_", "sig=", "&sv=2024")
			if err := op.do(ctx, cs); err != nil {
				known.absent(t, err)
				for _, start := range []string{"ghs_", "sig=", "eyJ"} {
					if strings.Contains(err.Error(), start) {
						t.Errorf("kind %d at %s: a secret in %v", kind, op.endpoint, err)
					}
				}
			}
		}
	}
}
