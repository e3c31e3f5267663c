package lookup

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/semaphore"

	"github.com/jobvault/jobvault/store"
)

const (
	// mostReaders bounds how many logs are sent at once.
	mostReaders = 500
	// stallTime is how long a client may take nothing of what it is sent.
	stallTime = 30 * time.Second
)

// Sender answers requests with logs.
type Sender struct {
	Logs
	logger *slog.Logger
	places *semaphore.Weighted
}

// NewSender makes one for all who send from these logs.
func NewSender(logs Logs, logger *slog.Logger) *Sender {
	return &Sender{Logs: logs, logger: logger, places: semaphore.NewWeighted(mostReaders)}
}

// ErrBusy says that as many read as can be served.
var ErrBusy = errors.New("too many logs are being read at once")

// Send answers with a part of an archived log as text, compressed if the client
// takes that; of a whole log, with the ranges of bytes that it asks for. That the
// subject reads it is recorded first. It fails before anything is sent, with
// ErrBusy, ErrNoStep or an error of the database; what fails later ends the
// connection, so that the client cannot take what it got for the whole. Of a step, the
// header X-Jobvault-Lines says which lines it is taken to be.
func (s *Sender) Send(w http.ResponseWriter, req *http.Request, log store.JobLog, p Part, subject string) error {
	if !s.places.TryAcquire(1) {
		w.Header().Set("Connection", "close") // which costs memory too
		w.Header().Set("Retry-After", "5")
		return ErrBusy
	}
	defer s.places.Release(1)
	first, last, err := s.Lines(req.Context(), log, p)
	if err != nil {
		return err
	}
	encoding := encodingFor(req)
	if req.Method != http.MethodHead {
		what := p.String()
		if p.IsWhole() && req.Header.Get("Range") != "" {
			what = "bytes " + cutShort(req.Header.Get("Range"))
		}
		if err := s.DB.NoteRead(req.Context(), subject, log.JobID, what); err != nil {
			return err
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Content-Disposition", fmt.Sprintf(`inline; filename="job-%d.log"`, log.JobID))
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Vary", "Accept-Encoding, Authorization, Cookie")
	h.Set("ETag", etag(log, p, encoding))
	h.Set("Last-Modified", log.ArchivedAt.UTC().Format(http.TimeFormat))
	if p.IsWhole() && encoding == "" {
		h.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(log.SHA256)+":")
	}
	if p.Step != nil {
		h.Set("X-Jobvault-Lines", fmt.Sprintf("%d-%d; estimated", first, last))
	}
	out := &progress{ResponseWriter: w, control: http.NewResponseController(w)}
	if p.IsWhole() && req.Header.Get("Range") != "" {
		c := &content{ctx: req.Context(), archive: s.Archive, ref: RefOf(log), end: endOfRange(req)}
		http.ServeContent(out, req, "", *log.ArchivedAt, c)
		c.Close()
		return nil // what is missing, the client sees by the length
	}
	if match := req.Header.Get("If-None-Match"); match != "" && strings.Contains(match, h.Get("ETag")) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if err := s.body(out, req, log, p, encoding); err != nil {
		s.logger.WarnContext(req.Context(), "a log could not be sent", "job", log.JobID, "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// body sends a part in a coding. The whole log is sent in Zstandard as it is
// stored.
func (s *Sender) body(w http.ResponseWriter, req *http.Request, log store.JobLog, p Part, encoding string) error {
	h := w.Header()
	stored := encoding == "zstd" && p.IsWhole()
	switch {
	case stored:
		h.Set("Content-Length", strconv.FormatInt(RefOf(log).StoredSize(), 10))
	case encoding == "" && p.IsWhole():
		h.Set("Accept-Ranges", "bytes")
		h.Set("Content-Length", strconv.FormatInt(*log.RawBytes, 10))
	}
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	if req.Method == http.MethodHead {
		return nil
	}
	if stored {
		body, err := s.Archive.OpenStored(req.Context(), RefOf(log))
		if err != nil {
			return err
		}
		_, err = io.Copy(w, body)
		return errors.Join(err, body.Close())
	}
	var z io.WriteCloser
	var err error
	switch encoding {
	case "":
		return s.Copy(req.Context(), w, log, p)
	case "gzip":
		z, err = gzip.NewWriterLevel(w, gzip.BestSpeed)
	default:
		z, err = zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	}
	if err != nil {
		return err
	}
	return errors.Join(s.Copy(req.Context(), z, log, p), z.Close())
}

// encodingFor is the content coding to answer with; empty: none. Ranges are of the
// text itself.
func encodingFor(req *http.Request) string {
	if req.Header.Get("Range") != "" {
		return ""
	}
	takes := make(map[string]bool)
	for accepted := range strings.SplitSeq(req.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.ToLower(strings.TrimSpace(accepted)), ";")
		takes[strings.TrimSpace(name)] = !refused.MatchString(weight)
	}
	switch {
	case takes["zstd"]:
		return "zstd"
	case takes["gzip"]:
		return "gzip"
	}
	return ""
}

// refused is the weight of a coding that the client does not take.
var refused = regexp.MustCompile(`^\s*q\s*=\s*0(\.0*)?\s*$`)

// etag is the log's digest, and how it is sent.
func etag(log store.JobLog, p Part, encoding string) string {
	tag := hex.EncodeToString(log.SHA256)
	if !p.IsWhole() {
		tag += "-" + strings.ReplaceAll(p.String(), " ", "-")
	}
	if encoding != "" {
		tag += "-" + encoding
	}
	return `"` + tag + `"`
}

// simpleRange is the range that nearly every client asks for, if it asks for one.
var simpleRange = regexp.MustCompile(`^bytes=(\d{1,18})-(\d{1,18})$`)

// endOfRange is where the range ends that is asked for; 0: at the end, or who
// knows.
func endOfRange(req *http.Request) int64 {
	m := simpleRange.FindStringSubmatch(req.Header.Get("Range"))
	if m == nil {
		return 0
	}
	last, err := strconv.ParseInt(m[2], 10, 64)
	if err != nil {
		return 0
	}
	return last + 1
}

// cutShort is the range in words, if it is one.
func cutShort(header string) string {
	header = strings.TrimPrefix(header, "bytes=")
	clean := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '-' || r == ',' {
			return r
		}
		return -1
	}, header)
	return clean[:min(len(clean), 100)]
}

// progress puts the deadline off with everything that the client takes: a log may
// take as long as it needs, but not without moving.
type progress struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (p *progress) Write(b []byte) (int, error) {
	// Only a writer that is none of net/http's has no deadline.
	_ = p.control.SetWriteDeadline(time.Now().Add(stallTime))
	return p.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (p *progress) Unwrap() http.ResponseWriter { return p.ResponseWriter }
