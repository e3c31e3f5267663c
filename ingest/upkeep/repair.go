package upkeep

import (
	"context"
	"errors"
	"fmt"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// repairLog makes an archived log whole again: the ledger from the object if
// that is good, else the object from GitHub. What it puts in place has the digest
// of the ledger, or it leaves everything as it was.
func (r *verification) repairLog(ctx context.Context, l store.LedgerLine) (bool, string, error) {
	// Not fetched again what somebody removed.
	is, said, err := r.repairRestored(ctx, l)
	if errors.Is(err, bucket.ErrUnreadable) {
		var not bool
		if not, said, err = r.isNotRemoved(ctx, l); !not {
			return false, said, err
		}
	}
	if is || err != nil {
		return is, said, err
	}
	want := record.LogOf(l)
	// What was found may have been looked at by its size alone.
	damage, err := r.Archive.Verify(ctx, want, true)
	if err != nil {
		return false, "", err
	}
	if damage == nil {
		return true, "the log is whole", nil
	}
	switch damage.Kind {
	case archive.FaultShorter:
		return false, "the log is whole; the row of the shorter one is not", nil
	case archive.FaultBytes, archive.FaultLines, archive.FaultFrames, archive.FaultSize, archive.FaultObject:
		return r.correctLedger(ctx, l)
	}
	return r.fetchLog(ctx, l, want)
}

// correctLedger writes into the ledger how a good log is stored.
func (r *verification) correctLedger(ctx context.Context, l store.LedgerLine) (bool, string, error) {
	log, err := r.Archive.Describe(ctx, *l.ObjectKey)
	if err != nil {
		return false, "", err
	}
	done, err := r.DB.RepairObject(ctx, l.JobID, record.ObjectOf(log, r.Now()))
	if !done {
		return false, "the ledger has changed meanwhile", err
	}
	return true, "the log is whole; the ledger is corrected", err
}

// fetchLog puts GitHub's log in the place of what is lost or damaged, if it is the
// one that the ledger tells of.
func (r *verification) fetchLog(ctx context.Context, l store.LedgerLine, want archive.Log) (bool, string, error) {
	var body *ghapi.Log
	err := ingest.AtRepository(ctx, r.DB, r.GitHub, l.Repository, func(c *ghapi.Client, repo store.Repository) (err error) {
		body, err = c.OpenLog(ctx, repo.Owner, repo.Name, l.JobID)
		return err
	})
	if err != nil {
		return refusedRepair(err)
	}
	log, err := r.Archive.RestoreLog(ctx, want.Key, body, &want.SHA256)
	if cerr := body.Close(); errors.Is(err, archive.ErrDigestMismatch) {
		return false, fmt.Sprintf("GitHub has another log now: %d bytes, SHA-256 %x", log.RawBytes, log.SHA256), nil
	} else if err := errors.Join(err, cerr); err != nil && !errors.Is(err, archive.ErrFilters) {
		return refusedRepair(err)
	}
	withoutFilters := err // the object is the new one all the same, which the ledger has to know
	done, err := r.DB.RepairObject(ctx, l.JobID, record.ObjectOf(log, r.Now()))
	if err == nil && !done {
		err = ingest.PurgeLateLog(ctx, r.DB, r.Archive, record.KeyOfLedgerLine(l))
	}
	if !done {
		return false, "the ledger has changed meanwhile", err
	}
	return true, "fetched again from GitHub", errors.Join(err, withoutFilters)
}

// refusedRepair takes GitHub's no for an outcome, and all else for an error; a
// limit too, which is waited for.
func refusedRepair(err error) (bool, string, error) {
	var e *ghapi.Error
	if errors.As(err, &e) && e.Class != ghapi.RateLimited {
		return false, "not to be had: " + e.Error(), nil
	}
	return false, "", err
}

// repairFilters makes the filters of a log again. What is removed meanwhile, they go with.
func (r *verification) repairFilters(ctx context.Context, l store.LedgerLine) (bool, string, error) {
	log, err := r.Archive.AdoptLog(ctx, *l.ObjectKey, nil)
	if err != nil {
		return false, "", err
	}
	recorded, err := recordIndex(ctx, r.DB, l.JobID, log)
	if err == nil && !recorded {
		return false, "the ledger has changed meanwhile, or the log is another one", ingest.PurgeLateLog(ctx, r.DB, r.Archive, record.KeyOfLedgerLine(l))
	}
	return err == nil, "made again of the log", err
}

// repairDetails puts job.json into its place: as GitHub has it, or, if it does not
// know the job any more, as the webhook told that said it had completed.
func (r *verification) repairDetails(ctx context.Context, l store.LedgerLine) (bool, string, error) {
	var job ghapi.Job
	err := ingest.AtRepository(ctx, r.DB, r.GitHub, l.Repository, func(c *ghapi.Client, repo store.Repository) (err error) {
		job, err = c.Job(ctx, repo.Owner, repo.Name, l.JobID)
		return err
	})
	if err == nil {
		err = r.putDetails(ctx, l, job.Raw)
		return err == nil, "fetched again from GitHub", err
	}
	if !ghapi.IsNotFound(err) {
		return refusedRepair(err)
	}
	raw, status, werr := ingest.LatestWebhookJob(ctx, r.DB, l.JobID)
	if errors.Is(werr, ingest.ErrNoWebhook) || werr == nil && status != store.StatusCompleted {
		return refusedRepair(err)
	}
	if werr != nil {
		return false, "", werr
	}
	err = r.putDetails(ctx, l, raw)
	return err == nil, "made again from a webhook", err
}

func (r *verification) putDetails(ctx context.Context, l store.LedgerLine, raw []byte) error {
	kept, err := r.Archive.PutDetails(ctx, record.KeyOfLedgerLine(l), raw)
	if err != nil {
		return err
	}
	return r.DB.RecordDetails(ctx, l.JobID, *record.DetailsOf(kept))
}

// repairSettled writes the record again, from the ledger.
func (r *verification) repairSettled(ctx context.Context, l store.LedgerLine) (bool, string, error) {
	return r.writeSettled(ctx, l, record.SettledOf(l.JobLog), r.Archive.PutSettled)
}

// repairUnreadable is rewriteSettled for a record that cannot be read, of a job that the
// ledger does not call removed.
func (r *verification) repairUnreadable(ctx context.Context, l store.LedgerLine) (bool, string, error) {
	if not, said, err := r.isNotRemoved(ctx, l); !not {
		return false, said, err
	}
	return r.rewriteSettled(ctx, l, record.SettledOf(l.JobLog))
}

// isNotRemoved tells that a job's log was not removed, where settled.json cannot: the log of
// removals, which tells of each before anything goes, is whole, and the ledger has heard all
// of it. Else it says why not.
func (r *verification) isNotRemoved(ctx context.Context, l store.LedgerLine) (not bool, said string, err error) {
	_, err = (&RemovalLog{DB: r.DB, Archive: r.Archive}).Confirm(ctx)
	if errors.Is(err, ErrRemovalsBroken) {
		return false, "settled.json may say that the log was removed, and nothing else tells: " + err.Error(), nil
	}
	if err != nil {
		return false, "", err
	}
	now, err := r.DB.JobLog(ctx, l.JobID)
	if err != nil || now.State == l.State {
		return err == nil, "", err
	}
	return false, "the log of removals says that it was removed; the ledger is corrected", nil
}

// writeSettled puts a record, as it follows from the database, into its place. If that
// is not the one that was noted, the next manifest lists the job with the new one.
func (r *verification) writeSettled(
	ctx context.Context, l store.LedgerLine, s archive.Settled, put func(context.Context, archive.JobKey, archive.Settled) ([]byte, error),
) (bool, string, error) {
	raw, err := put(ctx, record.KeyOfLedgerLine(l), s)
	if errors.Is(err, ingest.ErrOlderDatabase) {
		return false, err.Error(), nil
	}
	if err != nil {
		return false, "", err
	}
	d, said := record.DetailsOf(raw), "written again from the ledger"
	if l.SettledSHA256 != nil && string(d.SHA256[:]) != string(l.SettledSHA256) {
		said += fmt.Sprintf(", now with SHA-256 %x; the next manifest lists it", d.SHA256)
	}
	return true, said, r.DB.RecordSettled(ctx, l.JobID, *d)
}

// rewriteSettled puts a record in the place of one that was changed, if it is the one
// that was noted.
func (r *verification) rewriteSettled(ctx context.Context, l store.LedgerLine, s archive.Settled) (bool, string, error) {
	raw, err := s.Bytes()
	if err != nil {
		return false, "", err
	}
	if d := record.DetailsOf(raw); l.SettledSHA256 != nil && string(d.SHA256[:]) != string(l.SettledSHA256) {
		return false, "the database's rows do not give the record that was noted either", nil
	}
	return r.writeSettled(ctx, l, s, r.replaceSettled)
}

func (r *verification) replaceSettled(ctx context.Context, key archive.JobKey, s archive.Settled) ([]byte, error) {
	return ingest.ReplaceSettled(ctx, r.Archive, key, s)
}
