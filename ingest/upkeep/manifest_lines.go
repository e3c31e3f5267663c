package upkeep

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// listBatch is how many jobs are read at once, and listParallel how many of their
// job.json where they must be.
const (
	listBatch    = 500
	listParallel = 16
)

// lines are those of all jobs that are settled before a time and in no manifest.
func (m *Manifests) lines(ctx context.Context, before time.Time) iter.Seq2[archive.ManifestLine, error] {
	return func(yield func(archive.ManifestLine, error) bool) {
		for after := int64(0); ; {
			batch, err := m.DB.Unlisted(ctx, before, after, listBatch)
			if err == nil {
				err = m.readWhatIsNotNoted(ctx, batch)
			}
			if err != nil {
				yield(archive.ManifestLine{}, err)
				return
			}
			if len(batch) == 0 {
				return
			}
			for _, l := range batch {
				if !yield(record.ManifestLineOf(l, *l.SettledAt), nil) {
					return
				}
			}
			after = batch[len(batch)-1].JobID
		}
	}
}

// readWhatIsNotNoted completes lines of jobs whose job.json or settled.json was not
// noted when it was put.
func (m *Manifests) readWhatIsNotNoted(ctx context.Context, batch []store.LedgerLine) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(listParallel)
	for i := range batch {
		l := &batch[i] // one goroutine's alone
		if l.DetailsSHA256 != nil && !settledIsUnknown(l.JobLog) {
			continue
		}
		g.Go(func() error {
			if l.DetailsSHA256 == nil {
				if err := m.readDetails(gctx, l); err != nil {
					return err
				}
			}
			if settledIsUnknown(l.JobLog) {
				return m.readSettled(gctx, l)
			}
			return nil
		})
	}
	return g.Wait()
}

// settledIsUnknown tells that nobody has noted whether there is a settled.json, nor
// how it is.
func settledIsUnknown(l store.JobLog) bool {
	return l.SettledSHA256 == nil && (l.SettledBytes == nil || l.State != store.LogArchived)
}

func (m *Manifests) readDetails(ctx context.Context, l *store.LedgerLine) error {
	raw, err := m.Archive.Details(ctx, record.KeyOfLedgerLine(*l))
	if errors.Is(err, bucket.ErrNotFound) || errors.Is(err, bucket.ErrUnreadable) {
		return nil // there is nothing to tell of it
	}
	if err != nil {
		return fmt.Errorf("job %d: %w", l.JobID, err)
	}
	d := record.DetailsOf(raw)
	l.DetailsSHA256, l.DetailsBytes = d.SHA256[:], &d.Bytes
	return nil
}

// readSettled passes over a record that says something else than the ledger: of a
// removal that is not finished, it is about to be another one. Beside a log there may
// be one of what it was before that came.
func (m *Manifests) readSettled(ctx context.Context, l *store.LedgerLine) error {
	raw, s, err := m.Archive.SettledBytes(ctx, record.KeyOfLedgerLine(*l))
	if errors.Is(err, bucket.ErrNotFound) || errors.Is(err, bucket.ErrUnreadable) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("job %d: %w", l.JobID, err)
	}
	if s.State != l.State && (l.State != store.LogArchived || !record.SettledWithoutLog(s.State)) {
		return nil
	}
	d := record.DetailsOf(raw)
	l.SettledSHA256, l.SettledBytes = d.SHA256[:], &d.Bytes
	return nil
}
