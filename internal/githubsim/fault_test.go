package githubsim

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
)

func TestFaultsThatReplaceTheAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		fault  Fault
		status int
		header string // key: value
		body   string
	}{
		"Status":         {Fault{Kind: Status, Status: 418, Header: http.Header{"X-Tea": {"green"}}, Body: "short and stout"}, 418, "X-Tea: green", "short and stout"},
		"Status default": {Fault{}, 500, "", ""},
		"NotFoundJSON":   {Fault{Kind: NotFoundJSON}, 404, "", `{"message":"Not Found","documentation_url":"https://docs.github.com/rest/actions/workflow-jobs#get-a-job-for-a-workflow-run","status":"404"}`},
		"NotFoundXML":    {Fault{Kind: NotFoundXML}, 404, "X-Ms-Error-Code: BlobNotFound", "<Code>BlobNotFound</Code>"},
		"Gone":           {Fault{Kind: Gone}, 410, "", `{"message":"Server Error","status":"410"}`},
		"TooMany":        {Fault{Kind: TooMany, RetryAfter: 1500 * time.Millisecond}, 429, "Retry-After: 2", "Too many"},
		"PrimaryLimit":   {Fault{Kind: PrimaryLimit}, 403, "X-RateLimit-Remaining: 0", "API rate limit exceeded"},
		"SecondaryLimit": {Fault{Kind: SecondaryLimit, RetryAfter: time.Minute}, 403, "Retry-After: 60", "about-secondary-rate-limits"},
		"ServerError":    {Fault{Kind: ServerError}, 500, "", "Server Error"},
		"Forbidden":      {Fault{Kind: Forbidden}, 403, "", "Resource not accessible"},
		"Unauthorized":   {Fault{Kind: Unauthorized}, 401, "", "Bad credentials"},
		"HTML200":        {Fault{Kind: HTML200}, 200, "Content-Type: text/html; charset=utf-8", "<!DOCTYPE html>"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, Options{})
			s.AddJob(aJob(77))
			s.Inject(c.fault)
			resp, body := get(t, s, "repos/acme/rocket/actions/jobs/77")
			wantStatus(t, resp, body, c.status)
			if key, value, ok := strings.Cut(c.header, ": "); ok && resp.Header.Get(key) != value {
				t.Errorf("%s: %s, want %s", key, resp.Header.Get(key), value)
			}
			if !strings.Contains(body, c.body) {
				t.Errorf("body %s, want %s", body, c.body)
			}
		})
	}
}

// TestLimitsAsGoGitHubSeesThem is why the faults have the bodies they have.
func TestLimitsAsGoGitHubSeesThem(t *testing.T) {
	s := start(t, Options{})
	s.AddJob(aJob(77))
	ask := func(f Fault) error {
		defer s.Inject(f)()
		_, _, err := hub(t, s, nil).WithAuthToken(s.Token()).Actions.GetWorkflowJobByID(t.Context(), "acme", "rocket", 77)
		return err
	}
	var primary *github.RateLimitError
	if err := ask(Fault{Kind: PrimaryLimit}); !errors.As(err, &primary) {
		t.Errorf("%T", err)
	}
	var secondary *github.AbuseRateLimitError
	if err := ask(Fault{Kind: SecondaryLimit, RetryAfter: time.Minute}); !errors.As(err, &secondary) || secondary.GetRetryAfter() != time.Minute {
		t.Errorf("%T", err)
	}
	var plain *github.ErrorResponse
	if err := ask(Fault{Kind: TooMany}); !errors.As(err, &plain) {
		t.Errorf("%T", err)
	}
}

func TestFaultsThatSpoilTheBody(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 4096)
	for name, c := range map[string]struct {
		fault Fault
		want  int // bytes that arrive
		err   error
	}{
		"CutBody":         {Fault{Kind: CutBody, After: 1000}, 1000, io.ErrUnexpectedEOF},
		"CutBody half":    {Fault{Kind: CutBody}, len(text) / 2, io.ErrUnexpectedEOF},
		"CutBody beyond":  {Fault{Kind: CutBody, After: 1 << 40}, len(text) / 2, io.ErrUnexpectedEOF},
		"CutChunked":      {Fault{Kind: CutChunked, After: 1000}, 1000, io.ErrUnexpectedEOF},
		"Slow":            {Fault{Kind: Slow, After: 16 << 10, Delay: time.Nanosecond}, len(text), nil},
		"WrongMD5":        {Fault{Kind: WrongMD5}, len(text), nil},
		"none of its own": {Fault{Kind: CutBody, JobID: 5}, len(text), nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, Options{})
			j := aJob(77)
			j.Log = TextLog([]byte(text))
			s.AddJob(j)
			c.fault.Endpoint = EndpointBlob
			s.Inject(c.fault)
			resp, body, err := tryURL(t, location(t, s, "77"))
			if len(body) != c.want || !errors.Is(err, c.err) || body != text[:len(body)] {
				t.Errorf("%d bytes, %v; want %d, %v", len(body), err, c.want, c.err)
			}
			if resp == nil {
				t.FailNow()
			}
			if chunked := resp.ContentLength < 0; chunked != (c.fault.Kind == CutChunked) {
				t.Errorf("length %d", resp.ContentLength)
			}
			sum := md5.Sum([]byte(text))
			right := resp.Header.Get("Content-MD5") == base64.StdEncoding.EncodeToString(sum[:])
			if right == (c.fault.Kind == WrongMD5) {
				t.Error("Content-MD5", resp.Header.Get("Content-MD5"))
			}
		})
	}
}

// hangingRequest asks for a job and calls then once the request is on its way.
func hangingRequest(t *testing.T, s *Server, then func(cancel func())) (*http.Response, error) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { go then(cancel) },
	})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"repos/acme/rocket/actions/jobs/77", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.Token())
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return transport.RoundTrip(r)
}

func TestHang(t *testing.T) {
	s := start(t, Options{})
	s.AddJob(aJob(77))
	s.Inject(Fault{Kind: Hang})
	if _, err := hangingRequest(t, s, func(cancel func()) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := hangingRequest(t, s, func(func()) { s.Close() }); err == nil {
		t.Error("an answer")
	}
}

func TestHangBody(t *testing.T) {
	s := start(t, Options{})
	s.AddJob(aJob(77))
	s.Inject(Fault{Kind: HangBody, After: 10})
	for _, end := range []func(cancel func()){
		func(cancel func()) { cancel() },
		func(func()) { s.Close() },
	} {
		var cancel func()
		ready := make(chan struct{})
		resp, err := hangingRequest(t, s, func(c func()) { cancel = c; close(ready) })
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if n, err := io.ReadFull(resp.Body, make([]byte, 10)); err != nil {
			t.Fatal(n, err)
		}
		<-ready
		end(cancel)
		if n, err := resp.Body.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
			t.Error(n, err)
		}
	}
}

// TestCutOfALargeLog strikes in the middle of many writes.
func TestCutOfALargeLog(t *testing.T) {
	s := start(t, Options{})
	j := aJob(77)
	j.Log = GeneratedLog(1, 3<<20, LogStyle{})
	s.AddJob(j)
	s.Inject(Fault{Endpoint: EndpointBlob, Kind: CutBody, After: 1_000_000})
	_, body, err := tryURL(t, location(t, s, "77"))
	if len(body) != 1_000_000 || !errors.Is(err, io.ErrUnexpectedEOF) || body != string(j.Log.Bytes()[:len(body)]) {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

func TestFaultOrderTimesAndRemoval(t *testing.T) {
	s := start(t, Options{})
	s.AddJob(aJob(77))
	s.AddJob(aJob(78))
	s.Inject(Fault{Endpoint: EndpointJob, JobID: 77, Times: 2, Kind: ServerError})
	remove := s.Inject(Fault{Endpoint: EndpointJob, Kind: Gone})
	s.Inject(Fault{Endpoint: EndpointBlob, Kind: Gone})
	ask := func(id string, want int) {
		t.Helper()
		resp, body := get(t, s, "repos/acme/rocket/actions/jobs/"+id)
		wantStatus(t, resp, body, want)
	}
	ask("78", 410)
	ask("77", 500)
	ask("77", 500)
	ask("77", 410)
	remove()
	remove()
	ask("77", 200)
	ask("78", 200)
}
