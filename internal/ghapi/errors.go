package ghapi

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/bradleyfalzon/ghinstallation/v2"
)

// Class says what an error means, and so what can be done about it.
type Class int

// Transient is the class of everything that may go away by itself: 5xx,
// network, cut-off bodies. It is also what an unknown error is taken for.
const (
	Transient   Class = iota
	RateLimited       // wait until RetryAt, with the whole installation
	NotFound          // 404: of a log also "not there yet"
	Expired           // 410, or a 404 that says so of a log
	Denied            // 401, or a 403 that is no limit
)

// String returns the class in words, for messages.
func (c Class) String() string {
	return [...]string{"transient", "rate limited", "not found", "expired", "denied"}[c]
}

// Error is an answer other than the one hoped for, or none.
type Error struct {
	Class   Class
	Op      string    // what was asked for
	Status  int       // HTTP status; 0: there was no answer
	RetryAt time.Time // for RateLimited, and where the server asked for it
	Message string    // GitHub's own words, cut short
	Needs   string    // of Denied: the scope or permission that the token lacks, in words; empty: not that, or not known
	Storage bool      // the answer, or the lack of one, is that of the storage that GitHub sent us to
	Ours    bool      // it failed on our side: GitHub was not asked
	Err     error     // the cause when there was no answer, or only a part of one
}

// Error names the operation, the class and the cause. It holds no token and no signed link.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Op, e.Class)
	if e.Status != 0 {
		fmt.Fprintf(&b, " (%d)", e.Status)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause; nil if GitHub's answer was whole.
func (e *Error) Unwrap() error { return e.Err }

// IsNotFound tells whether an error is a 404, of the API or of the storage.
func IsNotFound(err error) bool { return isClass(err, NotFound) }

// IsAPINotFound tells whether an error is a 404 of the API, which may mean the repository;
// the storage's cannot.
func IsAPINotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Class == NotFound && !e.Storage
}

// IsDenied tells whether an error is a refusal.
func IsDenied(err error) bool { return isClass(err, Denied) }

// IsRateLimited tells whether an error is a limit, of GitHub or of our own share of it.
func IsRateLimited(err error) bool { return isClass(err, RateLimited) }

func isClass(err error, c Class) bool {
	var e *Error
	return errors.As(err, &e) && e.Class == c
}

// fallbackWait is how long to wait for a limit whose end GitHub does not tell.
const fallbackWait = time.Minute

// classify turns an answer of the API other than success into an Error.
func classify(op string, resp *http.Response, body []byte, now time.Time) *Error {
	e := &Error{Op: op, Status: resp.StatusCode, Message: message(resp.Header, body)}
	isLimit := limited(resp.Header, body)
	if resp.StatusCode == http.StatusForbidden {
		e.Needs = needs(resp.Header, e.Message, isLimit)
	}
	switch code := resp.StatusCode; {
	case e.Needs != "": // even if it was the last request of the limit
		e.Class = Denied
	case code == http.StatusTooManyRequests || code == http.StatusForbidden && isLimit:
		e.Class = RateLimited
		e.RetryAt = retryAt(resp.Header, now)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		e.Class = Denied
	case code == http.StatusGone, code == http.StatusNotFound && strings.Contains(strings.ToLower(e.Message), cleanedUp):
		e.Class = Expired
	case code == http.StatusNotFound:
		e.Class = NotFound
	default:
		e.Class = Transient
		if resp.Header.Get("Retry-After") != "" {
			e.RetryAt = retryAt(resp.Header, now)
		}
	}
	return e
}

// cleanedUp is in what Gitea and Forgejo say, with 404, of a log that has expired.
const cleanedUp = "logs have been cleaned up"

// limited tells a 403 that is a limit from one that is a refusal.
func limited(h http.Header, body []byte) bool {
	if h.Get("X-RateLimit-Remaining") == "0" || h.Get("Retry-After") != "" {
		return true
	}
	var doc struct {
		URL string `json:"documentation_url"`
	}
	if json.Unmarshal(body, &doc) != nil {
		return false
	}
	return strings.HasSuffix(doc.URL, "#abuse-rate-limits") || strings.HasSuffix(doc.URL, "secondary-rate-limits")
}

// maxWait bounds what a header can make the installation wait.
const maxWait = 2 * time.Hour

// retryAt is Retry-After, else the reset if nothing remains, else a minute.
func retryAt(h http.Header, now time.Time) time.Time {
	if v := h.Get("Retry-After"); v != "" {
		if s, err := strconv.ParseInt(v, 10, 32); err == nil && s >= 0 {
			return now.Add(min(time.Duration(s)*time.Second, maxWait))
		}
		if t, err := http.ParseTime(v); err == nil {
			return now.Add(min(t.Sub(serverTime(h, now)), maxWait))
		}
	}
	if h.Get("X-RateLimit-Remaining") == "0" {
		if t, ok := resetOf(h, now); ok {
			return t
		}
	}
	return now.Add(fallbackWait)
}

// maxMessage bounds what is kept of an error body.
const maxMessage = 300

// maxXML bounds the error of a storage. They have some hundred bytes; for elements within
// each other encoding/xml takes time by the square of their number.
const maxXML = 8 << 10

// message takes GitHub's own words out of an error body: JSON from the API, XML
// from the storage behind it.
func message(h http.Header, body []byte) string {
	var api struct {
		Message string `json:"message"`
	}
	var blob struct {
		Code    string
		Message string
	}
	text := ""
	switch {
	case json.Unmarshal(body, &api) == nil && api.Message != "":
		text = api.Message
	case len(body) <= maxXML && xml.Unmarshal(bytes.TrimPrefix(body, []byte("\ufeff")), &blob) == nil && blob.Code != "":
		text = blob.Code
	case h.Get("X-Ms-Error-Code") != "":
		text = h.Get("X-Ms-Error-Code")
	}
	text, _, _ = strings.Cut(text, "\n")
	return cut(text)
}

// cut makes outside text a short one that can be shown on terminals, and kept in
// Postgres, which takes no zero byte.
func cut(text string) string {
	const maxRead = 8 * maxMessage // what is left out may be much
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text[:min(len(text), maxRead)], "\ufffd"))
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "…"
	}
	return text
}

// noAnswer turns an error without an answer into an Error. URLs go: those of
// logs are secrets.
func noAnswer(op string, err error, now time.Time) *Error {
	var ours *Error
	if errors.As(err, &ours) {
		return ours
	}
	// The App could not get a token for the installation.
	var app *ghinstallation.HTTPError
	if errors.As(err, &app) && app.Response != nil {
		// A body that cannot be read says nothing; the status does.
		body, _ := io.ReadAll(io.LimitReader(app.Response.Body, maxErrorBody))
		_ = app.Response.Body.Close()
		e := classify(op+": installation token", app.Response, body, now)
		if e.Class == NotFound || e.Class == Expired {
			e.Class = Denied // the installation is gone, not the job
		}
		return e
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return &Error{Class: Transient, Op: op, Err: err}
}
