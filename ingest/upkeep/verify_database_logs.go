package upkeep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// log reads an archived log, and compares the ledger's line, the lines of steps, and what
// the job used.
func (l *jobComparison) log(ctx context.Context) error {
	row := l.rows.Log
	if err := l.shorter(ctx); err != nil {
		return err
	}
	own := l.key.LogNumbered(len(row.Shorter) + 1)
	log, ok, err := l.read(ctx, own, func() (archive.Log, error) { return l.Archive.Describe(ctx, own) })
	if err != nil || !ok {
		return err
	}
	// Whether it was cut is for the manifests: an object does not tell.
	diffs := compareCells("job_logs", jobKey(row.JobID), cells(
		"object_key", row.ObjectKey, "raw_bytes", row.RawBytes, "stored_bytes", row.StoredBytes, "lines", row.Lines, "sha256", row.SHA256,
		"stored_sha256", row.StoredSHA256, "frame_lines", fmt.Sprint(row.FrameLines), "frame_offsets", fmt.Sprint(row.FrameOffsets),
	), storedCells(log, row.StoredSHA256 != nil), false)
	l.differ(log.Key, diffs...)
	if !l.rows.UsageRead {
		l.seen.Unread++
		return nil
	}
	if len(diffs) == 0 {
		l.compareIndex(log.Key, log.Index)
	}
	return nil
}

func storedCells(log archive.Log, digest bool) []cell {
	cs := cells("object_key", log.Key, "raw_bytes", log.RawBytes, "stored_bytes", log.StoredBytes, "lines", log.Lines, "sha256", log.SHA256[:],
		"frame_lines", fmt.Sprint(log.FrameLines), "frame_offsets", fmt.Sprint(log.FrameOffsets))
	if digest {
		cs = append(cs, cells("stored_sha256", log.StoredSHA256[:])...)
	}
	return cs
}

// read reads a log or a redacted copy; not ok: it is of no use, and named.
func (l *jobComparison) read(ctx context.Context, key string, describe func() (archive.Log, error)) (archive.Log, bool, error) {
	log, err := describe()
	if errors.Is(err, bucket.ErrUnreadable) {
		l.broken(archive.FaultUnreadable, key, "%v", err)
		return log, false, nil
	}
	if absent, err := l.Archive.Missing(ctx, err); err != nil {
		return log, false, err
	} else if absent {
		l.broken(archive.FaultAbsent, key, "there is no such object")
		return log, false, nil
	}
	l.seen.Logs++
	l.seen.RawBytes += log.RawBytes
	return log, true, nil
}

// settled compares what settled.json tells: why there is no log, or who removed it.
func (l *jobComparison) settled(ctx context.Context) error {
	row, object := l.rows.Log, l.key.Settled()
	s, found, changed, err := l.record(ctx, store.LedgerLine{JobLog: row}, l.key)
	switch {
	case err != nil:
		return err
	case changed != nil:
		l.broken(archive.FaultSettled, object, "%v; the rows were not compared with it", changed)
		return nil
	case !found && row.State == store.LogRemoved && row.SettledBytes == nil:
		return nil // the removal is not finished, and plain verify tells of that
	case !found:
		l.broken(archive.FaultSettled, object, "there is no such object")
		return nil
	case s.State != store.LogRemoved && row.State == store.LogRemoved && row.SettledBytes == nil:
		return nil // of what it was before
	}
	says := cells("state", row.State, "reason", row.Reason, "http_status", row.HTTPStatus, "settled_at", row.SettledAt)
	tells := cells("state", s.State, "reason", orNull(s.Reason), "settled_at", s.At)
	if s.HTTPStatus != 0 {
		tells = append(tells, cells("http_status", s.HTTPStatus)...)
	}
	l.differ(object, compareCells("job_logs", jobKey(row.JobID), says, tells, false)...)
	if row.State != store.LogRemoved {
		return nil
	}
	l.compareRemoval(object, s)
	return l.redacted(ctx)
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// compareRemoval compares the rows of a removal and of redacted copies.
func (l *jobComparison) compareRemoval(object string, s archive.Settled) {
	id := l.rows.Job.ID
	var says, tells []tableRow
	of := func(m archive.Removal, objectKey string) []tableRow {
		return []tableRow{{jobKey(id), append(cellsOf(m), cells("object_key", objectKey)...)}}
	}
	want := record.SettledOfRemoval(store.RemovedJob{Job: l.rows.Job, Log: l.rows.Log, Removal: orZero(l.rows.Log.Removal), Redactions: l.rows.Redactions})
	if m := l.rows.Log.Removal; m != nil {
		says = of(*want.Removal, m.ObjectKey)
	}
	if s.Removal != nil {
		tells = of(*s.Removal, l.key.LogNumbered(len(s.Removal.Shorter)+1))
		row := l.rows.Log
		l.differ(object, compareCells("job_logs", jobKey(id),
			cells("sha256", row.SHA256, "raw_bytes", row.RawBytes, "lines", row.Lines, "truncated", row.Truncated, "archived_at", row.ArchivedAt),
			cells("sha256", s.Removal.SHA256, "raw_bytes", s.Removal.RawBytes, "lines", s.Removal.Lines, "truncated", s.Removal.Truncated, "archived_at", s.Removal.ArchivedAt),
			false)...)
	}
	l.differ(object, compareRows("log_removals", says, tells, false)...)
	l.differ(object, compareRows("log_redactions", l.copyRows(want.Redactions), l.copyRows(s.Redactions), false)...)
	for _, c := range l.rows.Redactions {
		l.differ(object, compareCells("log_redactions", copyKey(id, c.Number), cells("object_key", c.ObjectKey), cells("object_key", l.key.Redacted(c.Number)), false)...)
	}
}

func orZero(m *store.Removal) store.Removal {
	if m == nil {
		return store.Removal{}
	}
	return *m
}

func copyKey(id int64, number int) string { return fmt.Sprintf("job_id %d, number %d", id, number) }

func (l *jobComparison) copyRows(copies []archive.Redaction) []tableRow {
	var rows []tableRow
	for _, c := range copies {
		rows = append(rows, tableRow{copyKey(l.rows.Job.ID, c.Number), cellsOf(c)})
	}
	return rows
}

// redacted reads the copy that is left, and compares its row and what it tells of the
// job. Where none is left, nothing may quote the log.
func (l *jobComparison) redacted(ctx context.Context) error {
	id, row := l.rows.Job.ID, l.rows.Log.Redaction
	if row == nil {
		l.differ(l.key.Settled(), compareRows("job_annotations", annotationRows(id, l.rows.Usage.Annotations, l.rows.StepOf), nil, false)...)
		return nil
	}
	log, ok, err := l.read(ctx, l.key.Redacted(row.Number), func() (archive.Log, error) { return l.Archive.DescribeRedacted(ctx, l.key, row.Number) })
	if err != nil || !ok {
		return err
	}
	diffs := compareCells("log_redactions", copyKey(id, row.Number), cells(
		"object_key", row.ObjectKey, "raw_bytes", row.RawBytes, "stored_bytes", row.StoredBytes, "lines", row.Lines, "sha256", row.SHA256,
		"stored_sha256", row.StoredSHA256, "frame_lines", fmt.Sprint(row.FrameLines), "frame_offsets", fmt.Sprint(row.FrameOffsets),
	), storedCells(log, true), false)
	l.differ(log.Key, diffs...)
	if !l.rows.UsageRead {
		l.seen.Unread++
	} else if len(diffs) == 0 {
		l.compareIndex(log.Key, log.Index)
	}
	return nil
}

// listed compares the manifests with what the ledger and the table of manifests say.
func (d *databaseVerification) listed(ctx context.Context) error {
	manifests, err := d.DB.Manifests(ctx)
	if err != nil {
		return err
	}
	for _, m := range manifests {
		if err := d.manifest(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (d *databaseVerification) manifest(ctx context.Context, row store.Manifest) error {
	key := archive.ManifestKey(row.Date)
	var batch []archive.ManifestLine
	compare := func() error {
		err := d.compareListed(ctx, row.Date, batch)
		batch = batch[:0]
		return err
	}
	found, err := d.Archive.ReadManifest(ctx, row.Date, func(l archive.ManifestEntry) error {
		if d.o.RepositoryID != 0 && l.RepositoryID != d.o.RepositoryID {
			return nil
		}
		if batch = append(batch, l.ManifestLine); len(batch) < verifyBatch {
			return nil
		}
		return compare()
	})
	if errors.Is(err, bucket.ErrUnreadable) {
		d.manifestFault(key, err.Error())
		return nil
	}
	if absent, err := d.Archive.Missing(ctx, err); err != nil {
		return err
	} else if absent {
		d.manifestFault(key, "there is no such object")
		return nil
	}
	columns := func(m store.Manifest) []cell {
		return cells("previous", m.Previous, "sha256", m.SHA256, "stored_sha256", m.StoredSHA256, "jobs", m.Jobs, "stored_bytes", m.StoredBytes)
	}
	for _, diff := range compareCells("manifests", "date "+row.Date.Format(time.DateOnly), columns(row), columns(record.ManifestRowOf(found, row.WrittenAt)), false) {
		d.reportFault(rowFault(0, key, diff))
	}
	return compare()
}
