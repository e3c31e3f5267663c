// Package ingest is the write path: webhooks in, rows and logs out. See
// docs/design.md#the-ways.
//
// The receiver commits a delivery and answers; the delivery worker turns
// deliveries into rows; the archive worker fetches a completed job and its log
// and settles the ledger. Whatever starts it, a job is archived in this one way.
package ingest

import (
	"context"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"
	"github.com/tidwall/gjson"

	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// eventWorkflowJob is the one event that is stored.
const eventWorkflowJob = "workflow_job"

// Receiver answers POST /webhook. It answers 202 only after the delivery is
// committed.
type Receiver struct {
	secrets  []string
	selected func(fullName string) bool
	commits  *committer
	db       *store.DB
	zstd     *zstd.Encoder
	bodies   *bodyReader
	accepted func() // told after each commit
	logger   *slog.Logger
	metrics  *Metrics
}

// ReceiverConfig is what a Receiver needs.
type ReceiverConfig struct {
	Secrets  []string                   // webhook secrets, any of which is good; at least one
	Selected func(fullName string) bool // whether a repository is archived; nil: all are
	DB       *store.DB                  // where deliveries are committed
	Accepted func()                     // called after a delivery is committed; must not block; nil: nobody is told
	Logger   *slog.Logger               // of refusals and failures
	Metrics  *Metrics                   // of this process
}

// NewReceiver starts the group committer, which Close ends.
func NewReceiver(c ReceiverConfig) (*Receiver, error) {
	if len(c.Secrets) == 0 {
		return nil, errors.New("ingest: a receiver needs a webhook secret")
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(16<<10))
	if err != nil {
		return nil, err
	}
	r := &Receiver{
		secrets: c.Secrets, selected: c.Selected, db: c.DB, zstd: enc, bodies: newBodyReader(),
		accepted: c.Accepted, logger: c.Logger, metrics: c.Metrics,
	}
	if r.selected == nil {
		r.selected = func(string) bool { return true }
	}
	if r.accepted == nil {
		r.accepted = func() {}
	}
	r.commits = newCommitter(func(ctx context.Context, ds []store.Delivery) error {
		c.Metrics.groupSize.Observe(float64(len(ds)))
		return c.DB.InsertDeliveries(ctx, ds)
	})
	return r, nil
}

// Close ends the committer. No request may be under way any more.
func (r *Receiver) Close() { r.commits.close() }

// ServeHTTP answers as docs/design.md#what-githubs-answers-mean says.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	started := time.Now()
	status := r.serve(w, req)
	r.metrics.answered(status, time.Since(started))
}

func (r *Receiver) serve(w http.ResponseWriter, req *http.Request) int {
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return refuse(w, http.StatusMethodNotAllowed, "send deliveries with POST")
	}
	contentType, _, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil || (contentType != record.ContentJSON && contentType != record.ContentForm) {
		return refuse(w, http.StatusUnsupportedMediaType, "content type must be application/json or application/x-www-form-urlencoded")
	}
	// Whoever does not even try to sign has nothing read.
	if !signatureShaped(req.Header.Get("X-Hub-Signature-256")) {
		return refuse(w, http.StatusUnauthorized, "no valid X-Hub-Signature-256")
	}
	body, release, err := r.bodies.read(w, req)
	defer release()
	switch {
	case errors.Is(err, errTooLarge):
		return refuse(w, http.StatusRequestEntityTooLarge, "payloads are at most 25 MiB")
	case errors.Is(err, errBusy):
		return unavailable(w)
	case err != nil:
		return refuse(w, http.StatusBadRequest, "the body could not be read")
	}
	if !signedBy(r.secrets, req.Header.Get("X-Hub-Signature-256"), body) {
		return refuse(w, http.StatusUnauthorized, "no valid X-Hub-Signature-256")
	}
	return r.verified(w, req, contentType, body)
}

// verified handles a body whose signature is right.
func (r *Receiver) verified(w http.ResponseWriter, req *http.Request, contentType string, body []byte) int {
	event := req.Header.Get("X-GitHub-Event")
	if event == "" {
		return refuse(w, http.StatusBadRequest, "X-GitHub-Event is missing")
	}
	guid, err := uuid.Parse(req.Header.Get("X-GitHub-Delivery"))
	if err != nil {
		return refuse(w, http.StatusBadRequest, "X-GitHub-Delivery is missing or not a GUID")
	}
	payload, err := record.PayloadJSON(contentType, body)
	// What is too deep is not even looked at for whether it is JSON: that recurses.
	deep := err == nil && record.DeeperThan(payload, record.MaxDepth)
	if err != nil || !deep && !gjson.ValidBytes(payload) {
		return refuse(w, http.StatusBadRequest, "the payload is not JSON")
	}
	switch event {
	case "ping":
		return answer(w, http.StatusOK, "pong")
	case eventWorkflowJob:
	default:
		return answer(w, http.StatusAccepted, "not of interest")
	}
	head := record.ReadHead(payload)
	if deep {
		head.Unusable = record.ReasonTooDeep
	}
	if head.FullName != "" && !r.selected(head.FullName) {
		tells, err := r.tellsOfName(req.Context(), head)
		if err != nil {
			r.logger.ErrorContext(req.Context(), "delivery not accepted", KeyDelivery, guid, KeyError, err)
			return unavailable(w)
		}
		if !tells {
			return answer(w, http.StatusAccepted, "not of interest")
		}
	}
	return r.commit(w, req, guid, head, body)
}

// commit stores a delivery about a job, and answers once that is durable. One that is of
// no use is kept for somebody to look at.
func (r *Receiver) commit(w http.ResponseWriter, req *http.Request, guid uuid.UUID, head record.Head, body []byte) int {
	d := store.Delivery{
		GUID: guid, Event: eventWorkflowJob, Action: head.Action, RepositoryID: head.RepositoryID, JobID: head.JobID,
		Payload: r.zstd.EncodeAll(body, nil), State: store.DeliveryReceived,
	}
	if head.Unusable != "" {
		d.State, d.Error = store.DeliveryQuarantined, &head.Unusable
	}
	if err := r.commits.commit(req.Context(), d); err != nil {
		r.logger.ErrorContext(req.Context(), "delivery not committed", KeyDelivery, guid, KeyError, err)
		return unavailable(w)
	}
	if head.Unusable != "" {
		r.metrics.quarantined.Inc()
		r.logger.WarnContext(req.Context(), "delivery quarantined", KeyDelivery, guid, KeyReason, head.Unusable)
		return answer(w, http.StatusAccepted, "kept, but of no use")
	}
	r.accepted()
	return answer(w, http.StatusAccepted, "accepted")
}

// tellsOfName says whether a delivery that is not selected by its name is of a repository
// that is known under another one: it may have been renamed, or moved, out of what is
// selected, or the delivery is late and it was renamed into that since. What becomes of
// the job is for the delivery worker to say, which knows the present name.
func (r *Receiver) tellsOfName(ctx context.Context, head record.Head) (bool, error) {
	if head.RepositoryID == nil || head.Unusable != "" {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, commitTime)
	defer cancel()
	return r.db.CalledOtherwise(ctx, *head.RepositoryID, head.FullName)
}

// retryAfter is what a client is told while Postgres is away, in seconds.
const retryAfter = "5"

func unavailable(w http.ResponseWriter) int {
	w.Header().Set("Retry-After", retryAfter)
	return refuse(w, http.StatusServiceUnavailable, "try again later")
}
