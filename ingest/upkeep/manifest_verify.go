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

// manifests compares the table of manifests with the bucket: without it, nobody
// could tell that the last one was dropped. What they say is for VerifyChain.
func (r *verification) manifests(ctx context.Context) error {
	rows, err := r.DB.Manifests(ctx)
	if err != nil {
		return err
	}
	known := make(map[string]bool, len(rows))
	for _, m := range rows {
		known[archive.ManifestKey(m.Date)] = true
		if err := r.manifest(ctx, m); err != nil {
			return err
		}
	}
	for o, err := range r.Archive.Bucket().List(ctx, archive.ManifestPrefix) {
		if err != nil {
			return err
		}
		if _, ok := archive.ParseManifestKey(o.Key); !ok || known[o.Key] || r.started.Sub(o.ModTime) < orphanAge {
			continue
		}
		r.manifestFault(o.Key, "the database does not know it; jobvault manifest or rebuild reads it")
	}
	return nil
}

func (r *verification) manifest(ctx context.Context, m store.Manifest) error {
	key := archive.ManifestKey(m.Date)
	size, err := r.Archive.Bucket().Size(ctx, key)
	if absent, err := r.Archive.Missing(ctx, err); err != nil {
		return err
	} else if absent {
		r.manifestFault(key, "there is no such object")
		return nil
	}
	if size != m.StoredBytes {
		r.manifestFault(key, fmt.Sprintf("it has %d bytes, the database says %d", size, m.StoredBytes))
		return nil
	}
	if !r.o.Deep {
		return nil
	}
	found, err := r.Archive.ReadManifest(ctx, m.Date, func(archive.ManifestEntry) error { return nil })
	switch {
	case errors.Is(err, bucket.ErrUnreadable):
		r.manifestFault(key, err.Error())
	case err != nil:
		return err
	case string(found.SHA256[:]) != string(m.SHA256):
		r.manifestFault(key, fmt.Sprintf("it has SHA-256 %x, the database says %x", found.SHA256, m.SHA256))
	}
	return nil
}

func (r *verification) manifestFault(key, detail string) {
	r.reportFault(Fault{Fault: archive.Fault{Kind: archive.FaultManifest, Key: key, Detail: detail}})
}

// manifests restores what the table of manifests knew, and which job is listed in
// which: after the jobs. Those after one that is damaged are left alone.
func (r *rebuilding) manifests(ctx context.Context) error {
	dates, err := r.Archive.Manifests(ctx, func(bucket.Object) {})
	if err != nil {
		return err
	}
	var previous *archive.Manifest
	for _, date := range dates {
		found, err := r.Archive.ReadManifest(ctx, date, func(archive.ManifestEntry) error { return nil })
		if err == nil && !follows(found, previous) {
			err = broken("that of %s does not follow the one before it", date.Format(time.DateOnly))
		}
		if err == nil {
			err = markListed(ctx, r.DB, r.Archive, found)
		}
		if err == nil {
			err = r.DB.RecordManifest(ctx, record.ManifestRowOf(found, time.Time{}))
		}
		if errors.Is(err, bucket.ErrUnreadable) || errors.Is(err, ErrManifestsBroken) || errors.Is(err, store.ErrOtherManifest) {
			r.fault(archive.Fault{Kind: archive.FaultManifest, Key: archive.ManifestKey(date), Detail: err.Error()})
			return nil
		}
		if err != nil {
			return err
		}
		previous = &found
		r.sum.Manifests++
	}
	return nil
}
