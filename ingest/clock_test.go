package ingest_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/store"
)

// The last manifest is of a day that is not over: it is named, in the table and in the
// bucket alone, until the day is over; then the chain goes on.
func TestManifestAhead(t *testing.T) {
	now := newClock()
	r := newRig(t, rigOptions{now: now.Now})
	r.archived(1)
	begin := now.Now()
	now.advance(3 * 24 * time.Hour) // a clock that is wrong
	r.check(r.manifests().WriteDue(t.Context(), func(archive.Manifest) {}))
	last, err := r.db.LastManifest(t.Context())
	r.check(err)
	right := newClock()
	right.advance(begin.Sub(right.Now()))
	m := &ingest.Manifests{DB: r.db, Archive: r.archive, Logger: r.logger, Metrics: r.metrics, Now: right.Now}
	ahead := func(where string) {
		t.Helper()
		err := m.WriteDue(t.Context(), func(archive.Manifest) { t.Error("one is written") })
		if !errors.Is(err, ingest.ErrManifestAhead) || !strings.Contains(err.Error(), last.Date.Format(time.DateOnly)) ||
			!strings.Contains(err.Error(), archive.ManifestKey(last.Date)) || !strings.Contains(err.Error(), where) {
			t.Errorf("%v", err)
		}
	}
	ahead("the table")
	_, err = r.pool.Exec(t.Context(), `DELETE FROM manifests`)
	r.check(err)
	ahead("the bucket")
	right.advance(last.Date.AddDate(0, 0, 2).Add(time.Hour).Sub(right.Now()))
	var written []string
	r.check(m.WriteDue(t.Context(), func(m archive.Manifest) { written = append(written, m.Date.Format(time.DateOnly)) }))
	if want := []string{last.Date.Format(time.DateOnly), last.Date.AddDate(0, 0, 1).Format(time.DateOnly)}; !slices.Equal(written, want) {
		t.Errorf("%v were written, want %v", written, want)
	}
}

// Of the way out that docs/manifests.md tells: the manifest is taken back, and is written
// when its day is over.
func TestManifestAheadIsTakenBack(t *testing.T) {
	now := newClock()
	r := newRig(t, rigOptions{now: now.Now})
	r.archived(1)
	begin := now.Now()
	now.advance(24 * time.Hour)
	r.check(r.manifests().WriteDue(t.Context(), func(archive.Manifest) {}))
	first, err := r.db.LastManifest(t.Context())
	r.check(err)
	now.advance(20 * 24 * time.Hour)
	r.check(r.manifests().WriteDue(t.Context(), func(archive.Manifest) {}))
	right := newClock()
	right.advance(begin.AddDate(0, 0, 2).Sub(right.Now()))
	m := &ingest.Manifests{DB: r.db, Archive: r.archive, Logger: r.logger, Metrics: r.metrics, Now: right.Now}
	if err := m.WriteDue(t.Context(), func(archive.Manifest) {}); !errors.Is(err, ingest.ErrManifestAhead) {
		t.Fatal(err)
	}
	_, err = r.pool.Exec(t.Context(), `UPDATE job_logs SET manifest_date = NULL WHERE manifest_date > $1`, first.Date)
	r.check(err)
	_, err = r.pool.Exec(t.Context(), `DELETE FROM manifests WHERE date > $1`, first.Date)
	r.check(err)
	for o, err := range r.archive.Bucket().List(t.Context(), archive.ManifestPrefix) {
		r.check(err)
		if o.Key > archive.ManifestKey(first.Date) {
			r.check(r.archive.Bucket().Remove(t.Context(), o.Key))
		}
	}
	n := 0
	r.check(m.WriteDue(t.Context(), func(archive.Manifest) { n++ }))
	if n != 1 {
		t.Errorf("%d manifests were written", n)
	}
}

// A sweep that a wrong clock has noted for a time to come does not keep what is between
// from being listed.
func TestSweepOfAWrongClock(t *testing.T) {
	r := newRig(t, rigOptions{})
	repo := r.knowRepository()
	skippedRuns(r.github, time.Now().Add(-time.Hour), 3)
	late := time.Now().AddDate(0, 0, 3)
	r.check(r.db.NoteSwept(t.Context(), repo.ID, store.TimeRange{From: late.Add(-time.Hour), To: late, Onward: true, Certain: true}))
	r.check(r.db.NoteDeep(t.Context(), repo.ID, late))
	swept, err := r.sweeper().Recent(t.Context(), repo, time.Time{})
	r.check(err)
	if swept.Runs != 3 {
		t.Errorf("%d runs are listed", swept.Runs)
	}
	after, err := r.db.Sweep(t.Context(), repo.ID)
	r.check(err)
	if after.Watermark.After(time.Now().Add(time.Minute)) || after.DeepAt.After(time.Now().Add(time.Minute)) {
		t.Errorf("it is swept until %s, and was at %s", after.Watermark, after.DeepAt)
	}
}
