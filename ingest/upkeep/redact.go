package upkeep

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// ErrNoText says that there is nothing of a job's log to redact.
var ErrNoText = errors.New("there is no log of it in the archive")

// RedactOptions say what is redacted.
type RedactOptions struct {
	JobID    int64            // whose log it is
	Actor    string           // who redacts, for the ledger and the bucket
	Reason   string           // why, for the same; no secret
	Patterns []*regexp.Regexp // nil: all of the log
}

// Redact removes a job's log as GitHub sent it, or what an earlier redaction left of
// it. With patterns, a copy without what they match takes its place. It returns the
// copy, nil without patterns, and what is not finished in the bucket; the ledger says
// removed then all the same. It fails with store.HeldError, ErrNoText, and as
// archive.RedactLog: then nothing is changed.
func (m *Remover) Redact(ctx context.Context, o RedactOptions) (*store.Redaction, *Unfinished, error) {
	if err := m.DB.CheckHold(ctx, o.JobID); err != nil {
		return nil, nil, err
	}
	copied, err := m.redact(ctx, o)
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("job %d: %w", o.JobID, ErrNoText)
	}
	if err != nil {
		return nil, nil, err
	}
	left, err := m.finishNow(ctx, o.JobID)
	return copied, left, err
}

// finishNow has the log of removals tell of a removal, and finishes it. Whatever is in
// the way, the ledger says removed: it is told, and no error.
func (m *Remover) finishNow(ctx context.Context, jobID int64) (*Unfinished, error) {
	var left *Unfinished
	err := m.log().Append(ctx, func(u Unfinished) {
		if u.JobID == jobID {
			left = &u
		}
	})
	if err == nil && left == nil {
		_, left, err = m.finish(ctx, jobID)
	}
	if err != nil {
		left = &Unfinished{JobID: jobID, Error: err.Error()}
	}
	return left, ctx.Err()
}

// PreviewRedact says what Redact would take out: with patterns, what they match; else
// all that there is of the log, and no lines are named. It changes nothing, and fails as
// Redact does.
func (m *Remover) PreviewRedact(ctx context.Context, o RedactOptions) (p archive.RedactionPreview, err error) {
	if err := m.DB.CheckHold(ctx, o.JobID); err != nil {
		return p, err
	}
	l, err := m.DB.JobLog(ctx, o.JobID)
	if errors.Is(err, store.ErrNotFound) || err == nil && l.State != store.LogArchived && l.Redaction == nil {
		return p, fmt.Errorf("job %d: %w", o.JobID, ErrNoText)
	}
	if err != nil {
		return p, err
	}
	if len(o.Patterns) == 0 {
		p.Lines, p.Bytes = *l.Lines, *l.RawBytes
		if l.Redaction != nil {
			p.Lines, p.Bytes = l.Redaction.Lines, l.Redaction.RawBytes
		}
		return p, nil
	}
	_, from, sum, _, err := m.source(ctx, o.JobID)
	if err == nil {
		p, err = m.Archive.PreviewRedaction(ctx, from, sum, o.Patterns)
	}
	if err != nil {
		err = fmt.Errorf("redact the log of job %d: %w", o.JobID, err)
	}
	return p, err
}

func (m *Remover) redact(ctx context.Context, o RedactOptions) (*store.Redaction, error) {
	if len(o.Patterns) == 0 {
		return nil, m.DB.RemoveByHand(ctx, o.JobID, o.Actor, o.Reason, m.at())
	}
	c, err := m.redactText(ctx, o)
	if errors.Is(err, errCopyGone) {
		// With the removal of before: now that it is finished, there is none to take the next.
		c, err = m.redactText(ctx, o)
	}
	return c, err
}

// errCopyGone says that a copy was removed, as what a killed redaction left, before a row
// told of it.
var errCopyGone = errors.New("the copy is gone from the bucket: somebody finished an earlier removal of the log meanwhile; try again")

// redactText has a copy take the place of a job's text.
func (m *Remover) redactText(ctx context.Context, o RedactOptions) (*store.Redaction, error) {
	key, from, sum, number, err := m.source(ctx, o.JobID)
	if err != nil {
		return nil, err
	}
	log, count, number, err := m.putCopy(ctx, key, from, sum, number, o.Patterns)
	if err != nil {
		return nil, fmt.Errorf("redact the log of job %d: %w", o.JobID, err)
	}
	c := store.Redaction{
		JobID: o.JobID, Number: number, ObjectKey: log.Key, RawBytes: log.RawBytes, StoredBytes: log.StoredBytes, Lines: log.Lines,
		SHA256: log.SHA256[:], StoredSHA256: log.StoredSHA256[:], FrameLines: log.FrameLines, FrameOffsets: log.FrameOffsets,
		RedactedLines: count.Lines, Matches: count.Matches, Actor: o.Actor, Reason: o.Reason, At: m.at(),
	}
	there := func(ctx context.Context) error { return copyThere(ctx, m.Archive, log) }
	if err := m.DB.Redact(ctx, c, sum[:], record.StepAligner(log.Index), log.Index.Usage, there); err != nil {
		if refused(err) {
			// It is in no row, and never will be.
			drop := func(ctx context.Context) error { return m.Archive.Bucket().Purge(ctx, log.Key) }
			err = errors.Join(err, m.DB.DropCopy(ctx, c.JobID, c.Number, drop))
		}
		return nil, err
	}
	return &c, nil
}

// copyThere fails with errCopyGone if a copy that was put is not there, or another one is
// by its name.
func copyThere(ctx context.Context, a *archive.Archive, log archive.Log) error {
	size, err := a.Bucket().Size(ctx, log.Key)
	if errors.Is(err, bucket.ErrNotFound) || err == nil && size != log.StoredBytes {
		return errCopyGone
	}
	return err
}

// refused tells that a redaction was not taken; of other errors nobody knows.
func refused(err error) bool {
	var held *store.HeldError
	var skew *store.SkewError
	return errors.As(err, &held) || errors.As(err, &skew) || errors.Is(err, store.ErrOtherText) || errors.Is(err, errCopyGone) || errors.Is(err, store.ErrNotFound)
}

// source finds the text that there is of a job's log, and the first number that its
// next copy may have.
func (m *Remover) source(ctx context.Context, jobID int64) (key archive.JobKey, from string, sum [32]byte, number int, err error) {
	l, err := m.DB.JobLog(ctx, jobID)
	if err != nil {
		return key, "", sum, 0, err
	}
	var text []byte
	switch {
	case l.State == store.LogArchived:
		from, text, number = *l.ObjectKey, l.SHA256, 1
	case l.Redaction != nil:
		from, text, number = l.Redaction.ObjectKey, l.Redaction.SHA256, l.Redaction.Number+1
	default:
		return key, "", sum, 0, store.ErrNotFound
	}
	key, _, ok := archive.ParseKey(from)
	if !ok {
		return key, "", sum, 0, fmt.Errorf("job %d: the ledger names the object %s: jobvault verify tells more", jobID, from)
	}
	copy(sum[:], text)
	return key, from, sum, number, nil
}

// maxLeftovers bounds the copies that killed redactions may have left behind.
const maxLeftovers = 100

// putCopy puts a copy under the first number that is free. What a killed redaction left
// is not taken: nobody knows what it was to take out. It goes when the log does.
func (m *Remover) putCopy(ctx context.Context, key archive.JobKey, from string, sum [32]byte, number int, patterns []*regexp.Regexp) (archive.Log, archive.RedactionCount, int, error) {
	for last := number + maxLeftovers; ; number++ {
		log, count, err := m.Archive.RedactLog(ctx, from, sum, key, number, patterns)
		if !errors.Is(err, bucket.ErrExists) || number == last {
			return log, count, number, err
		}
	}
}
