package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest/ghapi"
	"github.com/jobvault/jobvault/store"
)

// repairLog makes an archived log whole again: the ledger from the object if
// that is good, else the object from GitHub. What it puts in place has the digest
// of the ledger, or it leaves everything as it was.
func (r *verification) repairLog(ctx context.Context, l store.LedgerLine) (bool, string, error) {
	want := logOf(l)
	// What was found may have been looked at by its size alone.
	damage, err := r.Archive.Verify(ctx, want, true)
	if err != nil {
		return false, "", err
	}
	if damage == nil {
		return true, "the log is whole", nil
	}
	switch damage.Kind {
	case archive.DamageBytes, archive.DamageLines, archive.DamageFrames, archive.DamageSize, archive.DamageObject:
		return r.correctLedger(ctx, l)
	case archive.DamageAbsent:
		return r.fetchLog(ctx, l, want)
	}
	// A damaged object goes only when GitHub is known to have the log still.
	log, why, err := r.examine(ctx, l)
	if err != nil || why != "" {
		return false, why, err
	}
	if log.SHA256 != want.SHA256 {
		return false, otherLog(log), nil
	}
	if err := r.Archive.Bucket().Remove(ctx, want.Key); err != nil {
		return false, "", err
	}
	return r.fetchLog(ctx, l, want)
}

// correctLedger writes into the ledger how a good log is stored.
func (r *verification) correctLedger(ctx context.Context, l store.LedgerLine) (bool, string, error) {
	log, err := r.Archive.Describe(ctx, keyOfLine(l))
	if err != nil {
		return false, "", err
	}
	done, err := r.DB.RepairObject(ctx, l.JobID, objectOf(log, r.Now()))
	if !done {
		return false, "the ledger has changed meanwhile", err
	}
	return true, "the log is whole; the ledger is corrected", err
}

// fetchLog puts a log into the bucket that is not there.
func (r *verification) fetchLog(ctx context.Context, l store.LedgerLine, want archive.Log) (bool, string, error) {
	client, err := r.GitHub.For(ctx, l.Repository.InstallationID, l.Repository.Owner, l.Repository.Name)
	if err != nil {
		return refusedRepair(err)
	}
	body, err := client.OpenLog(ctx, l.Repository.Owner, l.Repository.Name, l.JobID)
	if err != nil {
		return refusedRepair(err)
	}
	log, err := r.Archive.PutLog(ctx, keyOfLine(l), body)
	if err := errors.Join(err, body.Close()); err != nil {
		return refusedRepair(err)
	}
	if log.SHA256 != want.SHA256 {
		// Ours, stored a moment ago.
		return false, otherLog(log), r.Archive.Bucket().Remove(ctx, log.Key)
	}
	done, err := r.DB.RepairObject(ctx, l.JobID, objectOf(log, r.Now()))
	if !done {
		return false, "the ledger has changed meanwhile", err
	}
	return true, "fetched again from GitHub", err
}

// examine reads GitHub's log and stores nothing. why says what GitHub has against
// it.
func (r *verification) examine(ctx context.Context, l store.LedgerLine) (log archive.Log, why string, err error) {
	client, err := r.GitHub.For(ctx, l.Repository.InstallationID, l.Repository.Owner, l.Repository.Name)
	if err == nil {
		body, oerr := client.OpenLog(ctx, l.Repository.Owner, l.Repository.Name, l.JobID)
		if err = oerr; err == nil {
			log, err = r.Archive.Examine(body)
			err = errors.Join(err, body.Close())
		}
	}
	if err != nil {
		_, why, err = refusedRepair(err)
	}
	return log, why, err
}

func otherLog(log archive.Log) string {
	return fmt.Sprintf("GitHub has another log now: %d bytes, SHA-256 %x", log.RawBytes, log.SHA256)
}

// refusedRepair takes GitHub's no for an outcome, and all else for an error.
func refusedRepair(err error) (bool, string, error) {
	var e *ghapi.Error
	if errors.As(err, &e) {
		return false, "not to be had: " + e.Error(), nil
	}
	return false, "", err
}

// repairDetails puts job.json into its place: as GitHub has it, or as webhooks
// told.
func (r *verification) repairDetails(ctx context.Context, l store.LedgerLine) (bool, string, error) {
	client, err := r.GitHub.For(ctx, l.Repository.InstallationID, l.Repository.Owner, l.Repository.Name)
	if err == nil {
		job, jerr := client.Job(ctx, l.Repository.Owner, l.Repository.Name, l.JobID)
		if err = jerr; err == nil {
			_, err = r.Archive.PutDetails(ctx, keyOfLine(l), job.Raw)
			return err == nil, "fetched again from GitHub", err
		}
	}
	raw, werr := lastWord(ctx, r.DB, l.JobID)
	if errors.Is(werr, errNoWord) {
		return refusedRepair(err)
	}
	if werr != nil {
		return false, "", werr
	}
	_, err = r.Archive.PutDetails(ctx, keyOfLine(l), raw)
	return err == nil, "made again from a webhook", err
}

// repairSettled writes the record again, from the ledger.
func (r *verification) repairSettled(ctx context.Context, l store.LedgerLine) (bool, string, error) {
	err := r.Archive.PutSettled(ctx, keyOfLine(l), settledOf(l.JobLog))
	return err == nil, "written again from the ledger", err
}

func settledOf(l store.JobLog) archive.Settled {
	s := archive.Settled{State: l.State, At: *l.SettledAt}
	if l.Reason != nil {
		s.Reason = *l.Reason
	}
	if l.HTTPStatus != nil {
		s.HTTPStatus = *l.HTTPStatus
	}
	return s
}
