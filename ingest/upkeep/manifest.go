package upkeep

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

var (
	// ErrManifestsBusy says that another process writes manifests right now.
	ErrManifestsBusy = errors.New("another jobvault writes manifests right now")
	// ErrManifestsBroken says that the manifests in the bucket are not those that
	// were written: nothing may be written after them before somebody has looked.
	ErrManifestsBroken = errors.New("the manifests in the bucket are not those that were written")
	// ErrManifestAhead is an ErrManifestsBroken: there is one of a day that is not over.
	// A clock was wrong when it was written.
	ErrManifestAhead = fmt.Errorf("%w: one of them is of a day that is not over", ErrManifestsBroken)
)

// manifestDelay is how long a day must be over: what is being settled at its end
// has time to be.
const manifestDelay = time.Hour

// Manifests writes daily manifests. It may be killed at any moment, and run beside
// itself: no settlement is listed twice, or not at all.
//
// A manifest is put into the bucket first. Then it is read back, its jobs are marked
// in the ledger, and last it is noted in the table. One that is found in the bucket
// and not in the table is taken from there on, if it follows the last one that is.
type Manifests struct {
	DB      *store.DB
	Archive *archive.Archive
	Logger  *slog.Logger
	Metrics *ManifestMetrics // nil: nothing is counted
	// Now is for tests. Nil: which day is over is Postgres' to say, asked before each
	// manifest, and none is written while this process's clock is too far from that.
	Now func() time.Time
}

// due is the day of the last manifest that is due, and of the last one that may be there:
// another process may have been early by what its clock may be wrong.
func (m *Manifests) due(ctx context.Context) (due, latest time.Time, err error) {
	var now time.Time
	if m.Now != nil {
		now = m.Now()
	} else if now, err = m.DB.DecidingTime(ctx); err != nil {
		return due, latest, err
	}
	return dueAt(now), dueAt(now.Add(store.MaxSkew)), nil
}

func dueAt(now time.Time) time.Time {
	return now.UTC().Add(-manifestDelay).Truncate(24*time.Hour).AddDate(0, 0, -1)
}

// at is when a manifest is noted, for the store: zero is Postgres' now().
func (m *Manifests) at() time.Time {
	if m.Now == nil {
		return time.Time{}
	}
	return m.Now()
}

// WriteDue writes the manifests that are due, one day after the other: that of a day
// when it has been over for an hour. The first one ever is that of yesterday, and
// lists all that was settled before its end. Before it writes, the ledger hears of all
// removals that the bucket tells of. It calls written for each. Fails with
// ErrManifestsBusy, ErrManifestsBroken, ErrManifestAhead, ErrRemovalsBroken and
// store.SkewError.
func (m *Manifests) WriteDue(ctx context.Context, written func(archive.Manifest)) error {
	due, latest, err := m.due(ctx)
	if err != nil {
		return err
	}
	// Asked without the lock: most of the time nothing is due.
	last, err := m.DB.LastManifest(ctx)
	if err == nil && last.Date.After(latest) {
		return ahead(last.Date, "the table manifests and the bucket")
	}
	if err == nil && !last.Date.Before(due) {
		return nil
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	unlock, held, err := m.DB.LockManifests(ctx)
	if err != nil {
		return err
	}
	if !held {
		return ErrManifestsBusy
	}
	defer unlock()
	if err := m.adoptRemovals(ctx); err != nil {
		return err
	}
	previous, err := m.catchUp(ctx, latest, written)
	if err != nil {
		return err
	}
	return m.writeAfter(ctx, previous, due, written)
}

// writeAfter writes the manifests that follow previous until none is due; nil: none was
// ever written, and first is the date of the first.
func (m *Manifests) writeAfter(ctx context.Context, previous *archive.Manifest, first time.Time, written func(archive.Manifest)) error {
	date := first
	if previous != nil {
		date = previous.Date.AddDate(0, 0, 1)
	}
	for ; ; date = date.AddDate(0, 0, 1) {
		// Asked for each: one may take long, and clocks are set at any time.
		if due, _, err := m.due(ctx); err != nil || date.After(due) {
			return err
		}
		removals, err := m.removals(ctx)
		if err != nil {
			return err
		}
		_, err = m.Archive.WriteManifest(ctx, date, previous, removals, m.lines(ctx, date.AddDate(0, 0, 1)))
		if err != nil && !errors.Is(err, bucket.ErrExists) {
			return fmt.Errorf("write the manifest of %s: %w", date.Format(time.DateOnly), err)
		}
		if previous, err = m.take(ctx, date, previous); err != nil {
			return err
		}
		written(*previous)
	}
}

// catchUp makes table and bucket agree, and returns the last manifest: nil if there
// is none yet. Those that the bucket has beyond the table were written by somebody
// who was killed then, or the table comes from an older dump.
func (m *Manifests) catchUp(ctx context.Context, latest time.Time, written func(archive.Manifest)) (*archive.Manifest, error) {
	inBucket, err := m.Archive.Manifests(ctx, func(bucket.Object) {})
	if err != nil {
		return nil, err
	}
	var previous *archive.Manifest
	last, err := m.DB.LastManifest(ctx)
	switch {
	case err == nil:
		if previous, err = m.confirm(ctx, last); err != nil {
			return nil, err
		}
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	for _, date := range inBucket {
		if previous != nil && !date.After(previous.Date) {
			continue
		}
		if date.After(latest) {
			return nil, ahead(date, "the bucket")
		}
		if previous, err = m.take(ctx, date, previous); err != nil {
			return nil, err
		}
		written(*previous)
	}
	return previous, nil
}

// confirm wants the last manifest of the table to be in the bucket as it was written.
func (m *Manifests) confirm(ctx context.Context, last store.Manifest) (*archive.Manifest, error) {
	found, err := m.Archive.ReadManifest(ctx, last.Date, func(archive.ManifestEntry) error { return nil })
	if errors.Is(err, bucket.ErrNotFound) {
		if err := m.Archive.Bucket().Check(ctx); err != nil {
			return nil, err
		}
		return nil, broken("the last one, of %s with SHA-256 %x, is not there", last.Date.Format(time.DateOnly), last.SHA256)
	}
	if errors.Is(err, bucket.ErrUnreadable) {
		return nil, broken("%v", err)
	}
	if err == nil && string(found.SHA256[:]) != string(last.SHA256) {
		err = broken("that of %s has SHA-256 %x; written was %x", last.Date.Format(time.DateOnly), found.SHA256, last.SHA256)
	}
	return &found, err
}

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %s; see jobvault verify --manifests", ErrManifestsBroken, fmt.Sprintf(format, args...))
}

// ahead says which manifest, and what can be done.
func ahead(date time.Time, where string) error {
	return fmt.Errorf("%w: that of %s, %s, is in %s; either wait: the next one is written after %s, or take it back: see docs/manifests.md, When none is written",
		ErrManifestAhead, date.Format(time.DateOnly), archive.ManifestKey(date), where, date.AddDate(0, 0, 2).Add(manifestDelay).Format(time.RFC3339))
}

// markBatch is how many jobs are marked in one transaction.
const markBatch = 1000

// take reads a manifest from the bucket, marks its jobs, and notes it last. Nothing
// is marked of one that is not whole, or does not follow the one before.
func (m *Manifests) take(ctx context.Context, date time.Time, previous *archive.Manifest) (*archive.Manifest, error) {
	found, err := m.Archive.ReadManifest(ctx, date, func(archive.ManifestEntry) error { return nil })
	if errors.Is(err, bucket.ErrUnreadable) {
		return nil, broken("%v", err)
	}
	if err != nil {
		return nil, err
	}
	if !follows(found, previous) {
		return nil, broken("that of %s does not follow the one before it", date.Format(time.DateOnly))
	}
	if err := markListed(ctx, m.DB, m.Archive, found); err != nil {
		return nil, err
	}
	if err := m.DB.RecordManifest(ctx, record.ManifestRowOf(found, m.at())); err != nil {
		return nil, err
	}
	m.Metrics.countWritten()
	m.Logger.InfoContext(ctx, "manifest written", ingest.KeyManifest, date.Format(time.DateOnly), ingest.KeyCount, found.Jobs, ingest.KeyDigest, hex.EncodeToString(found.SHA256[:]))
	return &found, nil
}

func follows(m archive.Manifest, previous *archive.Manifest) bool {
	if previous == nil {
		return m.Previous == nil
	}
	return m.Previous != nil && m.Previous.Equal(previous.Date) && m.PreviousSHA256 == previous.SHA256
}

// markListed marks the jobs of a manifest that was read before, and found whole.
func markListed(ctx context.Context, db *store.DB, a *archive.Archive, m archive.Manifest) error {
	var batch []store.Listed
	var longer []archive.ManifestLine
	mark := func() error {
		err := hearLonger(ctx, db, a, longer)
		if err == nil {
			_, err = db.MarkListed(ctx, m.Date, batch)
		}
		batch, longer = batch[:0], longer[:0]
		return err
	}
	again, err := a.ReadManifest(ctx, m.Date, func(l archive.ManifestEntry) error {
		listed, err := record.ListedOf(l.ManifestLine)
		listed.Whole = m.Whole
		if err != nil {
			return fmt.Errorf("line %d: %w", l.Number, err)
		}
		if len(l.Shorter) > 0 {
			longer = append(longer, l.ManifestLine)
		}
		if batch = append(batch, listed); len(batch) < markBatch {
			return nil
		}
		return mark()
	})
	if err == nil && again.SHA256 != m.SHA256 {
		err = broken("that of %s changed while it was read", m.Date.Format(time.DateOnly))
	}
	if err == nil {
		err = mark()
	}
	return err
}
