package upkeep

import (
	"context"
	"fmt"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// compareListed compares lines of a manifest with the ledger.
func (d *databaseVerification) compareListed(ctx context.Context, date time.Time, lines []archive.ManifestLine) error {
	ids := make([]int64, len(lines))
	for i, l := range lines {
		ids[i] = l.JobID
	}
	rows, err := d.DB.LedgerOf(ctx, ids)
	if err != nil {
		return err
	}
	d.Count(func(*VerifyResult) { d.rows.Listed += int64(len(lines)) })
	for _, line := range lines {
		row, known := rows[line.JobID]
		diffs := []difference{{"job_logs", jobKey(line.JobID), "", noRow, "state " + line.State}}
		if known {
			diffs = differsFromLine(row, line, date)
		}
		for _, diff := range diffs {
			d.reportFault(rowFault(line.JobID, archive.ManifestKey(date), diff))
		}
	}
	return nil
}

// differsFromLine says how the ledger differs from what a manifest told of a job. A
// job that the ledger lists there is as it was then; of one that was listed again
// since, or is to be, what cannot change is compared.
func differsFromLine(row store.LedgerLine, line archive.ManifestLine, date time.Time) []difference {
	says := record.ManifestLineOf(row, orNow(row.SettledAt))
	key := jobKey(line.JobID)
	where := compareCells("jobs", fmt.Sprintf("id %d", line.JobID), placeOf(says), placeOf(line), false)
	switch {
	case row.ManifestDate != nil && row.ManifestDate.Equal(date):
		return append(where, compareCells("job_logs", key, lineCells(says), lineCells(line), true)...)
	case isEarlier(row, line):
		// It was listed before a longer log took its place.
		was := shorterIn(says.Shorter, digestOf(line.SHA256))
		return append(where, compareCells("shorter_logs", copyKey(line.JobID, was.Number), shorterLineCells(line),
			cells("object_key", was.ObjectKey, "raw_bytes", was.RawBytes, "lines", was.Lines), false)...)
	case row.SettledAt == nil:
		return append(where, difference{"job_logs", key, "state", row.State, line.State})
	case row.State == line.State && row.State != store.LogRemoved:
		return append(where, compareCells("job_logs", key, settlementCells(says), settlementCells(line), false)...)
	case line.State == store.LogArchived && row.State != store.LogRemoved, line.State == store.LogRemoved && row.State != store.LogRemoved:
		return append(where, difference{"job_logs", key, "state", row.State, line.State})
	case line.SHA256 != "" && line.SHA256 != says.SHA256:
		return append(where, difference{"job_logs", key, "sha256", says.SHA256, line.SHA256})
	}
	return where
}

func orNow(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func placeOf(l archive.ManifestLine) []cell {
	return cells("repository_id", l.RepositoryID, "run_id", l.RunID, "run_attempt", l.RunAttempt)
}

func settlementCells(l archive.ManifestLine) []cell {
	return cells("settled_at", l.SettledAt, "reason", l.Reason, "http_status", l.HTTPStatus, "truncated", l.Truncated,
		"sha256", l.SHA256, "raw_bytes", l.RawBytes, "lines", l.Lines)
}

// lineCells are all that a line says; what it leaves out, older manifests did not tell.
func lineCells(l archive.ManifestLine) []cell {
	cs := append(settlementCells(l), cells("state", l.State, "object_key", l.ObjectKey, "stored_bytes", l.StoredBytes)...)
	for column, v := range map[string]string{"stored_sha256": l.StoredSHA256, "details_sha256": l.DetailsSHA256, "settled_sha256": l.SettledSHA256} {
		cs = append(cs, cell{column, orNull(v)})
	}
	for _, s := range l.Shorter {
		cs = append(cs, cells(fmt.Sprintf("shorter log %d", s.Number), s.ObjectKey, fmt.Sprintf("sha256 of shorter log %d", s.Number), s.SHA256,
			fmt.Sprintf("archived_at of shorter log %d", s.Number), s.ArchivedAt)...)
	}
	for _, c := range l.Redactions {
		cs = append(cs, cells("redacted copy", c.ObjectKey, "its sha256", c.SHA256, "its stored_sha256", c.StoredSHA256)...)
	}
	return cs
}

// isEarlier tells that a line lists a log whose place a longer one has taken since.
func isEarlier(row store.LedgerLine, line archive.ManifestLine) bool {
	return shorterIn(record.ShorterOf(row.Shorter), digestOf(line.SHA256)) != nil
}

// digestOf reads a line's digest; one that is none is no log's.
func digestOf(hexDigits string) (d archive.Digest) {
	_ = d.UnmarshalText([]byte(hexDigits))
	return d
}

// shorterLineCells are what cannot change: a log that is made again may be stored otherwise.
func shorterLineCells(l archive.ManifestLine) []cell {
	return cells("object_key", l.ObjectKey, "raw_bytes", l.RawBytes, "lines", l.Lines)
}
