package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jobvault/jobvault/archive/bucket"
)

// PutDetails stores a job as the REST API sent it. If the bucket already has details of
// the job, they stay and are returned: the bucket's word counts. It fails with ErrTooLong,
// and stores nothing, if they are longer than Details reads.
func (a *Archive) PutDetails(ctx context.Context, key JobKey, raw []byte) ([]byte, error) {
	return a.putDetails(ctx, key.Details(), raw)
}

func (a *Archive) putDetails(ctx context.Context, key string, raw []byte) ([]byte, error) {
	if len(raw) > maxDetails {
		return nil, fmt.Errorf("archive: put %s: %w: it has %d bytes, more than %d", key, ErrTooLong, len(raw), maxDetails)
	}
	_, err := a.bucket.Put(ctx, key, bytes.NewReader(raw))
	if errors.Is(err, bucket.ErrExists) {
		return a.read(ctx, key)
	}
	return raw, err
}

// ReplaceDetails is PutDetails for a job whose details are damaged: these take their place.
func (a *Archive) ReplaceDetails(ctx context.Context, key JobKey, raw []byte) error {
	if len(raw) > maxDetails {
		return fmt.Errorf("archive: replace %s: %w: it has %d bytes, more than %d", key.Details(), ErrTooLong, len(raw), maxDetails)
	}
	_, err := a.bucket.Replace(ctx, key.Details(), bytes.NewReader(raw))
	return err
}

// ErrTooLong says that a job's details are longer than those of any job.
var ErrTooLong = errors.New("too long")

// Details returns the job as GitHub sent it. It fails with ErrNotFound, and with
// ErrUnreadable if it is longer than any job.
func (a *Archive) Details(ctx context.Context, key JobKey) ([]byte, error) {
	return a.read(ctx, key.Details())
}

// Settled is the record of why a job has no log in the bucket.
type Settled struct {
	State      string    `json:"state"`
	Reason     string    `json:"reason,omitempty"`
	HTTPStatus int       `json:"http_status,omitempty"`
	At         time.Time `json:"settled_at"`

	Removal    *Removal    `json:"removal,omitempty"`    // of a log that was archived and then removed
	Redactions []Redaction `json:"redactions,omitempty"` // copies of it, by their numbers; the last one may be there
}

// Removal says what a removed log was, who removed it, and why.
type Removal struct {
	Kind        string    `json:"kind"`
	Rule        string    `json:"rule,omitempty"`
	Reason      string    `json:"reason"`
	Actor       string    `json:"actor"`
	DecidedAt   time.Time `json:"decided_at"`
	SHA256      Digest    `json:"sha256"` // of the log as GitHub sent it
	RawBytes    int64     `json:"raw_bytes"`
	StoredBytes int64     `json:"stored_bytes"`
	Lines       int64     `json:"lines"`
	Truncated   bool      `json:"truncated,omitempty"`
	ArchivedAt  time.Time `json:"archived_at"`

	// Shorter are the logs that were archived before, by their numbers, and are removed too.
	Shorter []ShorterLog `json:"shorter,omitempty"`
}

// Redaction says what a redacted copy is, who made it, and why; and if the copy was
// removed, who removed it, and why.
type Redaction struct {
	Number        int        `json:"number"`
	SHA256        Digest     `json:"sha256"` // of its text
	StoredSHA256  Digest     `json:"stored_sha256"`
	RawBytes      int64      `json:"raw_bytes"`
	StoredBytes   int64      `json:"stored_bytes"`
	Lines         int64      `json:"lines"`
	RedactedLines int64      `json:"redacted_lines"`
	Matches       int64      `json:"matches"`
	Actor         string     `json:"actor"`
	Reason        string     `json:"reason"`
	At            time.Time  `json:"at"`
	RemovedAt     *time.Time `json:"removed_at,omitempty"` // nil: it is there
	RemovedBy     string     `json:"removed_by,omitempty"`
	RemovedReason string     `json:"removed_reason,omitempty"`
}

// PutSettled stores the record, and returns its bytes. If there is a record already, that
// one stays and is returned: the bucket's word counts.
func (a *Archive) PutSettled(ctx context.Context, key JobKey, s Settled) ([]byte, error) {
	b, err := s.Bytes()
	if err != nil {
		return nil, err
	}
	_, err = a.bucket.Put(ctx, key.Settled(), bytes.NewReader(b))
	if errors.Is(err, bucket.ErrExists) {
		return a.read(ctx, key.Settled())
	}
	return b, err
}

// ReplaceSettled is PutSettled for a job that may have a record of an earlier state,
// which it replaces. A record with the same content stays.
func (a *Archive) ReplaceSettled(ctx context.Context, key JobKey, s Settled) ([]byte, error) {
	b, err := s.Bytes()
	if err != nil {
		return nil, err
	}
	if kept, err := a.read(ctx, key.Settled()); err == nil && bytes.Equal(kept, b) {
		return b, nil
	} else if err != nil && !errors.Is(err, bucket.ErrNotFound) && !errors.Is(err, bucket.ErrUnreadable) {
		return nil, err
	}
	_, err = a.bucket.Replace(ctx, key.Settled(), bytes.NewReader(b))
	return b, err
}

// Bytes returns the record as it is stored. Records that say the same have the same
// bytes: times are in UTC, to the microsecond, as a database keeps them.
func (s Settled) Bytes() ([]byte, error) {
	s.At = kept(s.At)
	if s.Removal != nil {
		m := *s.Removal
		m.DecidedAt, m.ArchivedAt = kept(m.DecidedAt), kept(m.ArchivedAt)
		m.Shorter = slices.Clone(m.Shorter)
		for i := range m.Shorter {
			m.Shorter[i].ArchivedAt = kept(m.Shorter[i].ArchivedAt)
		}
		s.Removal = &m
	}
	s.Redactions = slices.Clone(s.Redactions)
	for i := range s.Redactions {
		c := &s.Redactions[i]
		c.At = kept(c.At)
		if c.RemovedAt != nil {
			c.RemovedAt = new(kept(*c.RemovedAt))
		}
	}
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	return append(b, '\n'), nil
}

func kept(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Settled returns the record of why the job has no log. It fails with ErrNotFound if
// there is none, and with ErrUnreadable if the object is no such record.
func (a *Archive) Settled(ctx context.Context, key JobKey) (Settled, error) {
	_, s, err := a.SettledBytes(ctx, key)
	return s, err
}

// SettledBytes is Settled that also returns the record's own bytes.
func (a *Archive) SettledBytes(ctx context.Context, key JobKey) (b []byte, s Settled, err error) {
	if b, err = a.read(ctx, key.Settled()); err != nil {
		return nil, Settled{}, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, Settled{}, fmt.Errorf("archive: %s: %w: %w", key.Settled(), bucket.ErrUnreadable, err)
	}
	return b, s, nil
}

// maxDetails bounds a job.json and a run.json; GitHub's largest job, with 1,000 steps, has 300 KB.
const maxDetails = 32 << 20

func (a *Archive) read(ctx context.Context, key string) ([]byte, error) {
	body, err := a.bucket.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(body, maxDetails+1))
	if err := errors.Join(err, body.Close()); err != nil {
		return nil, fmt.Errorf("archive: read %s: %w", key, err)
	}
	if len(b) > maxDetails {
		return nil, fmt.Errorf("archive: %s: %w: it has more than %d bytes", key, bucket.ErrUnreadable, maxDetails)
	}
	return b, nil
}

// HasLog reports whether the job has a log in the bucket.
func (a *Archive) HasLog(ctx context.Context, key JobKey) (bool, error) {
	_, err := a.bucket.Size(ctx, key.Log())
	if errors.Is(err, bucket.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
