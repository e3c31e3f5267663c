package lookup

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/store"
)

// compareDigests fails with ErrUnreadable unless what, whose digest is says, has the
// digest other, which is the one that who names. Digests are in hex; empty: there is
// none.
func compareDigests(what, says, who, other string) error {
	if says == other {
		return nil
	}
	return fmt.Errorf("%w: %s has SHA-256 %s, %s says %s", bucket.ErrUnreadable, what, orNone(says), who, orNone(other))
}

func orNone(digest string) string {
	if digest == "" {
		return "of nothing"
	}
	return digest
}

// confirm checks that the manifest which the ledger names says what the ledger says, and
// that none has ever listed another log of the job, but for a shorter one whose place it has
// taken.
func (t *manifestRecord) confirm(key archive.JobKey, l store.JobLog) error {
	sum := hex.EncodeToString(l.SHA256)
	if t.archived != "" && t.archived != sum && !slices.ContainsFunc(l.Shorter, func(s store.ShorterLog) bool { return hex.EncodeToString(s.SHA256) == t.archived }) {
		return compareDigests("in the ledger, "+key.Log(), sum, "a manifest", t.archived)
	}
	if l.ManifestDate == nil {
		return t.confirmEarlier(key, l)
	}
	date := l.ManifestDate.Format(time.DateOnly)
	manifest := "the manifest of " + date
	switch {
	case !t.date.Equal(*l.ManifestDate):
		return fmt.Errorf("%w: %s does not list it", bucket.ErrUnreadable, manifest)
	case t.last.State != l.State:
		return fmt.Errorf("%w: %s says %s, the ledger says %s", bucket.ErrUnreadable, manifest, t.last.State, l.State)
	}
	err := compareDigests("in the ledger, "+key.Log(), sum, manifest, t.last.SHA256)
	if t.last.StoredSHA256 != "" {
		err = errors.Join(err, compareDigests("in the ledger, "+key.Log()+" as it is stored", hex.EncodeToString(l.StoredSHA256), manifest, t.last.StoredSHA256))
	}
	if t.last.DetailsSHA256 != "" {
		err = errors.Join(err, compareDigests("in the ledger, "+key.Details(), hex.EncodeToString(l.DetailsSHA256), manifest, t.last.DetailsSHA256))
	}
	if t.last.SettledSHA256 != "" {
		err = errors.Join(err, compareDigests("in the ledger, "+key.Settled(), hex.EncodeToString(l.SettledSHA256), manifest, t.last.SettledSHA256))
	}
	return errors.Join(err, t.confirmShorter(manifest, l), t.confirmCopy(manifest, l))
}

// confirmEarlier compares what the ledger says now with the last manifest that lists the
// job: a settlement has one job.json and one settled.json.
func (t *manifestRecord) confirmEarlier(key archive.JobKey, l store.JobLog) error {
	if t.date.IsZero() {
		return nil
	}
	manifest := "the manifest of " + t.date.Format(time.DateOnly)
	var err error
	if t.last.DetailsSHA256 != "" && l.DetailsSHA256 != nil {
		err = compareDigests("in the ledger, "+key.Details(), hex.EncodeToString(l.DetailsSHA256), manifest, t.last.DetailsSHA256)
	}
	if same := l.State == t.last.State && l.SettledAt != nil && l.SettledAt.Equal(t.last.SettledAt); same && t.last.SettledSHA256 != "" {
		err = errors.Join(err, compareDigests("in the ledger, "+key.Settled(), hex.EncodeToString(l.SettledSHA256), manifest, t.last.SettledSHA256))
	}
	if err != nil {
		err = fmt.Errorf("%w; if verify --repair put it there, the next manifest lists it", err)
	}
	return err
}

// confirmShorter checks that the manifest lists the shorter logs that the ledger has.
func (t *manifestRecord) confirmShorter(manifest string, l store.JobLog) error {
	if len(t.last.Shorter) != len(l.Shorter) {
		return fmt.Errorf("%w: %s lists %d shorter logs, the ledger %d", bucket.ErrUnreadable, manifest, len(t.last.Shorter), len(l.Shorter))
	}
	var err error
	for i, s := range l.Shorter {
		err = errors.Join(err, compareDigests("in the ledger, "+s.ObjectKey, hex.EncodeToString(s.SHA256), manifest, hex.EncodeToString(t.last.Shorter[i].SHA256[:])))
	}
	return err
}

// confirmCopy checks that the manifest lists the redacted copy that the ledger has, if it
// lists any.
func (t *manifestRecord) confirmCopy(manifest string, l store.JobLog) error {
	var err error
	for _, c := range t.last.Redactions {
		switch {
		case l.Redaction == nil || l.Redaction.Number != c.Number:
			err = errors.Join(err, fmt.Errorf("%w: %s lists %s with SHA-256 %s, the ledger does not", bucket.ErrUnreadable, manifest, c.ObjectKey, c.SHA256))
		default:
			err = errors.Join(err, compareDigests("in the ledger, "+c.ObjectKey, hex.EncodeToString(l.Redaction.SHA256), manifest, c.SHA256),
				compareDigests("in the ledger, "+c.ObjectKey+" as it is stored", hex.EncodeToString(l.Redaction.StoredSHA256), manifest, c.StoredSHA256))
		}
	}
	return err
}

// putDetails puts job.json into the package, if there is one.
func (e Evidence) putDetails(ctx context.Context, p *evidencePack, folder string, key archive.JobKey, l store.JobLog) error {
	raw, err := e.Archive.Details(ctx, key)
	if errors.Is(err, bucket.ErrNotFound) && l.DetailsSHA256 == nil {
		return nil
	}
	if errors.Is(err, bucket.ErrNotFound) {
		return fmt.Errorf("%w: %s is not there", bucket.ErrUnreadable, key.Details())
	}
	if err != nil {
		return err
	}
	return p.putRecorded(folder, key.Details(), raw, l.DetailsSHA256)
}

// putSettled puts settled.json into the package: a job without a log must have one, and a
// job whose log came later may have one.
func (e Evidence) putSettled(ctx context.Context, p *evidencePack, folder string, key archive.JobKey, l store.JobLog) error {
	raw, s, err := e.Archive.SettledBytes(ctx, key)
	without := l.SettledAt != nil && l.State != store.LogArchived
	switch {
	case errors.Is(err, bucket.ErrNotFound) && (without || l.SettledSHA256 != nil):
		return fmt.Errorf("%w: %s is not there", bucket.ErrUnreadable, key.Settled())
	case errors.Is(err, bucket.ErrNotFound):
		return nil
	case err == nil && without && s.State != l.State, err == nil && l.State == store.LogArchived && s.State == store.LogRemoved:
		return fmt.Errorf("%w: %s says %s, the ledger %s", bucket.ErrUnreadable, key.Settled(), s.State, l.State)
	case err == nil && l.SettledBytes != nil && *l.SettledBytes == 0 && l.State == store.LogArchived:
		return fmt.Errorf("%w: %s is there, and the ledger says that there was none", bucket.ErrUnreadable, key.Settled())
	case err != nil:
		return err
	}
	return p.putRecorded(folder, key.Settled(), raw, l.SettledSHA256)
}

// putRecorded puts an object into the package. If a digest is recorded for it, the object
// must have that digest.
func (p *evidencePack) putRecorded(folder, key string, raw, recorded []byte) error {
	sum, err := p.put(folder+"/"+path.Base(key), raw)
	if err == nil && recorded != nil {
		err = compareDigests(key, hex.EncodeToString(sum[:]), "the ledger", hex.EncodeToString(recorded))
	}
	return err
}
