package lookup

import (
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/jobvault/jobvault/store"
)

const (
	// maxSends bounds how many logs are sent at once, and how many of them to one
	// subject.
	maxSends           = 500
	maxSendsPerSubject = 100
	// stallTime is how long a client may take nothing of what it is sent, as far as can
	// be seen: a writer may go on when a third of its socket's buffer is free, and the
	// client's machine asks for more when a sixteenth of its own is. A slow client has
	// to be given time for that much.
	stallTime = 5 * time.Minute
)

// Sender answers requests with logs.
type Sender struct {
	Logs
	logger *slog.Logger
	stall  time.Duration

	mu      sync.Mutex
	readers int
	of      map[string]int // by subject
}

// NewSender makes one for all who send from these logs.
func NewSender(logs Logs, logger *slog.Logger) *Sender {
	return &Sender{Logs: logs, logger: logger, stall: stallTime, of: make(map[string]int)}
}

// enter takes a place for a subject, if there is one.
func (s *Sender) enter(subject string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readers == maxSends || s.of[subject] == maxSendsPerSubject {
		return false
	}
	s.readers++
	s.of[subject]++
	return true
}

func (s *Sender) leave(subject string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readers--
	if s.of[subject]--; s.of[subject] == 0 {
		delete(s.of, subject)
	}
}

// ErrBusy says that as many read as can be served.
var ErrBusy = errors.New("too many logs are being read at once")

// Send answers with a part of an archived log, or of its redacted copy, as text, compressed if the client
// takes that; of a whole log, with the range of bytes that it asks for, if it is one.
// That the subject reads it is recorded first. It fails before anything is sent, with
// ErrBusy, ErrNoStep or an error of the database or the bucket; what fails later ends
// the connection, so that the client cannot take what it got for the whole. Of a step,
// the header X-Jobvault-Lines says which lines it is taken to be; of a copy, the header
// RedactedHeader says so.
func (s *Sender) Send(w http.ResponseWriter, req *http.Request, log store.JobLog, p Selection, subject string) error {
	if !s.enter(subject) {
		w.Header().Set("Connection", "close") // which costs memory too
		w.Header().Set("Retry-After", "5")
		return ErrBusy
	}
	defer s.leave(subject)
	log = Readable(log)
	first, last, err := s.LineRange(req.Context(), log, p)
	if err != nil {
		return err
	}
	asked, ranged := byteRange{}, false
	if p.IsWhole() {
		asked, ranged = rangeOf(req, log)
	}
	encoding := ""
	if !ranged {
		encoding = encodingFor(req)
	}
	out := &progress{ResponseWriter: w, control: http.NewResponseController(w), stall: s.stall, status: http.StatusOK, header: make(http.Header)}
	h := out.header
	describe(h, log, p, encoding)
	if p.Step != nil {
		h.Set("X-Jobvault-Lines", fmt.Sprintf("%d-%d; estimated", first, last))
	}
	if match := req.Header.Get("If-None-Match"); match != "" && strings.Contains(match, h.Get("ETag")) {
		out.status = http.StatusNotModified
		out.begin()
		return nil
	}
	what := p.String()
	if ranged {
		if asked.from >= *log.RawBytes {
			h.Set("Content-Range", fmt.Sprintf("bytes */%d", *log.RawBytes))
			h.Set("Content-Length", "0")
			out.status = http.StatusRequestedRangeNotSatisfiable
			out.begin()
			return nil
		}
		what = fmt.Sprintf("bytes %d-%d", asked.from, asked.to)
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", asked.from, asked.to, *log.RawBytes))
		h.Set("Content-Length", strconv.FormatInt(asked.to-asked.from+1, 10))
		out.status = http.StatusPartialContent
	}
	if req.Method != http.MethodHead {
		if err := s.DB.NoteRead(req.Context(), subject, log.JobID, what); err != nil {
			return err
		}
		if ranged {
			err = s.Archive.CopyBytes(req.Context(), out, RefOf(log), asked.from, asked.to-asked.from+1)
		} else {
			err = s.body(req.Context(), out, log, p, encoding)
		}
	}
	switch {
	case err == nil:
		out.begin() // of nothing, too
		return nil
	case !out.begun:
		return fmt.Errorf("log of job %d: %w", log.JobID, err)
	}
	s.logger.WarnContext(req.Context(), "a log could not be sent", "job", log.JobID, "error", err)
	panic(http.ErrAbortHandler)
}

// RedactedHeader says of an answer that it is of a redacted copy: what RedactedNote says.
const RedactedHeader = "X-Jobvault-Redacted"

// describe sets the headers that say what is sent, but for those of a range.
func describe(h http.Header, log store.JobLog, p Selection, encoding string) {
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Content-Disposition", fmt.Sprintf(`inline; filename="job-%d.log"`, log.JobID))
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Vary", "Accept-Encoding, Authorization, Cookie")
	h.Set("ETag", etag(log, p, encoding))
	h.Set("Last-Modified", log.ArchivedAt.UTC().Format(http.TimeFormat))
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	if note := RedactedNote(log); note != "" {
		h.Set(RedactedHeader, note)
	}
	switch {
	case !p.IsWhole():
	case encoding == "":
		h.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(log.SHA256)+":")
		h.Set("Accept-Ranges", "bytes")
		h.Set("Content-Length", strconv.FormatInt(*log.RawBytes, 10))
	case encoding == codingStored:
		h.Set("Content-Length", strconv.FormatInt(RefOf(log).StoredSize(), 10))
	}
}

// codingStored is the coding that whole logs are stored in.
const codingStored = "zstd"

// body sends a part in a coding; the whole log, if it can, as it is stored. Where it
// fails before the first byte of the log, it has sent none.
func (s *Sender) body(ctx context.Context, w io.Writer, log store.JobLog, p Selection, encoding string) error {
	if encoding == "" {
		return s.Copy(ctx, w, log, p)
	}
	if encoding == codingStored && p.IsWhole() {
		body, err := s.Archive.OpenStored(ctx, RefOf(log))
		if err != nil {
			return err
		}
		_, err = io.Copy(w, body)
		return errors.Join(err, body.Close())
	}
	var z io.WriteCloser
	var err error
	if encoding == "gzip" {
		z, err = gzip.NewWriterLevel(w, gzip.BestSpeed)
	} else {
		z, err = zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	}
	if err == nil {
		err = s.Copy(ctx, z, log, p)
	}
	if err != nil {
		return err // to close it would be to send an end
	}
	return z.Close()
}

// encodingFor is the content coding to answer with; empty: none.
func encodingFor(req *http.Request) string {
	takes := make(map[string]bool)
	for accepted := range strings.SplitSeq(req.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.ToLower(strings.TrimSpace(accepted)), ";")
		takes[strings.TrimSpace(name)] = !refused.MatchString(weight)
	}
	switch {
	case takes[codingStored]:
		return codingStored
	case takes["gzip"]:
		return "gzip"
	}
	return ""
}

// refused is the weight of a coding that the client does not take.
var refused = regexp.MustCompile(`^\s*q\s*=\s*0(\.0*)?\s*$`)

// etag is the log's digest, and how it is sent.
func etag(log store.JobLog, p Selection, encoding string) string {
	tag := hex.EncodeToString(log.SHA256)
	if !p.IsWhole() {
		tag += "-" + strings.ReplaceAll(p.String(), " ", "-")
	}
	if encoding != "" {
		tag += "-" + encoding
	}
	return `"` + tag + `"`
}

// byteRange is bytes of a log, from 0 and inclusive.
type byteRange struct{ from, to int64 }

var oneRange = regexp.MustCompile(`^bytes=(\d{0,18})-(\d{0,18})$`)

// rangeOf is the range that a request asks for. More than one at once, which may be
// answered with all, is: each would be another reading of the bucket. So is a range of
// another log than this one.
func rangeOf(req *http.Request, log store.JobLog) (byteRange, bool) {
	m := oneRange.FindStringSubmatch(req.Header.Get("Range"))
	if m == nil || m[1] == "" && m[2] == "" {
		return byteRange{}, false
	}
	if condition := req.Header.Get("If-Range"); condition != "" && condition != etag(log, Selection{}, "") {
		return byteRange{}, false
	}
	size := *log.RawBytes
	from, errFrom := strconv.ParseInt(m[1], 10, 64)
	to, errTo := strconv.ParseInt(m[2], 10, 64)
	switch {
	case errFrom != nil: // the last so many
		return byteRange{max(size-to, 0), size - 1}, to > 0 && size > 0
	case errTo != nil || to >= size:
		to = max(size-1, from)
	case to < from:
		return byteRange{}, false
	}
	return byteRange{from, to}, true
}

// progress puts the deadline off with everything that the client takes: a log may
// take as long as it needs, but not without moving.
type progress struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	status  int
	header  http.Header // of the answer; an error has its own
	begun   bool        // the answer has: nothing else can be said
}

func (p *progress) begin() {
	if !p.begun {
		p.begun = true
		maps.Copy(p.Header(), p.header)
		p.WriteHeader(p.status)
	}
}

func (p *progress) Write(b []byte) (int, error) {
	p.begin()
	// Only a writer that is none of net/http's has no deadline.
	_ = p.control.SetWriteDeadline(time.Now().Add(p.stall))
	return p.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (p *progress) Unwrap() http.ResponseWriter { return p.ResponseWriter }
