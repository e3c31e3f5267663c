package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// settle writes the ledger. It must come last: what is settled is not worked on again.
// Why a job has no log is put into the bucket first, from which the ledger can be rebuilt.
func (t *task) settle(ctx context.Context, s store.Settlement) error {
	s.JobID = t.id
	now := t.Now()
	switch s.State {
	case store.LogNone, store.LogExpired, store.LogMissing:
		if err := t.storeWebhookJob(ctx); err != nil {
			return err
		}
		var err error
		if now, err = t.storeSettled(ctx, &s, now); err != nil {
			return err
		}
	}
	s.Details = t.facts.Details
	changed, err := t.DB.Settle(ctx, s, now)
	if err == nil && !changed && s.Object != nil {
		err = PurgeLateLog(ctx, t.DB, t.Archive, t.key)
	}
	if err != nil || !changed {
		return err
	}
	t.Metrics.settled.WithLabelValues(s.State).Inc()
	level := slog.LevelInfo
	switch s.State {
	case store.LogDenied:
		level = slog.LevelError
	case store.LogMissing, store.LogExpired:
		if t.priority != store.PriorityBackfill { // of a backfill it is no news
			level = slog.LevelWarn
		}
	}
	attrs := []any{KeyState, s.State}
	if s.Reason != "" {
		attrs = append(attrs, KeyReason, s.Reason)
	}
	if s.Object != nil {
		t.Metrics.archived.Add(float64(s.Object.RawBytes))
		t.Metrics.archivedSize.Add(float64(s.Object.StoredBytes))
		attrs = append(attrs, KeyBytes, s.Object.RawBytes)
	}
	t.logger.Log(ctx, level, "job settled", attrs...)
	return nil
}

// storeSettled puts the record of why there is no log into the bucket. If a worker that
// was killed has put one already, the ledger says what that one does. One that is damaged
// stays, and is not noted: it may say more, see errDamagedRecord.
func (t *task) storeSettled(ctx context.Context, s *store.Settlement, now time.Time) (time.Time, error) {
	raw, err := t.Archive.PutSettled(ctx, t.key, archive.Settled{State: s.State, Reason: s.Reason, HTTPStatus: s.HTTPStatus, At: now})
	if errors.Is(err, bucket.ErrUnreadable) {
		return now, nil
	}
	if err != nil {
		return now, err
	}
	var kept archive.Settled
	if err := json.Unmarshal(raw, &kept); err != nil {
		return now, nil //nolint:nilerr // damaged
	}
	if _, err := record.IsRemoval(kept); err != nil {
		return now, nil //nolint:nilerr // likewise
	}
	s.Settled = record.DetailsOf(raw)
	if kept.State == s.State {
		s.Reason, s.HTTPStatus, now = kept.Reason, kept.HTTPStatus, kept.At
	}
	return now, nil
}

// storeWebhookJob puts what webhooks said of a job into the bucket as its job.json, if
// the REST API did not give one. It may be repeated.
func (t *task) storeWebhookJob(ctx context.Context) error {
	if t.detailsStored {
		return nil
	}
	raw, _, err := LatestWebhookJob(ctx, t.DB, t.id)
	if errors.Is(err, ErrNoWebhook) {
		return nil
	}
	if err != nil {
		return err
	}
	kept, _, err := putDetails(ctx, t.Archive, t.key, raw, t.known.Repository, t.logger)
	if err != nil {
		return err
	}
	t.detailsStored, t.facts.Details = true, record.DetailsOf(kept)
	return nil
}
