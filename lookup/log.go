// Package lookup is the read path: it finds archived logs and sends them, whole or in
// part, after it has recorded who reads them. See docs/design.md#rooms.
//
// Below it, access decides who may read what, search finds lines in logs, rest answers
// programs, and pages answers people.
package lookup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

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

// Find reads the ledger's line of a job whose log, or a redacted copy of it, is in the
// archive. It fails with store.ErrNotFound or ErrNoLog.
func (l Logs) Find(ctx context.Context, jobID int64) (store.JobLog, error) {
	log, err := l.DB.JobLog(ctx, jobID)
	if err != nil {
		return store.JobLog{}, err
	}
	return log, CheckAvailable(log)
}

// CheckAvailable fails with ErrNoLog if neither the log nor a redacted copy of it is in the
// archive.
func CheckAvailable(log store.JobLog) error {
	if log.State == store.LogArchived || log.Redaction != nil {
		return nil
	}
	why := ""
	if log.State == store.LogRemoved && log.SettledAt != nil {
		why = " since " + log.SettledAt.UTC().Format(time.RFC3339)
	}
	if log.Reason != nil {
		why += ": " + *log.Reason
	}
	return fmt.Errorf("job %d: %w; it is %s%s", log.JobID, ErrNoLog, log.State, why)
}

// Readable is a job's log as readers get it: where there is a redacted copy, the ledger's
// line with that copy's key, sizes, digest and time, or else the line as it is. Calling
// it on its own result changes nothing.
func Readable(log store.JobLog) store.JobLog {
	c := log.Redaction
	if c == nil {
		return log
	}
	log.ObjectKey, log.RawBytes, log.StoredBytes, log.Lines, log.ArchivedAt = &c.ObjectKey, &c.RawBytes, &c.StoredBytes, &c.Lines, &c.At
	log.Shorter = nil
	log.SHA256, log.StoredSHA256, log.FrameLines, log.FrameOffsets = c.SHA256, c.StoredSHA256, c.FrameLines, c.FrameOffsets
	return log
}

// RedactedNote says how much was taken out of a redacted copy, and when. It is empty for
// a log as GitHub sent it.
func RedactedNote(log store.JobLog) string {
	c := log.Redaction
	if c == nil {
		return ""
	}
	return fmt.Sprintf("%d matches in %d lines; %s", c.Matches, c.RedactedLines, c.At.UTC().Format(time.RFC3339))
}

// Copy writes the selected part of a log to w, byte for byte as GitHub sent it, or that
// part of its redacted copy. Lines beyond the end are left out. It fails with ErrNoStep,
// and as archive.CopyLog.
func (l Logs) Copy(ctx context.Context, w io.Writer, log store.JobLog, sel Selection) error {
	if sel.IsWhole() {
		return l.Archive.CopyLog(ctx, w, LayoutOf(log))
	}
	lines, err := l.Lines(ctx, log, sel)
	if err != nil {
		return err
	}
	return l.Archive.CopyLines(ctx, w, LayoutOf(log), lines.First, lines.Last)
}

// LayoutOf returns the layout that the ledger has of a log, or of its redacted copy.
func LayoutOf(log store.JobLog) archive.LogLayout {
	log = Readable(log)
	return archive.LogLayout{
		Key: *log.ObjectKey, StoredBytes: *log.StoredBytes, RawBytes: *log.RawBytes, Lines: *log.Lines,
		FrameLines: log.FrameLines, FrameOffsets: log.FrameOffsets,
	}
}
