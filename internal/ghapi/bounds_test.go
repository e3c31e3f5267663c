package ghapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/growth"
)

// maxDepth is how deep JSON may be nested: encoding/json's own bound.
const maxDepth = 10_000

func nested(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }

// wantTransient wants an error that says what is wrong, and is tried again.
func wantTransient(t *testing.T, err error, says string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Class != Transient || !strings.Contains(err.Error(), says) || len(err.Error()) > 600 {
		t.Errorf("error %.300v, want a transient one, in brief, that says %q", err, says)
	}
}

// Answers of all kinds are read if they are nested as deep as the bound allows, and
// refused one level deeper.
func TestDeepAnswers(t *testing.T) {
	ask := map[string]func(*Client) error{
		`{"id":7,"x":%s}`: func(c *Client) error { _, err := c.Job(t.Context(), "a", "b", 7); return err },
		`{"jobs":[{"id":7}],"x":%s}`: func(c *Client) error {
			for _, err := range c.RunJobs(t.Context(), "a", "b", 1, FilterAll) {
				return err
			}
			return nil
		},
		`{"workflow_runs":[],"x":%s}`: func(c *Client) error {
			for _, err := range c.Runs(t.Context(), "a", "b", time.Unix(0, 0), time.Time{}, "") {
				return err
			}
			return nil
		},
	}
	for body, do := range ask {
		for depth, fits := range map[int]bool{maxDepth - 1: true, maxDepth: true, maxDepth + 1: false} {
			c := scripted(t, Config{BaseURL: "https://api.example/"}, func(*http.Request) *http.Response {
				return answering(200, nil, fmt.Sprintf(body, nested(depth-1)))
			})
			if err := do(c); fits && err != nil {
				t.Errorf("%s, %d levels: %.200v", body, depth, err)
			} else if !fits {
				wantTransient(t, err, "exceeded max depth")
			}
		}
	}
}

// An error's body is words at best: however deep it is, the status counts.
func TestDeepErrorBodies(t *testing.T) {
	xml := strings.Repeat("<a>", maxDepth+1)
	for _, body := range []string{`{"message":"no","x":` + nested(maxDepth) + "}", nested(maxDepth + 1), xml, strings.Repeat("[", 60_000), "<Error><Code>" + xml} {
		for status, class := range map[int]Class{403: Denied, 404: NotFound, 410: Expired, 500: Transient} {
			c := scripted(t, Config{BaseURL: "https://api.example/"}, func(*http.Request) *http.Response { return answering(status, nil, body) })
			_, err := c.Job(t.Context(), "a", "b", 7)
			var e *Error
			if !errors.As(err, &e) || e.Class != class || len(e.Message) > maxMessage+len("…") {
				t.Errorf("%.20s, status %d: %.200v", body, status, err)
			}
		}
	}
}

// Of XML no more is read than a storage's error can have.
func TestXMLErrorsAreBounded(t *testing.T) {
	for n, want := range map[int]string{maxXML - 1: "BlobNotFound", maxXML: "BlobNotFound", maxXML + 1: ""} {
		const format = "<Error><Code>BlobNotFound</Code><Message>%s</Message></Error>"
		body := fmt.Sprintf(format, strings.Repeat("x", n-len(format)+2))
		if got := message(nil, []byte(body)); len(body) != n || got != want {
			t.Errorf("%d bytes: %q", len(body), got)
		}
	}
}

// endless is a body that is never over.
type endless struct{ text string }

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.text[i%len(e.text)]
	}
	return len(p), nil
}

func TestAnswersAreBounded(t *testing.T) {
	for n, fits := range map[int]bool{maxAnswer - 1: true, maxAnswer: true, maxAnswer + 1: false} {
		c := scripted(t, Config{BaseURL: "https://api.example/"}, func(*http.Request) *http.Response {
			const answer = `{"id":7}`
			return &http.Response{StatusCode: 200, Body: io.NopCloser(io.MultiReader(strings.NewReader(answer), io.LimitReader(endless{" "}, int64(n-len(answer)))))}
		})
		_, err := c.Job(t.Context(), "a", "b", 7)
		if fits && err != nil {
			t.Errorf("%d bytes: %v", n, err)
		} else if !fits {
			wantTransient(t, err, "more than 67108864 bytes")
		}
	}
}

// A token's answer that never ends is given up, and so is a head that never does.
func TestEndlessAnswersEnd(t *testing.T) {
	post, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/head" {
			for i := range 100 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", maxHeader/50))
			}
		}
		_, _ = io.Copy(w, endless{`{"token":[`})
	}))
	t.Cleanup(s.Close)
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := secretRecorder{newAPITransport(stall, base, &reach{})}
	t.Cleanup(transport.CloseIdleConnections)
	post.URL = base
	resp, err := transport.RoundTrip(post)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, resp.Body); n != maxPosted || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
	resp.Body.Close()
	if resp, err = transport.RoundTrip(&http.Request{Method: http.MethodGet, URL: base.JoinPath("head")}); err == nil {
		resp.Body.Close()
		t.Error("a head of twice what is allowed was taken")
	}
}

// What is wrong with an answer is told in brief, however long what is wrong in it.
func TestErrorsAreBrief(t *testing.T) {
	long := strings.Repeat("9", 1<<20)
	for _, body := range []string{`{"id":` + long + `}`, `{"id":7,"started_at":"` + long + `"}`, `{"id":7,"name":` + long + `}`} {
		c := scripted(t, Config{BaseURL: "https://api.example/"}, func(*http.Request) *http.Response { return answering(200, nil, body) })
		_, err := c.Job(t.Context(), "a", "b", 7)
		wantTransient(t, err, "not the JSON expected")
		_, err = decodeJobs(t.Context(), "op", []json.RawMessage{json.RawMessage(body)})
		wantTransient(t, err, "not the JSON expected")
	}
	for _, h := range []http.Header{{"Content-Encoding": {long}}, {"Content-Type": {"application/" + long + "+json"}}} {
		c := scripted(t, Config{BaseURL: "https://api.example/"}, func(*http.Request) *http.Response { return answering(200, h, "x") })
		_, err := c.OpenLog(t.Context(), "a", "b", 7)
		wantTransient(t, err, "the answer")
	}
}

// A limit that no 31 bits hold is none: the shared limits keep numbers of that size.
func TestLimitsBeyondNumbersAreNone(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		limit, remaining string
		ok               bool
	}{
		{"5000", "17", true}, {fmt.Sprint(math.MaxInt32), fmt.Sprint(math.MaxInt32), true}, {"5000", "0", true},
		{"2147483648", "1", false}, {"5000", "2147483648", false}, {"9223372036854775808", "1", false}, {"0", "1", false}, {"5000", "-1", false},
		{"-5000", "1", false}, {"", "1", false}, {"5e3", "1", false}, {strings.Repeat("9", 1000), "1", false},
	} {
		h := http.Header{"X-Ratelimit-Limit": {c.limit}, "X-Ratelimit-Remaining": {c.remaining}, "X-Ratelimit-Reset": {fmt.Sprint(now.Add(time.Minute).Unix())}}
		if told, ok := toldBy(h, now); ok != c.ok {
			t.Errorf("%.20s of %.20s: %v, %t", c.remaining, c.limit, told, ok)
		}
	}
}

// An ETag that could not be kept is as good as none.
func TestETagsThatCannotBeKept(t *testing.T) {
	for tag, want := range map[string]string{
		`W/"abc"`: `W/"abc"`, "": "", "\"\xff\"": "", "\"é\"": "", "\"a\x00\"": "", strings.Repeat("x", 256): strings.Repeat("x", 256), strings.Repeat("x", 257): "",
	} {
		if got := etagOf(http.Header{"Etag": {tag}}); got != want {
			t.Errorf("%q: %q", tag, got)
		}
	}
}

// Nothing that a server or a storage sends takes more than its share of time.
func TestParsersAreLinear(t *testing.T) {
	base := &url.URL{Scheme: "https", Host: "api.example", Path: "/"}
	for name, link := range map[string]string{"<": "<", "<>": "<>", "pairs": `<a>; rel="prev", `, "params": `<a>; rel="a"; `, "open": "<a"} {
		t.Run("Link of "+name, func(t *testing.T) {
			growth.Linear(t, 100_000, func(n int) func() {
				h := http.Header{"Link": {strings.Repeat(link, n/len(link))}}
				return func() { _, _ = nextPage(h, base) }
			})
		})
	}
	for _, unit := range []string{"[", "<a>", "<a></a>", `{"message":"`, "\\u0000", "\ufeff", "\xff", "<!--"} {
		t.Run("body of "+unit, func(t *testing.T) {
			growth.Linear(t, 20_000, func(n int) func() {
				body := []byte(`{"message":"` + strings.Repeat(unit, n/len(unit)) + `"}`)
				return func() {
					message(nil, body)
					message(nil, body[len(`{"message":"`):])
				}
			})
		})
	}
	t.Run("jobs", func(t *testing.T) {
		growth.Linear(t, 20_000, func(n int) func() {
			body := []byte(`{"jobs":[{"id":1,"steps":[` + strings.TrimSuffix(strings.Repeat(`{"number":1},`, n/13), ",") + `]}]}`)
			return func() {
				c := scripted(t, Config{BaseURL: "https://api.example/"}, func(*http.Request) *http.Response { return answering(200, nil, string(body)) })
				for _, err := range c.RunJobs(t.Context(), "a", "b", 1, FilterAll) {
					if err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	})
}

// The longest address that is asked for, made of the most values: what it is sent with
// is known at once.
func TestSecretsOfALongAddress(t *testing.T) {
	begun := time.Now()
	defer growth.Within(t, begun, maxAddress)
	var b strings.Builder
	for i := 0; b.Len() < maxAddress; i++ {
		fmt.Fprintf(&b, "&a=%08d", i)
	}
	s := &secrets{}
	s.addRequest(&http.Request{URL: &url.URL{RawQuery: b.String()}})
	e := s.hide(&Error{Message: "sent with 00000042", Err: errors.New(strings.Repeat("00000007 ", 20_000))})
	if strings.Contains(e.Error(), "0000004") || strings.Contains(e.Error(), "00000007") {
		t.Errorf("error %.100v", e)
	}
}

// A listing that goes on somewhere that is no address has not come to its end.
func TestAListingWithABadLinkFails(t *testing.T) {
	c := scripted(t, Config{BaseURL: "https://x/"}, func(*http.Request) *http.Response {
		return answering(http.StatusOK, http.Header{"Link": {`<https://x/%zz>; rel="next"`}}, `{}`)
	})
	for _, err := range pages[struct{}](t.Context(), c, "list", request{path: "y"}) {
		var e *Error
		if !errors.As(err, &e) || e.Class != Transient {
			t.Errorf("%v", err)
		}
	}
}
