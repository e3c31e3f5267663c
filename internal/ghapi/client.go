package ghapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/go-github/v60/github"
	"golang.org/x/sync/semaphore"
)

// Client asks GitHub as one installation, or with the token. All its requests
// wait together when a limit is hit.
type Client struct {
	rest  *github.Client // makes requests
	http  *http.Client   // sends them
	limit *semaphore.Weighted
	logs  *http.Client
	spend *budget
	now   func() time.Time

	requested func(Kind, int) // as of Config
	pageSize  *pageSize       // of the server
}

// answerTime bounds a request whose answer is JSON.
const answerTime = 2 * time.Minute

// answer is an answer in JSON, as it came.
type answer struct {
	raw       []byte
	header    http.Header
	unchanged bool // 304: what the caller has is still so
}

// request is what is asked for.
type request struct {
	method string // empty: GET
	path   string // relative to the API's base
	etag   string // of what the caller has; empty: nothing
}

// get asks for JSON and decodes it into v.
func (c *Client) get(ctx context.Context, op, path string, v any) (answer, error) {
	return c.ask(ctx, op, request{path: path}, v)
}

// ask makes a request whose answer is JSON, and decodes it into v.
func (c *Client) ask(ctx context.Context, op string, r request, v any) (answer, error) {
	if err := c.acquire(ctx, op); err != nil {
		return answer{}, err
	}
	defer c.limit.Release(1)
	ctx, cancel := context.WithTimeout(withSecrets(ctx), answerTime)
	defer cancel()
	resp, err := c.do(ctx, op, r)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return answer{}, c.spoiledAnswer(ctx, op, resp, err)
	}
	if len(body) > maxAnswer {
		return answer{}, &Error{Class: Transient, Op: op, Status: resp.StatusCode, Message: fmt.Sprintf("the answer has more than %d bytes", maxAnswer)}
	}
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusAccepted:
		return answer{header: resp.Header}, nil
	case http.StatusNotModified:
		return answer{header: resp.Header, unchanged: true}, nil
	default:
		return answer{}, &Error{Class: Transient, Op: op, Status: resp.StatusCode, Message: "a redirect to somewhere else"}
	}
	if err := json.Unmarshal(body, v); err != nil {
		return answer{}, secretsOf(ctx).hide(&Error{Class: Transient, Op: op, Status: resp.StatusCode, Message: "the answer is not the JSON expected", Err: brief(err)})
	}
	return answer{raw: body, header: resp.Header}, nil
}

// brief is an error of a parser, cut short: it repeats what it could not read. That JSON
// is nested deeper than 10,000 levels is one: encoding/json reads no further.
func brief(err error) error { return errors.New(cut(err.Error())) }

// acquire takes one of the places for requests; give it back with
// limit.Release.
func (c *Client) acquire(ctx context.Context, op string) error {
	if err := c.limit.Acquire(ctx, 1); err != nil {
		return &Error{Class: Transient, Op: op, Ours: true, Err: err}
	}
	return nil
}

// do makes one request. The answer is a 200, the 202 of what was asked to be
// done, the 304 of what is known, or the 302 of a log; all else is an *Error. The
// caller closes the body. The context is withSecrets.
//
// It goes around go-github's BareDo, which knows not every limit: its memory of
// them is here, for the whole installation and by our clock.
func (c *Client) do(ctx context.Context, op string, r request) (*http.Response, error) {
	before, err := c.spend.take(ctx, op)
	if err != nil {
		return nil, err
	}
	req, err := c.rest.NewRequest(cmp.Or(r.method, http.MethodGet), r.path, nil)
	if err != nil {
		c.spend.answered(ctx, before, nil)
		return nil, &Error{Class: Transient, Op: op, Err: errors.New("the request cannot be made")}
	}
	if r.etag != "" {
		req.Header.Set("If-None-Match", r.etag)
	}
	resp, err := c.http.Do(req.WithContext(ctx))
	if err != nil {
		c.requested(kindOfPath(r.path), 0)
		c.spend.answered(ctx, before, nil)
		return nil, c.spoiledAnswer(ctx, op, resp, err)
	}
	c.requested(kindOfPath(r.path), resp.StatusCode)
	c.spend.answered(ctx, before, resp.Header)
	if expected(r, resp.StatusCode) {
		return resp, nil
	}
	// A body that cannot be read says nothing; the status does.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	_ = resp.Body.Close()
	return nil, c.remember(ctx, classify(op, resp, body, c.now()))
}

// expected tells the answers that are no error.
func expected(r request, status int) bool {
	switch status {
	case http.StatusOK, http.StatusFound:
		return true
	case http.StatusAccepted:
		return r.method == http.MethodPost
	case http.StatusNotModified:
		return r.etag != ""
	}
	return false
}

// maxErrorBody bounds what is read of an answer that is an error.
const maxErrorBody = 64 << 10

// noAnswer is the package's noAnswer with what this client knows.
func (c *Client) noAnswer(ctx context.Context, op string, err error) *Error {
	return c.remember(ctx, noAnswer(op, err, c.now()))
}

// spoiledAnswer is noAnswer for a request of whose answer there may be a status: that of a
// redirect that is not followed, or of a body that breaks off. resp may be nil.
func (c *Client) spoiledAnswer(ctx context.Context, op string, resp *http.Response, err error) *Error {
	e := c.noAnswer(ctx, op, err)
	if resp != nil && e.Status == 0 {
		e.Status = resp.StatusCode
	}
	return e
}

// remember keeps the whole installation from asking before a limit ends, and
// what the request was sent with out of what GitHub or a proxy repeats.
func (c *Client) remember(ctx context.Context, e *Error) *Error {
	if e.Class == RateLimited {
		c.spend.close(ctx, e.RetryAt)
	}
	return secretsOf(ctx).hide(e)
}
