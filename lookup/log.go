// Package lookup is the read path: it finds jobs and reads archived logs.
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

// Logs reads archived logs.
type Logs struct {
	DB      *store.DB
	Archive *archive.Archive
}

// Whole writes a job's log to w, byte for byte as GitHub sent it. It fails with
// store.ErrNotFound or ErrNoLog.
func (l Logs) Whole(ctx context.Context, w io.Writer, jobID int64) error {
	entry, err := l.entry(ctx, jobID)
	if err != nil {
		return err
	}
	return l.Archive.CopyLog(ctx, w, refOf(entry))
}

// Lines writes lines first to last of a job's log to w, from 1 and inclusive.
// Lines beyond the end are left out.
func (l Logs) Lines(ctx context.Context, w io.Writer, jobID, first, last int64) error {
	entry, err := l.entry(ctx, jobID)
	if err != nil {
		return err
	}
	return l.Archive.CopyLines(ctx, w, refOf(entry), first, last)
}

// Step writes the lines of one step to w. Which they are is an estimate; see
// package joblog.
func (l Logs) Step(ctx context.Context, w io.Writer, jobID, number int64) error {
	entry, err := l.entry(ctx, jobID)
	if err != nil {
		return err
	}
	steps, err := l.DB.Steps(ctx, jobID)
	if err != nil {
		return err
	}
	for _, s := range steps {
		if s.Number != number {
			continue
		}
		if s.LogFirstLine == nil {
			return fmt.Errorf("job %d: step %d (%s) has no lines in the log", jobID, number, s.Name)
		}
		return l.Archive.CopyLines(ctx, w, refOf(entry), *s.LogFirstLine, *s.LogLastLine)
	}
	return fmt.Errorf("job %d has no step %d: %w", jobID, number, store.ErrNotFound)
}

// entry reads the ledger and fails if the log is not in the bucket.
func (l Logs) entry(ctx context.Context, jobID int64) (store.JobLog, error) {
	entry, err := l.DB.JobLog(ctx, jobID)
	if err != nil {
		return store.JobLog{}, err
	}
	if entry.State != store.LogArchived {
		reason := ""
		if entry.Reason != nil {
			reason = ": " + *entry.Reason
		}
		return store.JobLog{}, fmt.Errorf("job %d: %w; it is %s%s", jobID, ErrNoLog, entry.State, reason)
	}
	return entry, nil
}

func refOf(entry store.JobLog) archive.Ref {
	return archive.Ref{
		Key: *entry.ObjectKey, StoredBytes: *entry.StoredBytes, RawBytes: *entry.RawBytes, Lines: *entry.Lines,
		FrameLines: entry.FrameLines, FrameOffsets: entry.FrameOffsets,
	}
}
