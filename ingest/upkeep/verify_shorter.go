package upkeep

import (
	"context"
	"fmt"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// shorter verifies the logs whose place a job's log has taken.
func (r *verification) shorter(ctx context.Context, l store.LedgerLine, key archive.JobKey) error {
	for i, s := range l.Shorter {
		if own := key.LogNumbered(i + 1); s.ObjectKey != own || s.Number != i+1 {
			if err := r.fault(ctx, l, archive.Fault{
				Kind: archive.FaultKey, JobID: l.JobID, Key: s.ObjectKey, Detail: "shorter_logs names this object; the job's own is " + own,
			}, nil); err != nil {
				return err
			}
			continue
		}
		want := record.ShorterOf([]store.ShorterLog{s})[0]
		damage, err := r.Archive.VerifyShorter(ctx, want, r.o.Deep)
		if err != nil {
			return fmt.Errorf("verify job %d: %w", l.JobID, err)
		}
		r.Count(func(sum *VerifyResult) {
			if r.o.Deep {
				sum.RawBytes += s.RawBytes
			}
		})
		if damage == nil {
			continue
		}
		damage.JobID = l.JobID
		err = r.fault(ctx, l, *damage, func(ctx context.Context, l store.LedgerLine) (bool, string, error) {
			return r.repairShorter(ctx, l, want)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// repairShorter makes a shorter log again of the longer one, which begins with it.
func (r *verification) repairShorter(ctx context.Context, l store.LedgerLine, want archive.ShorterLog) (bool, string, error) {
	log, err := r.Archive.RestoreShorter(ctx, record.LogOf(l), want)
	if isOfNoUse(err) {
		return false, "it cannot be made of the longer log: " + err.Error(), nil
	}
	if err != nil {
		return false, "", err
	}
	restored := log.AsShorter(want.ArchivedAt)
	done, err := r.DB.CorrectShorter(ctx, record.ShorterRows(l.JobID, []archive.ShorterLog{restored})[0])
	if err == nil && !done {
		return false, "the ledger has changed meanwhile", ingest.PurgeLateLog(ctx, r.DB, r.Archive, record.KeyOfLedgerLine(l))
	}
	return done, "made again of the longer log", err
}

// shorter compares the rows of the logs whose place the job's log has taken.
func (l *jobComparison) shorter(ctx context.Context) error {
	for i, row := range l.rows.Log.Shorter {
		own := l.key.LogNumbered(i + 1)
		log, ok, err := l.read(ctx, own, func() (archive.Log, error) { return l.Archive.Describe(ctx, own) })
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		tells := record.ShorterRows(row.JobID, []archive.ShorterLog{log.AsShorter(row.ArchivedAt)})[0]
		if row.StoredSHA256 == nil {
			tells.StoredSHA256 = nil
		}
		l.differ(own, compareCells("shorter_logs", copyKey(row.JobID, row.Number), shorterCells(row), shorterCells(tells), false)...)
	}
	return nil
}

func shorterCells(s store.ShorterLog) []cell {
	return cells("number", s.Number, "object_key", s.ObjectKey, "raw_bytes", s.RawBytes, "stored_bytes", s.StoredBytes, "lines", s.Lines,
		"sha256", s.SHA256, "stored_sha256", s.StoredSHA256)
}
