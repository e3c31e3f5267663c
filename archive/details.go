package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// PutDetails keeps a job as the REST API sent it. If the job's details are kept
// already they stay, and are returned: what the bucket holds is what counts.
func (a *Archive) PutDetails(ctx context.Context, key JobKey, raw []byte) ([]byte, error) {
	_, err := a.bucket.Put(ctx, key.Details(), bytes.NewReader(raw))
	if errors.Is(err, ErrExists) {
		return a.read(ctx, key.Details())
	}
	return raw, err
}

// Details is the job as GitHub sent it. Fails with ErrNotFound, and with
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
}

// PutSettled keeps the record. If there is one already it stays.
func (a *Archive) PutSettled(ctx context.Context, key JobKey, s Settled) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	_, err = a.bucket.Put(ctx, key.Settled(), bytes.NewReader(append(b, '\n')))
	if errors.Is(err, ErrExists) {
		return nil
	}
	return err
}

// Settled is the record of why the job has no log. Fails with ErrNotFound if
// there is none, and with ErrUnreadable if what is there is no such record.
func (a *Archive) Settled(ctx context.Context, key JobKey) (Settled, error) {
	_, s, err := a.SettledBytes(ctx, key)
	return s, err
}

// SettledBytes is Settled, with the record's own bytes.
func (a *Archive) SettledBytes(ctx context.Context, key JobKey) (b []byte, s Settled, err error) {
	if b, err = a.read(ctx, key.Settled()); err != nil {
		return nil, Settled{}, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, Settled{}, fmt.Errorf("archive: %s: %w: %w", key.Settled(), ErrUnreadable, err)
	}
	return b, s, nil
}

// maxDetails bounds a job.json; GitHub's largest, with 1,000 steps, has 300 KB.
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
		return nil, fmt.Errorf("archive: %s: %w: it has more than %d bytes", key, ErrUnreadable, maxDetails)
	}
	return b, nil
}

// HasLog tells whether the job has a log in the bucket.
func (a *Archive) HasLog(ctx context.Context, key JobKey) (bool, error) {
	_, err := a.bucket.Size(ctx, key.Log())
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
