package ghapi

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5" // the storage's own checksum, against accidents
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"
)

// Log is the text of a job's log, which the caller must close.
type Log struct {
	io.ReadCloser
	Bytes  int64 // as announced; -1: that is not known before it is read
	Direct bool  // the API answered with the text itself, as Gitea does and GitHub never
}

// OpenLog asks for a job's log and opens its text, as GitHub sends it. The link
// is followed with a client that has no token; a server that answers with the
// text itself, as Gitea does, will do too. Reading the body fails if it ends
// before its announced length or does not have its announced checksum.
func (c *Client) OpenLog(ctx context.Context, owner, repo string, id int64) (*Log, error) {
	op := fmt.Sprintf("get log of job %d", id)
	ctx = withSecrets(ctx)
	if err := c.acquire(ctx, op); err != nil {
		return nil, err
	}
	resp, err := c.do(ctx, op, request{path: jobPath(owner, repo, id) + "/logs"})
	if err != nil {
		c.limit.Release(1)
		return nil, err
	}
	if resp.StatusCode != http.StatusFound {
		log, err := c.logBody(ctx, op, resp)
		if err != nil {
			c.limit.Release(1)
			return nil, err
		}
		log.ReadCloser, log.Direct = &slotReleaser{ReadCloser: log.ReadCloser, release: func() { c.limit.Release(1) }}, true
		return log, nil
	}
	// A page for people. Read to its end, so that the connection is used again.
	_, _ = io.CopyN(io.Discard, resp.Body, maxErrorBody)
	_ = resp.Body.Close()
	c.limit.Release(1)
	return c.openLink(ctx, op, resp)
}

// logBody checks that an answer is a log, and wraps its body in the checks that
// its headers promise.
func (c *Client) logBody(ctx context.Context, op string, resp *http.Response) (*Log, error) {
	refuse := func(format string, args ...any) (*Log, error) {
		_ = resp.Body.Close()
		return nil, secretsOf(ctx).hide(&Error{Class: Transient, Op: op, Status: resp.StatusCode, Message: fmt.Sprintf(format, args...)})
	}
	if resp.StatusCode != http.StatusOK {
		return refuse("unexpected status")
	}
	// A page of a proxy or of the server itself is no log, whatever its status.
	if kind := pageKind(resp.Header.Get("Content-Type")); kind != "" {
		return refuse("the answer is %s, not a log", cut(kind))
	}
	body := &checkedBody{op: op, status: resp.StatusCode, r: resp.Body, close: resp.Body}
	if want := resp.Header.Get("Content-MD5"); want != "" {
		sum := md5.New()
		body.sum, body.want = sum, want
		body.r = io.TeeReader(resp.Body, sum)
	}
	size := resp.ContentLength
	switch encoding := resp.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(body.r)
		if err != nil {
			return refuse("the answer is not gzip as it says")
		}
		body.r, size = z, -1
	default:
		return refuse("the answer has the encoding %q", cut(encoding))
	}
	text := bufio.NewReaderSize(body.r, maxErrorBody)
	if isPage(text) {
		return refuse("the answer is a page, not a log")
	}
	if isErrorObject(text) {
		return refuse("the answer is an error in JSON, not a log")
	}
	body.r = text
	return &Log{ReadCloser: body, Bytes: size}, nil
}

// isPage looks at how a text begins: a page with the wrong type, or none, is no
// log either. What goes wrong here goes wrong again when the text is read.
func isPage(r *bufio.Reader) bool {
	const enough = 64
	head, _ := r.Peek(enough)
	begin := strings.ToLower(strings.TrimLeft(string(head), "\ufeff \t\r\n"))
	return strings.HasPrefix(begin, "<!doctype") || strings.HasPrefix(begin, "<html") || strings.HasPrefix(begin, "<?xml")
}

// isErrorObject tells a text that is nothing but one JSON object with a message or an
// error in it, as APIs answer, whatever its type and status. A log's lines begin with the
// time, and one that has such an object among others is a log.
func isErrorObject(r *bufio.Reader) bool {
	const blank = "\ufeff \t\r\n"
	if head, _ := r.Peek(64); !bytes.HasPrefix(bytes.TrimLeft(head, blank), []byte("{")) {
		return false
	}
	whole, err := r.Peek(maxErrorBody)
	if err != io.EOF {
		return false // longer than any such answer, or it breaks off, as reading it will say
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(bytes.TrimLeft(whole, blank), &members) != nil {
		return false
	}
	for _, name := range []string{"message", "error", "errors"} {
		if _, ok := members[name]; ok {
			return true
		}
	}
	return false
}

// pageKind is the media type of what is for browsers or programs, or empty. Bad
// parameters are no way around it.
func pageKind(contentType string) string {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	switch {
	case kind == "text/html", kind == "text/xml", kind == "application/xml", kind == "application/json",
		strings.HasSuffix(kind, "+xml"), strings.HasSuffix(kind, "+json"):
		return kind
	}
	return ""
}

// checkedBody reads a log and compares the checksum at its end.
type checkedBody struct {
	op     string
	status int // of the answer
	r      io.Reader
	close  io.Closer
	sum    hash.Hash // nil: none was announced
	want   string
}

func (b *checkedBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	switch {
	case err == nil:
		return n, nil
	case err != io.EOF: // bare: a wrapped one is no clean end
		return n, &Error{Class: Transient, Op: b.op + ": read", Status: b.status, Err: err}
	case b.sum != nil && base64.StdEncoding.EncodeToString(b.sum.Sum(nil)) != b.want:
		return n, &Error{Class: Transient, Op: b.op + ": read", Status: b.status, Message: "the body does not have the announced MD5"}
	}
	return n, io.EOF
}

func (b *checkedBody) Close() error { return b.close.Close() }

// slotReleaser is a body that gives its request's slot of the concurrency limit back when
// it is closed.
type slotReleaser struct {
	io.ReadCloser
	release func()
}

func (r *slotReleaser) Close() error {
	defer func() { r.release(); r.release = func() {} }()
	return r.ReadCloser.Close()
}
