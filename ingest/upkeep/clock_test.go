package upkeep_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/ingest/upkeep"
)

// The last manifest is of a day that is not over: it is named, in the table and in the
// bucket alone, until the day is over; then the chain goes on.
func TestManifestAhead(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	r.Archived(1)
	begin := now.Now()
	now.Advance(3 * 24 * time.Hour) // a clock that is wrong
	r.Check(r.manifests().WriteDue(t.Context(), func(archive.Manifest) {}))
	last, err := r.DB.LastManifest(t.Context())
	r.Check(err)
	right := ingesttest.NewClock()
	right.Advance(begin.Sub(right.Now()))
	m := &upkeep.Manifests{DB: r.DB, Archive: r.Archive, Logger: r.Logger, Now: right.Now}
	ahead := func(where string) {
		t.Helper()
		err := m.WriteDue(t.Context(), func(archive.Manifest) { t.Error("one is written") })
		if !errors.Is(err, upkeep.ErrManifestAhead) || !strings.Contains(err.Error(), last.Date.Format(time.DateOnly)) ||
			!strings.Contains(err.Error(), archive.ManifestKey(last.Date)) || !strings.Contains(err.Error(), where) {
			t.Errorf("%v", err)
		}
	}
	ahead("the table")
	_, err = r.Pool.Exec(t.Context(), `DELETE FROM manifests`)
	r.Check(err)
	ahead("the bucket")
	right.Advance(last.Date.AddDate(0, 0, 2).Add(time.Hour).Sub(right.Now()))
	var written []string
	r.Check(m.WriteDue(t.Context(), func(m archive.Manifest) { written = append(written, m.Date.Format(time.DateOnly)) }))
	if want := []string{last.Date.Format(time.DateOnly), last.Date.AddDate(0, 0, 1).Format(time.DateOnly)}; !slices.Equal(written, want) {
		t.Errorf("%v were written, want %v", written, want)
	}
}

// The way out that docs/manifests.md describes works: the manifest is taken back, and is
// written again when its day is over.
func TestManifestAheadIsTakenBack(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	r.Archived(1)
	begin := now.Now()
	now.Advance(24 * time.Hour)
	r.Check(r.manifests().WriteDue(t.Context(), func(archive.Manifest) {}))
	first, err := r.DB.LastManifest(t.Context())
	r.Check(err)
	now.Advance(20 * 24 * time.Hour)
	r.Check(r.manifests().WriteDue(t.Context(), func(archive.Manifest) {}))
	right := ingesttest.NewClock()
	right.Advance(begin.AddDate(0, 0, 2).Sub(right.Now()))
	m := &upkeep.Manifests{DB: r.DB, Archive: r.Archive, Logger: r.Logger, Now: right.Now}
	if err := m.WriteDue(t.Context(), func(archive.Manifest) {}); !errors.Is(err, upkeep.ErrManifestAhead) {
		t.Fatal(err)
	}
	_, err = r.Pool.Exec(t.Context(), `UPDATE job_logs SET manifest_date = NULL WHERE manifest_date > $1`, first.Date)
	r.Check(err)
	_, err = r.Pool.Exec(t.Context(), `DELETE FROM manifests WHERE date > $1`, first.Date)
	r.Check(err)
	for o, err := range r.Archive.Bucket().List(t.Context(), archive.ManifestPrefix) {
		r.Check(err)
		if o.Key > archive.ManifestKey(first.Date) {
			r.Check(r.Archive.Bucket().Remove(t.Context(), o.Key))
		}
	}
	n := 0
	r.Check(m.WriteDue(t.Context(), func(archive.Manifest) { n++ }))
	if n != 1 {
		t.Errorf("%d manifests were written", n)
	}
}
