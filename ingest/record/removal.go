package record

import (
	"errors"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/store"
)

// SettledOfRemoval is the settled.json of a removed log.
func SettledOfRemoval(r store.RemovedJob) archive.Settled {
	m, s := r.Removal, SettledOf(r.Log)
	s.Removal = &archive.Removal{
		Kind: m.Kind, Reason: m.Reason, Actor: m.Actor, DecidedAt: m.DecidedAt, SHA256: DigestOf(m.SHA256),
		RawBytes: m.RawBytes, StoredBytes: m.StoredBytes, Lines: m.Lines, Truncated: m.Truncated, ArchivedAt: m.ArchivedAt,
		Shorter: ShorterOf(r.Log.Shorter),
	}
	if m.Rule != nil {
		s.Removal.Rule = *m.Rule
	}
	for _, c := range r.Redactions {
		kept := archive.Redaction{
			Number: c.Number, SHA256: DigestOf(c.SHA256), StoredSHA256: DigestOf(c.StoredSHA256), RawBytes: c.RawBytes, StoredBytes: c.StoredBytes, Lines: c.Lines,
			RedactedLines: c.RedactedLines, Matches: c.Matches, Actor: c.Actor, Reason: c.Reason, At: c.At, RemovedAt: c.RemovedAt,
		}
		if c.RemovedAt != nil {
			kept.RemovedBy, kept.RemovedReason = *c.RemovedBy, *c.RemovedReason
		}
		s.Redactions = append(s.Redactions, kept)
	}
	return s
}

// DigestOf is a digest of the ledger, which is 32 bytes long.
func DigestOf(b []byte) (d archive.Digest) {
	copy(d[:], b)
	return d
}

// RemovedWithLog says whether an object in a job's folder is removed with its log. present
// is the key of the redacted copy that stays; empty: there is none.
func RemovedWithLog(key archive.JobKey, object, present string) bool {
	k, name, ok := archive.ParseKey(object)
	if !ok || k != key {
		return false
	}
	switch name {
	case archive.LogName, archive.FilterName:
		return true
	case archive.RedactedName:
		return object != present
	}
	return false
}

// IsRemoval tells whether a record is of a removed log, and fails with ErrUnreadable if
// it does not tell enough.
func IsRemoval(s archive.Settled) (bool, error) {
	if s.State != store.LogRemoved {
		return false, nil
	}
	if s.Removal == nil || s.Removal.SHA256 == (archive.Digest{}) {
		return false, errNoRemoval
	}
	return true, nil
}

var errNoRemoval = errors.Join(bucket.ErrUnreadable, errors.New("it says removed, and not what"))
