package lookup

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/store"
)

// Evidence writes packages of jobs for somebody who does not trust jobvault: all of
// it can be checked with sha256sum and zstd, and a README.md in it says how.
type Evidence struct {
	Logs
	Subject string           // who reads, in the table reads; required
	Now     func() time.Time // for the README; required
}

// Write makes a package of these jobs in dir, which must not be there, or be empty. what
// is the README's description of the jobs. Everything in the package is read, and
// compared with the ledger and the manifests, before dir gets its name: if anything is
// damaged, Write fails with bucket.ErrUnreadable, names the object and both digests, and
// leaves nothing behind. For a job without a log, the package contains what the ledger
// says.
func (e Evidence) Write(ctx context.Context, dir, what string, jobs []store.JobDetails) (err error) {
	dir, err = filepath.Abs(dir)
	if err == nil {
		err = checkEmpty(dir)
	}
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	p, err := newEvidencePack(filepath.Dir(dir))
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("evidence: %w", err), os.RemoveAll(p.dir))
		}
	}()
	lines, err := e.manifestLines(ctx, jobs)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if err := e.putJob(ctx, p, j, lines[j.Job.ID]); err != nil {
			return fmt.Errorf("job %d: %w", j.Job.ID, err)
		}
	}
	if err := p.finish(what, e.Now()); err != nil {
		return err
	}
	return p.rename(dir)
}

func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty", dir)
	}
	return err
}

// manifestRecord is what manifests say about a job.
type manifestRecord struct {
	text []byte               // manifest.jsonl
	last archive.ManifestLine // of the last one
	date time.Time            // of that

	archived string // digest of the log in the first manifest that had one
}

// manifestLines reads the manifests that may list the jobs.
func (e Evidence) manifestLines(ctx context.Context, jobs []store.JobDetails) (map[int64]*manifestRecord, error) {
	all, err := e.DB.Manifests(ctx)
	if err != nil {
		return nil, err
	}
	wanted := make(map[int64]*manifestRecord, len(jobs))
	var last time.Time
	if len(all) > 0 {
		last = all[len(all)-1].Date
	}
	from, to := last, time.Time{}
	for _, j := range jobs {
		wanted[j.Job.ID] = &manifestRecord{}
		// No job is listed before the day of its creation, by GitHub's clock.
		if j.Job.CreatedAt == nil {
			from = time.Time{}
		} else if at := j.Job.CreatedAt.AddDate(0, 0, -2); at.Before(from) {
			from = at
		}
		if j.Log.ManifestDate == nil {
			to = last
		} else if j.Log.ManifestDate.After(to) {
			to = *j.Log.ManifestDate
		}
	}
	for i, m := range all {
		if m.Date.Before(from) || m.Date.After(to) {
			continue
		}
		found, err := e.readManifest(ctx, m, wanted)
		if err == nil && i > 0 {
			err = followsWritten(found, all[i-1])
		}
		if err != nil {
			return nil, err
		}
	}
	return wanted, nil
}

// followsWritten checks that a manifest names the digest that the database has of the
// manifest before it.
func followsWritten(m archive.Manifest, before store.Manifest) error {
	key := archive.ManifestKey(m.Date)
	if m.Previous == nil {
		return fmt.Errorf("%w: %s says that it is the first; one was written before it", bucket.ErrUnreadable, key)
	}
	return compareDigests(fmt.Sprintf("%s: the manifest before it", key), hex.EncodeToString(m.PreviousSHA256[:]), "the database", hex.EncodeToString(before.SHA256))
}

// readManifest collects the lines of a manifest that list the jobs.
func (e Evidence) readManifest(ctx context.Context, m store.Manifest, wanted map[int64]*manifestRecord) (archive.Manifest, error) {
	texts := make(map[int64][]byte)
	found, err := e.Archive.ReadManifest(ctx, m.Date, func(l archive.ManifestEntry) error {
		if t, ok := wanted[l.JobID]; ok {
			texts[l.JobID] = slices.Clone(l.Raw)
			t.last, t.date = l.ManifestLine, m.Date
			t.archived = cmp.Or(t.archived, l.SHA256)
		}
		return nil
	})
	if errors.Is(err, bucket.ErrNotFound) {
		err = fmt.Errorf("%w: %s is not there", bucket.ErrUnreadable, archive.ManifestKey(m.Date))
	}
	if err == nil && string(found.SHA256[:]) != string(m.SHA256) {
		err = fmt.Errorf("%w: %s has SHA-256 %x; written was %x", bucket.ErrUnreadable, archive.ManifestKey(m.Date), found.SHA256, m.SHA256)
	}
	if err != nil {
		return found, err
	}
	for id, text := range texts {
		t := wanted[id]
		t.text = fmt.Appendf(t.text, `{"key":%q,"date":%q,"sha256":"%x","stored_sha256":"%x"}`+"\n",
			archive.ManifestKey(m.Date), m.Date.Format(time.DateOnly), m.SHA256, m.StoredSHA256)
		t.text = slices.Concat(t.text, found.Header, text, found.End)
	}
	return found, nil
}

// putJob puts one job into the package.
func (e Evidence) putJob(ctx context.Context, p *evidencePack, j store.JobDetails, t *manifestRecord) error {
	key := keyOf(j.Job)
	if err := t.confirm(key, j.Log); err != nil {
		return err
	}
	folder := strconv.FormatInt(j.Job.ID, 10)
	if err := p.json(folder+"/ledger.json", ledgerOf(j)); err != nil {
		return err
	}
	if err := e.putDetails(ctx, p, folder, key, j.Log); err != nil {
		return err
	}
	if err := e.putSettled(ctx, p, folder, key, j.Log); err != nil {
		return err
	}
	if err := e.putLog(ctx, p, folder, key, j.Log); err != nil {
		return err
	}
	if j.Log.ManifestDate == nil {
		p.unlisted = append(p.unlisted, j.Job.ID)
	}
	if len(t.text) == 0 {
		return nil
	}
	return p.file(folder+"/"+evidenceManifest, t.text)
}

// putLog puts the log, or its redacted copy, into the package exactly as it is stored.
func (e Evidence) putLog(ctx context.Context, p *evidencePack, folder string, key archive.JobKey, l store.JobLog) error {
	own, name := key.LogNumbered(len(l.Shorter)+1), archive.LogName
	switch {
	case l.Redaction != nil:
		own = key.Redacted(l.Redaction.Number)
		name = path.Base(own)
		l = Readable(l)
	case l.State != store.LogArchived:
		return nil
	}
	if *l.ObjectKey != own {
		return fmt.Errorf("%w: the ledger names %s; the job's own is %s", bucket.ErrUnreadable, *l.ObjectKey, own)
	}
	if err := e.DB.NoteRead(ctx, e.Subject, l.JobID, "export"); err != nil {
		return err
	}
	want := archive.Log{LogLayout: archive.LogLayout{Key: *l.ObjectKey, RawBytes: *l.RawBytes, StoredBytes: *l.StoredBytes}}
	copy(want.SHA256[:], l.SHA256)
	copy(want.StoredSHA256[:], l.StoredSHA256)
	want.Shorter = shorterOf(l)
	f, err := p.create(folder + "/" + name)
	if err != nil {
		return err
	}
	err = e.Archive.CopyStored(ctx, f, want)
	if errors.Is(err, bucket.ErrNotFound) {
		err = fmt.Errorf("%w: %w", bucket.ErrUnreadable, err)
	}
	if _, cerr := f.close(); err != nil || cerr != nil {
		return errors.Join(err, cerr)
	}
	if l.Redaction != nil {
		return nil // GitHub sent another text
	}
	p.logs = append(p.logs, evidenceSum{name: folder + "/" + evidenceLog, sum: hex.EncodeToString(l.SHA256)})
	return nil
}

// shorterOf are the logs with which a job's log begins, and whose place it has taken; none of
// a redacted copy.
func shorterOf(l store.JobLog) []archive.ShorterLog {
	var logs []archive.ShorterLog
	for _, row := range l.Shorter {
		s := archive.ShorterLog{
			Number: row.Number, ObjectKey: row.ObjectKey, RawBytes: row.RawBytes, StoredBytes: row.StoredBytes, Lines: row.Lines, ArchivedAt: row.ArchivedAt,
		}
		copy(s.SHA256[:], row.SHA256)
		copy(s.StoredSHA256[:], row.StoredSHA256)
		logs = append(logs, s)
	}
	return logs
}

// keyOf names a job in the bucket.
func keyOf(j store.Job) archive.JobKey {
	k := archive.JobKey{RepositoryID: j.RepositoryID, RunID: j.RunID, RunAttempt: 1, JobID: j.ID}
	if j.RunAttempt != nil {
		k.RunAttempt = *j.RunAttempt
	}
	return k
}
