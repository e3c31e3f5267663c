package lookup

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/jobvault/jobvault/store"
)

// maxSends bounds how many logs are sent at once, and maxSendsPerSubject how many of them
// go to one subject.
const (
	maxSends           = 500
	maxSendsPerSubject = 100
)

// Sender answers requests with logs.
type Sender struct {
	Logs
	logger *slog.Logger
	limit  *SubjectLimit
	stall  time.Duration
}

// NewSender makes the one sender that all callers share.
func NewSender(logs Logs, logger *slog.Logger) *Sender {
	return &Sender{Logs: logs, logger: logger, limit: NewSubjectLimit(maxSends, maxSendsPerSubject), stall: stallTime}
}

// Send answers with the selected part of an archived log, or of its redacted copy, as
// text, compressed if the client accepts that. If all of the log is selected and the
// request asks for one range of bytes, it answers with that range. That the subject reads
// the log is recorded first.
//
// It fails before anything is sent, with ErrBusy, ErrNoStep or an error of the database
// or the bucket. A later failure ends the connection, so that the client cannot take what
// it got for the whole answer. For a step, the header StepLinesHeader says which lines
// are the step's and how that is known; for a copy, the header RedactedHeader is set.
func (s *Sender) Send(w http.ResponseWriter, req *http.Request, log store.JobLog, sel Selection, subject string) error {
	release, err := s.limit.Acquire(subject)
	if err != nil {
		w.Header().Set("Connection", "close") // which costs memory too
		w.Header().Set("Retry-After", "5")
		return err
	}
	defer release()
	a, err := s.answer(req, Readable(log), sel)
	if err != nil {
		return err
	}
	out := &lateHeader{deadlineWriter: newDeadlineWriter(w, s.stall), status: a.status, header: a.header}
	if a.hasBody() && req.Method != http.MethodHead {
		if err := s.DB.NoteRead(req.Context(), subject, log.JobID, a.String()); err != nil {
			return err
		}
		err = s.body(req.Context(), out, a)
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

// body sends the body of an answer. If it fails before the first byte of the log, it has
// sent nothing.
func (s *Sender) body(ctx context.Context, w io.Writer, a answer) error {
	switch {
	case a.bytes != nil:
		return s.Archive.CopyBytes(ctx, w, LayoutOf(a.log), a.bytes.from, a.bytes.size())
	case a.coding == "":
		return s.Copy(ctx, w, a.log, a.sel)
	case a.coding == codingStored && a.sel.IsWhole():
		return s.copyStored(ctx, w, a.log)
	}
	var z io.WriteCloser
	var err error
	if a.coding == "gzip" {
		z, err = gzip.NewWriterLevel(w, gzip.BestSpeed)
	} else {
		z, err = zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	}
	if err == nil {
		err = s.Copy(ctx, z, a.log, a.sel)
	}
	if err != nil {
		return err // to close it would be to send an end
	}
	return z.Close()
}

// copyStored sends a whole log as it is stored.
func (s *Sender) copyStored(ctx context.Context, w io.Writer, log store.JobLog) error {
	stored, err := s.Archive.OpenStored(ctx, LayoutOf(log))
	if err != nil {
		return err
	}
	_, err = io.Copy(w, stored)
	return errors.Join(err, stored.Close())
}
