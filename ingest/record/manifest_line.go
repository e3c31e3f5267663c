package record

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/store"
)

// ListedOf is what a line of a manifest says of a settlement, to be compared with the ledger.
func ListedOf(l archive.ManifestLine) (store.Listed, error) {
	var errs [4]error
	listed := store.Listed{
		JobID: l.JobID, State: l.State, SettledAt: l.SettledAt, Reason: l.Reason, HTTPStatus: l.HTTPStatus, Truncated: l.Truncated, StoredBytes: l.StoredBytes, DetailsBytes: l.DetailsBytes, SettledBytes: l.SettledBytes,
		Shorter: ShorterRows(l.JobID, l.Shorter),
	}
	listed.SHA256, errs[0] = digestIn(l.SHA256)
	listed.StoredSHA256, errs[1] = digestIn(l.StoredSHA256)
	listed.DetailsSHA256, errs[2] = digestIn(l.DetailsSHA256)
	listed.SettledSHA256, errs[3] = digestIn(l.SettledSHA256)
	err := errors.Join(errs[:]...)
	for _, c := range l.Redactions {
		sum, cerr := digestIn(c.SHA256)
		listed.Redactions, err = append(listed.Redactions, sum...), errors.Join(err, cerr)
	}
	return listed, err
}

// digestIn reads hex digits; of none, nil.
func digestIn(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	sum, err := hex.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %q is no digest", bucket.ErrUnreadable, text)
	}
	return sum, nil
}

// ManifestRowOf is the row of a manifest.
func ManifestRowOf(m archive.Manifest, at time.Time) store.Manifest {
	return store.Manifest{
		Date: m.Date, Previous: m.Previous, SHA256: m.SHA256[:], StoredSHA256: m.StoredSHA256[:], Jobs: m.Jobs, StoredBytes: m.StoredBytes, WrittenAt: at,
	}
}

// ManifestLineOf is the line of a manifest that lists a settlement.
func ManifestLineOf(l store.LedgerLine, settledAt time.Time) archive.ManifestLine {
	key := KeyOfLedgerLine(l)
	line := archive.ManifestLine{
		RepositoryID: key.RepositoryID, RunID: key.RunID, RunAttempt: key.RunAttempt, JobID: key.JobID, State: l.State, SettledAt: settledAt.UTC(),
		RawBytes: l.RawBytes, StoredBytes: l.StoredBytes, Lines: l.Lines, SHA256: hex.EncodeToString(l.SHA256), StoredSHA256: hex.EncodeToString(l.StoredSHA256),
		Truncated: l.Truncated, DetailsSHA256: hex.EncodeToString(l.DetailsSHA256), DetailsBytes: l.DetailsBytes,
	}
	if l.SettledSHA256 != nil {
		line.SettledSHA256, line.SettledBytes = hex.EncodeToString(l.SettledSHA256), l.SettledBytes
	}
	line.Shorter = ShorterOf(l.Shorter)
	if c := l.Redaction; c != nil {
		line.Redactions = []archive.ListedRedaction{{
			Number: c.Number, ObjectKey: c.ObjectKey, RawBytes: c.RawBytes, StoredBytes: c.StoredBytes, Lines: c.Lines,
			SHA256: hex.EncodeToString(c.SHA256), StoredSHA256: hex.EncodeToString(c.StoredSHA256),
		}}
	}
	if l.Reason != nil {
		line.Reason = *l.Reason
	}
	if l.HTTPStatus != nil {
		line.HTTPStatus = *l.HTTPStatus
	}
	if l.ObjectKey != nil {
		line.ObjectKey = *l.ObjectKey
	}
	return line
}
