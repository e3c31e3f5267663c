package ingest_test

import (
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/store"
)

// A sweep that a wrong clock has noted for a time to come does not keep what is between
// from being listed.
func TestSweepOfAWrongClock(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	repo := r.knowRepository()
	skippedRuns(r.GitHub, time.Now().Add(-time.Hour), 3)
	late := time.Now().AddDate(0, 0, 3)
	r.Check(r.DB.NoteSwept(t.Context(), repo.ID, store.TimeRange{From: late.Add(-time.Hour), To: late, Onward: true, Certain: true}))
	r.Check(r.DB.NoteDeep(t.Context(), repo.ID, late))
	swept, err := r.Sweeper().Recent(t.Context(), repo, time.Time{})
	r.Check(err)
	if swept.Runs != 3 {
		t.Errorf("%d runs are listed", swept.Runs)
	}
	after, err := r.DB.Sweep(t.Context(), repo.ID)
	r.Check(err)
	if after.Watermark.After(time.Now().Add(time.Minute)) || after.DeepAt.After(time.Now().Add(time.Minute)) {
		t.Errorf("it is swept until %s, and was at %s", after.Watermark, after.DeepAt)
	}
}
