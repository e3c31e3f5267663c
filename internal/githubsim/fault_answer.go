package githubsim

import (
	"cmp"
	"io"
	"net/http"
	"strconv"
	"time"
)

// replaces tells the kinds that stand in for the true answer from those that
// spoil it.
func (f Fault) replaces() bool { return f.Kind < HangBody }

// answer writes the false answer of a fault that replaces the true one.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, f Fault) {
	h := w.Header()
	for k, vs := range f.Header {
		h[http.CanonicalHeaderKey(k)] = vs
	}
	switch f.Kind {
	case Status:
		w.WriteHeader(cmp.Or(f.Status, http.StatusInternalServerError))
		io.WriteString(w, f.Body)
	case NotFoundJSON:
		s.notFound(w, r)
	case NotFoundXML:
		blobNotFound(w, s.now())
	case Gone:
		s.apiError(w, http.StatusGone, "Server Error", "")
	case TooMany:
		h.Set("Retry-After", seconds(cmp.Or(f.RetryAfter, time.Minute)))
		s.apiError(w, http.StatusTooManyRequests, "Too many requests", docsRateLimit)
	case PrimaryLimit:
		used := rate{limit: 5000, used: 5000, reset: s.now().Add(cmp.Or(f.RetryAfter, time.Hour))}
		used.setHeaders(h)
		s.apiError(w, http.StatusForbidden, rateLimitMessage, docsRateLimit)
	case SecondaryLimit:
		s.secondaryLimit(w, f.RetryAfter)
	case ServerError:
		s.apiError(w, http.StatusInternalServerError, "Server Error", "")
	case Forbidden:
		s.apiError(w, http.StatusForbidden, "Resource not accessible by integration", docsJobs)
	case Unauthorized:
		s.apiError(w, http.StatusUnauthorized, "Bad credentials", docsREST)
	case HTML200:
		h.Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, unicornPage)
	case Hang:
		s.hang(r)
	}
}

// hang waits until the client has gone or the server closes, and then drops the
// connection.
func (s *Server) hang(r *http.Request) {
	io.Copy(io.Discard, r.Body) // only then does net/http watch for the client's going
	select {
	case <-r.Context().Done():
	case <-s.closing:
	}
	panic(http.ErrAbortHandler)
}

func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// unicornPage is the page that a proxy in front of GitHub shows when it is not well.
const unicornPage = `<!DOCTYPE html>
<html>
  <head><meta charset="utf-8"><title>Unicorn! &middot; GitHub</title></head>
  <body>
    <h1>We had issues producing the response to your request.</h1>
    <p>Sorry about that. Please try refreshing and contact us if the problem persists.</p>
  </body>
</html>
`
