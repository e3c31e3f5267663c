package githubsim

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// Endpoint names a kind of request, for faults and counters.
type Endpoint string

// The endpoints. EndpointLog is the API's answer about a log (the 302),
// EndpointBlob the log's text on the other host; EndpointInstallation is an
// installation looked up by its repository or organisation, EndpointRepositories
// those of an installation.
const (
	EndpointAny              Endpoint = ""
	EndpointJob              Endpoint = "job"
	EndpointLog              Endpoint = "log"
	EndpointBlob             Endpoint = "blob"
	EndpointAttemptJobs      Endpoint = "attempt_jobs"
	EndpointRunJobs          Endpoint = "run_jobs"
	EndpointRuns             Endpoint = "runs"
	EndpointRun              Endpoint = "run"
	EndpointRepository       Endpoint = "repository"
	EndpointToken            Endpoint = "token"
	EndpointInstallations    Endpoint = "installations"
	EndpointInstallation     Endpoint = "installation"
	EndpointRepositories     Endpoint = "repositories"
	EndpointOrgRepositories  Endpoint = "org_repositories"
	EndpointUser             Endpoint = "user"
	EndpointUserRepositories Endpoint = "user_repositories"
	EndpointDeliveries       Endpoint = "deliveries"
	EndpointDelivery         Endpoint = "delivery"
	EndpointRedeliver        Endpoint = "redeliver"
	EndpointRateLimit        Endpoint = "rate_limit"
	EndpointUnknown          Endpoint = "unknown"
)

// FaultKind says what goes wrong.
type FaultKind int

// The kinds of fault. From HangBody on they spoil the true answer; the others
// replace it.
const (
	Status         FaultKind = iota // Fault.Status (0: 500), Header and Body
	NotFoundJSON                    // 404 as the API says it
	NotFoundXML                     // 404 BlobNotFound as the blob host says it
	Gone                            // 410 {"message":"Server Error","status":"410"}
	TooMany                         // 429 with Retry-After
	PrimaryLimit                    // 403 with nothing remaining until RetryAfter (0: one hour) from now
	SecondaryLimit                  // 403 with a secondary-rate-limits URL; Retry-After only if RetryAfter is set
	ServerError                     // 500
	Forbidden                       // 403 "Resource not accessible by integration"
	Unauthorized                    // 401 "Bad credentials"
	HTML200                         // 200 with an error page as text/html
	Hang                            // no answer until the client goes or the server closes
	HangBody                        // After bytes of the body, then as Hang
	CutBody                         // Content-Length, After bytes, and the connection closes
	CutChunked                      // chunked, After bytes, and the connection closes without the last chunk
	Slow                            // pieces of After bytes (0: 1 KiB), Delay between them
	WrongMD5                        // a Content-MD5 that is not the body's
)

// Fault is something that goes wrong with matching requests.
type Fault struct {
	Endpoint Endpoint // EndpointAny matches all
	JobID    int64    // 0 matches any
	Times    int      // how many requests it spoils; 0: all
	Kind     FaultKind
	// After counts body bytes for HangBody, CutBody and CutChunked (0, or not
	// less than the body: half of it) and the pieces of Slow.
	After int64
	// Status, Header and Body are for the kind Status. Header is also added to
	// the answer of every kind that replaces it.
	Status int
	Header http.Header
	Body   string
	// RetryAfter is sent in whole seconds.
	RetryAfter time.Duration
	// Delay is Slow's pause; 0: 10 ms.
	Delay time.Duration
}

// faultList is the faults in force, in the order of their injection.
type faultList struct {
	mu   sync.Mutex
	list []*fault
}

type fault struct {
	Fault
	used int
}

// Inject adds a fault. For each request the first one that matches, in the
// order of injection, is used. remove takes it away again; it is idempotent.
func (s *Server) Inject(f Fault) (remove func()) {
	entry := &fault{Fault: f}
	l := &s.faults
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, entry)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.list = slices.DeleteFunc(l.list, func(other *fault) bool { return other == entry })
	}
}

// take finds the fault for a request and uses it up by one.
func (l *faultList) take(e Endpoint, jobID int64) (Fault, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.list {
		switch {
		case f.Endpoint != EndpointAny && f.Endpoint != e:
		case f.JobID != 0 && f.JobID != jobID:
		case f.Times > 0 && f.used >= f.Times:
		default:
			f.used++
			return f.Fault, true
		}
	}
	return Fault{}, false
}
