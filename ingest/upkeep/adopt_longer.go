package upkeep

import (
	"context"
	"fmt"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// adoptLonger has the ledger hear of a longer log that the bucket has and the ledger does
// not: the database is older than that. at is when it took its place. It says whether it
// was so, and fails as archive.Archive.AdoptLonger. It may be repeated.
func adoptLonger(ctx context.Context, db *store.DB, a *archive.Archive, l store.LedgerLine, at time.Time) (bool, error) {
	log, err := a.AdoptLonger(ctx, record.LogOf(l))
	if err != nil {
		return false, fmt.Errorf("job %d: %w", l.JobID, err)
	}
	return db.Lengthen(ctx, record.SettlementOf(l.JobID, log, at), l.SHA256, at)
}

// hearLonger has the ledger hear of the longer logs that lines of a manifest list, where it
// is still at one of the shorter ones that they name. A longer log that is lost or damaged
// is left for verify to name. A ledger that has the longer log, and not all of the shorter
// ones, as after a rebuild from a bucket that lost one, hears what they were.
func hearLonger(ctx context.Context, db *store.DB, a *archive.Archive, lines []archive.ManifestLine) error {
	for _, line := range lines {
		for range line.Shorter {
			rows, err := db.LedgerOf(ctx, []int64{line.JobID})
			if err != nil {
				return err
			}
			row, known := rows[line.JobID]
			if known && row.State == store.LogArchived && fmt.Sprintf("%x", row.SHA256) == line.SHA256 && len(row.Shorter) < len(line.Shorter) {
				if _, err := db.RememberShorter(ctx, line.JobID, row.SHA256, record.ShorterRows(line.JobID, line.Shorter)); err != nil {
					return err
				}
			}
			if !known || row.State != store.LogArchived || !isShorterOf(row, line) {
				break
			}
			heard, err := adoptLonger(ctx, db, a, row, line.SettledAt)
			if err != nil && !isOfNoUse(err) {
				return err
			}
			if !heard {
				break
			}
		}
	}
	return nil
}

// isShorterOf tells whether the ledger has one of the logs whose place the log of a line has
// taken.
func isShorterOf(row store.LedgerLine, line archive.ManifestLine) bool {
	return shorterIn(line.Shorter, record.DigestOf(row.SHA256)) != nil
}

// shorterIn finds a log by its digest; nil: it is not there.
func shorterIn(logs []archive.ShorterLog, sum archive.Digest) *archive.ShorterLog {
	for i := range logs {
		if logs[i].SHA256 == sum {
			return &logs[i]
		}
	}
	return nil
}
