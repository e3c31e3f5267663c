package ghapi_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
)

func TestLogIsTheBytesThatWereSent(t *testing.T) {
	for _, direct := range []bool{false, true} {
		gh := simulate(t, githubsim.Options{DirectLogs: direct})
		c := ask(t, gh)
		for id, log := range []githubsim.Log{
			githubsim.TextLog([]byte{}), githubsim.TextLog([]byte("no newline")), githubsim.TextLog([]byte("\ufeffa\x00b\r\n\xff\xfe\n")),
			githubsim.GeneratedLog(1, 5<<20, githubsim.LogStyle{CRLF: true, ANSI: true}), // too long for an MD5
			githubsim.GeneratedLog(2, 1<<20, githubsim.LogStyle{HugeLine: true, InvalidUTF8: true, NULBytes: true}),
		} {
			gh.AddJob(completed(int64(id+1), log))
			text, err := readLog(t.Context(), c, int64(id+1))
			if err != nil || !bytes.Equal(text, log.Bytes()) {
				t.Errorf("direct %t, log %d: %d bytes, want %d as sent; %v", direct, id, len(text), log.Size(), err)
			}
		}
		if n := gh.TokenSentToBlob(); n != 0 {
			t.Errorf("the token went to the storage %d times", n)
		}
	}
}

func TestLogThatIsNotThereIsNotFound(t *testing.T) {
	gh := simulate(t, githubsim.Options{}, completed(7, githubsim.Log{}))
	_, err := readLog(t.Context(), ask(t, gh), 7)
	refusal(t, err, ghapi.NotFound, 404, "get log of job 7 from storage: not found (404): BlobNotFound")
	_, err = readLog(t.Context(), ask(t, gh), 8)
	refusal(t, err, ghapi.NotFound, 404, "get log of job 8: not found (404): Not Found")
	gitea := simulate(t, githubsim.Options{DirectLogs: true}, completed(7, githubsim.Log{}))
	_, err = readLog(t.Context(), ask(t, gitea), 7)
	refusal(t, err, ghapi.NotFound, 404, "get log of job 7: not found (404): job not started")
}

// storage starts a GitHub that redirects every log to the handler's host.
func storage(t testing.TB, h http.HandlerFunc) *ghapi.Client {
	t.Helper()
	blob := serve(t, h)
	gh := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", blob.URL+"/log?sig=TheSignature")
		w.WriteHeader(http.StatusFound)
	})
	return clientOf(t, ghapi.Config{BaseURL: gh.URL})
}

func zipped(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, text)
	z.Close()
	return b.Bytes()
}

func md5Of(b []byte) string {
	sum := md5.Sum(b)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func TestLogBodies(t *testing.T) {
	text := strings.Repeat("2026-03-01T12:00:00.0000000Z a line\n", 5000)
	packed := zipped(text)
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	for _, c := range []struct {
		name   string
		header http.Header
		body   string
		status int    // 0: 200
		opens  string // the error of opening it
		reads  string // the error of reading it
	}{
		{name: "text", header: header("Content-Type", "text/plain"), body: text},
		{name: "of no type", body: text},
		{name: "binary", header: header("Content-Type", "application/octet-stream"), body: text},
		{name: "right MD5", header: header("Content-MD5", md5Of([]byte(text))), body: text},
		{name: "wrong MD5", header: header("Content-MD5", md5Of([]byte("else"))), body: text, reads: "announced MD5"},
		{name: "MD5 that is none", header: header("Content-MD5", "?"), body: text, reads: "announced MD5"},
		{name: "MD5 of an empty log", header: header("Content-MD5", md5Of(nil))},
		{name: "gzip", header: header("Content-Encoding", "gzip"), body: string(packed)},
		{name: "gzip with MD5", header: header("Content-Encoding", "gzip", "Content-MD5", md5Of(packed)), body: string(packed)},
		{name: "gzip with the MD5 of the text", header: header("Content-Encoding", "gzip", "Content-MD5", md5Of([]byte(text))), body: string(packed), reads: "announced MD5"},
		{name: "gzip in two members", header: header("Content-Encoding", "gzip"), body: string(append(zipped(text[:1000]), zipped(text[1000:])...))},
		{name: "gzip without its end", header: header("Content-Encoding", "gzip"), body: string(packed[:len(packed)-3]), reads: "unexpected EOF"},
		{name: "gzip and more", header: header("Content-Encoding", "gzip"), body: string(packed) + "and more than that", reads: "gzip"},
		{name: "gzip that is none", header: header("Content-Encoding", "gzip"), body: text, opens: "not gzip"},
		{name: "identity", header: header("Content-Encoding", "identity"), body: text},
		{name: "brotli", header: header("Content-Encoding", "br"), body: text, opens: `encoding "br"`},
		{name: "HTML", header: header("Content-Type", "text/html; charset=utf-8"), body: "<h1>Unicorn!</h1>", opens: "text/html"},
		{name: "HTML in capitals", header: header("Content-Type", "TEXT/HTML"), body: "<h1>Unicorn!</h1>", opens: "text/html"},
		{name: "JSON", header: header("Content-Type", "application/json"), body: `{"message":"no"}`, opens: "application/json"},
		{name: "JSON of no type", body: `{"message":"no"}`, opens: "error in JSON"},
		{name: "JSON as text", header: header("Content-Type", "text/plain"), body: "\ufeff \r\n{\"errors\":[]}\n", opens: "error in JSON"},
		{name: "JSON as text, gzipped", header: header("Content-Encoding", "gzip"), body: string(zipped(`{"error":"no"}`)), opens: "error in JSON"},
		{name: "XML", header: header("Content-Type", "application/xml"), body: `<Error/>`, opens: "application/xml"},
		{name: "part of it", status: 206, body: text, opens: "206"},
		{name: "nothing", status: 204, opens: "204"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := storage(t, func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range c.header {
					w.Header()[k] = v
				}
				if c.header.Get("Content-Type") == "" {
					w.Header()["Content-Type"] = nil // or net/http makes one up
				}
				if c.status != 0 {
					w.WriteHeader(c.status)
				}
				io.WriteString(w, c.body)
			})
			body, err := client.OpenLog(t.Context(), owner, repo, 7)
			if c.opens != "" {
				refusal(t, err, ghapi.Transient, max(c.status, 200), c.opens)
				return
			}
			check(t, err)
			got, err := io.ReadAll(body)
			if c.reads != "" {
				refusal(t, err, ghapi.Transient, 200, c.reads)
			} else if want := text[:min(len(c.body), len(text))]; err != nil || c.body != "" && string(got) != text || c.body == "" && len(got) > 0 {
				t.Errorf("read %d bytes and %v, want %d", len(got), err, len(want))
			}
			check(t, body.Close())
		})
	}
}

// A type that cannot be parsed is no way around the check.
func TestPageOfAnOddTypeIsNoLog(t *testing.T) {
	for _, kind := range []string{"text/html; charset=utf-8; charset=utf-8", "application/xhtml+xml", "application/problem+json"} {
		t.Run(kind, func(t *testing.T) {
			client := storage(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", kind)
				io.WriteString(w, "We had issues")
			})
			_, err := readLog(t.Context(), client, 7)
			refusal(t, err, ghapi.Transient, 200, "not a log")
		})
	}
}

// Of a log that is cut off, what came is the log's, and the error says that it
// is not all.
func TestCutLogFails(t *testing.T) {
	log := githubsim.GeneratedLog(1, 300_000, githubsim.LogStyle{})
	for _, direct := range []bool{false, true} {
		for name, kind := range map[string]githubsim.FaultKind{"Content-Length": githubsim.CutBody, "chunked": githubsim.CutChunked} {
			t.Run(name, func(t *testing.T) {
				gh := simulate(t, githubsim.Options{DirectLogs: direct}, completed(7, log))
				remove := gh.Inject(githubsim.Fault{Kind: kind, After: 100_000, Endpoint: textOf(direct)})
				c := ask(t, gh)
				text, err := readLog(t.Context(), c, 7)
				refusal(t, err, ghapi.Transient, 200, "read")
				if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.HasPrefix(log.Bytes(), text) || len(text) > 100_000 {
					t.Errorf("%d bytes and %v", len(text), err)
				}
				remove()
				if text, err := readLog(t.Context(), c, 7); err != nil || !bytes.Equal(text, log.Bytes()) {
					t.Errorf("at the second try %d bytes and %v", len(text), err)
				}
			})
		}
	}
}

// textOf is the endpoint that sends a log's text.
func textOf(direct bool) githubsim.Endpoint {
	if direct {
		return githubsim.EndpointLog
	}
	return githubsim.EndpointBlob
}

func TestRedirectsToNowhereAreTransient(t *testing.T) {
	for _, location := range []string{"", "file:///etc/passwd", "javascript:alert(1)", "http:///log", "mailto:x@example.org", "gopher://127.0.0.1/"} {
		gh := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
		})
		_, err := readLog(t.Context(), clientOf(t, ghapi.Config{BaseURL: gh.URL}), 7)
		refusal(t, err, ghapi.Transient, 302, "no usable address")
	}
}

func TestLogMayBeCancelledWhileItIsRead(t *testing.T) {
	for _, direct := range []bool{false, true} {
		gh := simulate(t, githubsim.Options{DirectLogs: direct}, completed(7, githubsim.GeneratedLog(1, 300_000, githubsim.LogStyle{})))
		gh.Inject(githubsim.Fault{Kind: githubsim.HangBody, After: 1000, Endpoint: textOf(direct)})
		ctx, cancel := context.WithCancel(t.Context())
		body, err := ask(t, gh).OpenLog(ctx, owner, repo, 7)
		check(t, err)
		if _, err := io.ReadFull(body, make([]byte, 1000)); err != nil {
			t.Error(err)
		}
		cancel()
		_, err = body.Read(make([]byte, 1))
		refusal(t, err, ghapi.Transient, 200, "read")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v does not say that it was cancelled", err)
		}
		check(t, body.Close())
	}
}

// A redirect has a body too, if only a page for people; its connection is to be
// used again.
func TestRedirectsShareAConnection(t *testing.T) {
	blob := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "log\n") })
	connections := make(chan struct{}, 100)
	gh := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, blob.URL, http.StatusFound)
	}))
	countConnections(gh.Config, connections)
	gh.Start()
	t.Cleanup(gh.Close)
	c := clientOf(t, ghapi.Config{BaseURL: gh.URL})
	for range 5 {
		if _, err := readLog(t.Context(), c, 7); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(connections); n != 1 {
		t.Errorf("%d connections for five requests, one after the other", n)
	}
}
