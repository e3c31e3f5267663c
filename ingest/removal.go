package ingest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// ErrOlderDatabase says that a job's settled.json tells of more than the ledger does.
var ErrOlderDatabase = errors.New("the database is older than the bucket")

// ReplaceSettled puts a record of the ledger's into a job's folder. It fails with
// ErrOlderDatabase, and changes nothing, if the one that is there tells of more that was
// done to the log: what the ledger calls gone may be all that is left of it.
func ReplaceSettled(ctx context.Context, a *archive.Archive, key archive.JobKey, s archive.Settled) ([]byte, error) {
	kept, err := a.Settled(ctx, key)
	switch {
	case err == nil && kept.Steps() > s.Steps():
		return nil, fmt.Errorf("%w: %s tells of %d removals and redactions, the ledger of %d; jobvault rebuild has the ledger hear of them",
			ErrOlderDatabase, key.Settled(), kept.Steps(), s.Steps())
	case err != nil && !errors.Is(err, bucket.ErrNotFound) && !errors.Is(err, bucket.ErrUnreadable):
		return nil, err
	}
	return a.ReplaceSettled(ctx, key, s)
}

// RemovalFromRecord turns the bucket's record of a removal back into rows. A redacted copy
// that cannot be read gets no frames; verify reports it. seen is when the bucket was
// looked at.
func RemovalFromRecord(ctx context.Context, a *archive.Archive, key archive.JobKey, s archive.Settled, steps []store.Step, seen time.Time) (store.RestoredRemoval, error) {
	m := s.Removal
	r := store.RestoredRemoval{
		HTTPStatus: s.HTTPStatus, Reason: s.Reason, SettledAt: s.At, Steps: s.Steps(),
		Removal: store.Removal{
			JobID: key.JobID, Kind: m.Kind, Reason: m.Reason, Actor: m.Actor, DecidedAt: m.DecidedAt, SHA256: m.SHA256[:], RawBytes: m.RawBytes,
			StoredBytes: m.StoredBytes, Lines: m.Lines, Truncated: m.Truncated, ObjectKey: key.LogNumbered(len(m.Shorter) + 1), ArchivedAt: m.ArchivedAt,
		},
		Shorter: record.ShorterRows(key.JobID, m.Shorter),
	}
	if m.Rule != "" {
		r.Removal.Rule = &m.Rule
	}
	present := ""
	for _, kept := range s.Redactions {
		c := store.Redaction{
			JobID: key.JobID, Number: kept.Number, ObjectKey: key.Redacted(kept.Number), SHA256: kept.SHA256[:], StoredSHA256: kept.StoredSHA256[:],
			RawBytes: kept.RawBytes, StoredBytes: kept.StoredBytes, Lines: kept.Lines, RedactedLines: kept.RedactedLines, Matches: kept.Matches,
			Actor: kept.Actor, Reason: kept.Reason, At: kept.At,
		}
		if kept.RemovedAt != nil {
			c.RemovedAt, c.RemovedBy, c.RemovedReason = kept.RemovedAt, &kept.RemovedBy, &kept.RemovedReason
		} else {
			present = c.ObjectKey
			log, err := a.DescribeRedacted(ctx, key, kept.Number)
			switch {
			case errors.Is(err, bucket.ErrNotFound), errors.Is(err, bucket.ErrUnreadable):
			case err != nil:
				return r, err
			case log.SHA256 == kept.SHA256:
				c.FrameLines, c.FrameOffsets = log.FrameLines, log.FrameOffsets
				r.Usage, r.StepLines = log.Index.Usage, record.StepLines(log.Index, steps)
			}
		}
		r.Redactions = append(r.Redactions, c)
	}
	err := CheckPurged(ctx, a, key, present)
	switch {
	case err == nil:
		r.Removal.FinishedAt = &seen
	case IsNotPurged(err):
		err = nil // it is for whoever finishes it
	}
	return r, err
}

// RemainingObjects lists the objects of a removed log that are there still: of the log, and
// copies other than the present one (empty: there is none).
func RemainingObjects(ctx context.Context, a *archive.Archive, key archive.JobKey, present string) ([]string, error) {
	var left []string
	for o, err := range a.Bucket().List(ctx, key.Prefix()) {
		if err != nil {
			return nil, err
		}
		if record.RemovedWithLog(key, o.Key, present) {
			left = append(left, o.Key)
		}
	}
	return left, nil
}

// AdoptRemoval writes into the ledger that a log is removed, or was redacted again, if
// settled.json says so and the ledger does not: its database is older than that. It
// returns whether the bucket calls the log removed, and the job's settled.json, whatever
// that says; nil: there is none. It may be repeated.
func AdoptRemoval(ctx context.Context, db *store.DB, a *archive.Archive, key archive.JobKey, now time.Time) (bool, *store.Details, error) {
	raw, s, err := a.SettledBytes(ctx, key)
	if errors.Is(err, bucket.ErrNotFound) {
		return false, nil, nil
	}
	if err != nil {
		return false, nil, err
	}
	kept := record.DetailsOf(raw)
	if is, err := record.IsRemoval(s); err != nil || !is {
		return false, kept, err
	}
	return true, kept, AdoptRemovalRecord(ctx, db, a, key, s, kept, now)
}

// errDamagedRecord says that a job's settled.json cannot be read: it may say that the log was
// removed, so that nothing is fetched. It does not mend itself.
var errDamagedRecord = errors.New("it may say that the log was removed; jobvault verify --repair looks for that in the log of removals")

// AdoptRemovalRecord writes into the ledger what a record says of a removal and of its
// redacted copies. It is idempotent: a ledger that says as much already stays as it is. kept is the settled.json that is the
// record; nil: another object tells it.
func AdoptRemovalRecord(ctx context.Context, db *store.DB, a *archive.Archive, key archive.JobKey, s archive.Settled, kept *store.Details, now time.Time) error {
	steps, err := db.Steps(ctx, key.JobID)
	if err != nil {
		return err
	}
	r, err := RemovalFromRecord(ctx, a, key, s, steps, now)
	if err != nil {
		return err
	}
	r.Settled = kept
	_, err = db.RestoreRemoval(ctx, r)
	return err
}

// ErrIncompleteListing says that the bucket's list of versions lacks an object that is there.
var ErrIncompleteListing = errors.New("the bucket's list of versions lacks an object that is there, and cannot be relied on")

// CheckPurged fails with bucket.ErrRemains if anything of a removed log is in its
// folder still: objects, or versions and delete markers of them. The record of the
// removal must be listed, or it fails with ErrIncompleteListing: a list without it proves
// nothing.
func CheckPurged(ctx context.Context, a *archive.Archive, key archive.JobKey, present string) error {
	if left, err := RemainingObjects(ctx, a, key, present); err != nil {
		return err
	} else if len(left) > 0 {
		return fmt.Errorf("%w: %s is listed", bucket.ErrRemains, strings.Join(left, ", "))
	}
	seen := false
	var left []string
	for v, err := range a.Bucket().ListVersions(ctx, key.Prefix()) {
		if err != nil {
			return err
		}
		seen = seen || v.Key == key.Settled() && !v.Marker
		if record.RemovedWithLog(key, v.Key, present) {
			left = append(left, v.Key+": "+v.String())
		}
	}
	switch {
	case len(left) > 0:
		return fmt.Errorf("%w: %s", bucket.ErrRemains, strings.Join(left, ", "))
	case !seen:
		return fmt.Errorf("%w: %s", ErrIncompleteListing, key.Settled())
	}
	return nil
}

// IsNotPurged tells whether CheckPurged failed because something remains, or because the
// bucket cannot say so, and not because the bucket did not answer.
func IsNotPurged(err error) bool {
	return errors.Is(err, bucket.ErrRemains) || errors.Is(err, bucket.ErrVersionsUnknown) || errors.Is(err, ErrIncompleteListing)
}

// PurgeAll removes objects with all their versions, each once, and goes on where one
// cannot be removed. It may be repeated: what is not there is no error.
func PurgeAll(ctx context.Context, a *archive.Archive, keys []string) error {
	var errs []error
	done := make(map[string]bool)
	for _, key := range keys {
		if !done[key] {
			done[key] = true
			errs = append(errs, a.Bucket().Purge(ctx, key))
		}
	}
	return errors.Join(errs...)
}

// PurgeLateLog removes a log that a slow worker has put into the bucket after the ledger
// called it removed. As long as the log
// of removals does not tell of the removal, nothing goes: whoever finishes it sees to it.
func PurgeLateLog(ctx context.Context, db *store.DB, a *archive.Archive, key archive.JobKey) error {
	l, err := db.JobLog(ctx, key.JobID)
	if err != nil || l.State != store.LogRemoved || l.Removal == nil || l.Removal.LoggedIn == nil {
		return err
	}
	// Also what nobody was told of. Copies are left alone: one may be about to get its row.
	keys := key.LogObjects(len(l.Shorter) + 1)
	for o, err := range a.Bucket().List(ctx, key.Prefix()) {
		if err != nil {
			return err
		}
		if archive.LogNumber(o.Key) > 0 {
			keys = append(keys, o.Key)
		}
	}
	return PurgeAll(ctx, a, keys)
}
