// Package lookup is the read path: it finds archived logs and gives them away,
// whole or in parts. Its subpackages say who may read, and answer programs (rest)
// and people (pages).
package lookup

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/store"
)

// ErrNoLog says that the archive has no log of a job. The message gives the
// ledger's state and reason.
var ErrNoLog = errors.New("no log in the archive")

// ErrNoStep says that a job has no such step, or the step no lines in the log.
var ErrNoStep = errors.New("no such step in the log")

// Logs reads archived logs.
type Logs struct {
	DB      *store.DB
	Archive *archive.Archive
}

// Find reads the ledger's line of a job whose log is in the archive. It fails with
// store.ErrNotFound or ErrNoLog.
func (l Logs) Find(ctx context.Context, jobID int64) (store.JobLog, error) {
	log, err := l.DB.JobLog(ctx, jobID)
	if err != nil {
		return store.JobLog{}, err
	}
	return log, Held(log)
}

// Held is ErrNoLog if the log is not in the archive.
func Held(log store.JobLog) error {
	if log.State == store.LogArchived {
		return nil
	}
	reason := ""
	if log.Reason != nil {
		reason = ": " + *log.Reason
	}
	return fmt.Errorf("job %d: %w; it is %s%s", log.JobID, ErrNoLog, log.State, reason)
}

// Lines says which lines a part is; of a step, by estimate. It fails with
// ErrNoStep.
func (l Logs) Lines(ctx context.Context, log store.JobLog, p Part) (first, last int64, err error) {
	switch {
	case p.IsWhole():
		return 1, *log.Lines, nil
	case p.Step == nil:
		return p.First, min(p.Last, *log.Lines), nil
	}
	steps, err := l.DB.Steps(ctx, log.JobID)
	if err != nil {
		return 0, 0, err
	}
	for _, s := range steps {
		if s.Number != *p.Step {
			continue
		}
		if s.LogFirstLine == nil {
			return 0, 0, fmt.Errorf("job %d: %w: step %d (%s) has no lines", log.JobID, ErrNoStep, s.Number, s.Name)
		}
		return *s.LogFirstLine, *s.LogLastLine, nil
	}
	return 0, 0, fmt.Errorf("job %d: %w: it has no step %d", log.JobID, ErrNoStep, *p.Step)
}

// Copy writes a part of a log to w, byte for byte as GitHub sent it. Lines beyond
// the end are left out. It fails with ErrNoStep, and as archive.CopyLog.
func (l Logs) Copy(ctx context.Context, w io.Writer, log store.JobLog, p Part) error {
	if p.IsWhole() {
		return l.Archive.CopyLog(ctx, w, RefOf(log))
	}
	first, last, err := l.Lines(ctx, log, p)
	if err != nil {
		return err
	}
	return l.Archive.CopyLines(ctx, w, RefOf(log), first, last)
}

// RefOf is where the ledger says that an archived log is.
func RefOf(log store.JobLog) archive.Ref {
	return archive.Ref{
		Key: *log.ObjectKey, StoredBytes: *log.StoredBytes, RawBytes: *log.RawBytes, Lines: *log.Lines,
		FrameLines: log.FrameLines, FrameOffsets: log.FrameOffsets,
	}
}
