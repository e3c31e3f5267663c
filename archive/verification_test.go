package archive_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
)

// However much is done side by side, the functions of a verification are called one at a
// time, and each step and fault counts.
func TestVerificationCallsOneAtATime(t *testing.T) {
	t.Parallel()
	const jobs = 100
	var faults, steps []int64 // which the race detector watches
	v := archive.NewVerification[int](func(f int64) { faults = append(faults, f) }, func(done, total int64) {
		if total != jobs {
			t.Errorf("%d of %d", done, total)
		}
		steps = append(steps, done)
	})
	var g sync.WaitGroup
	for job := range int64(jobs) {
		g.Go(func() {
			v.Count(func(sum *int) { *sum++ })
			v.Report(job, func(sum *int) { *sum += 1000 })
			v.Step(jobs)
		})
	}
	g.Wait()
	if sum := v.Sum(); sum != jobs+1000*jobs || len(faults) != jobs || len(steps) != jobs || !slices.IsSorted(steps) {
		t.Errorf("sum %d, %d faults, steps %v", sum, len(faults), steps)
	}
}

// More may be done than there was in the beginning: never more than the total is told.
func TestVerificationProgressStaysWithinItsTotal(t *testing.T) {
	t.Parallel()
	var told [][2]int64
	v := archive.NewVerification[int](func(int) {}, func(done, total int64) { told = append(told, [2]int64{done, total}) })
	for range 3 {
		v.Step(2)
	}
	if want := [][2]int64{{1, 2}, {2, 2}, {3, 3}}; !slices.Equal(told, want) {
		t.Errorf("told of %v, want %v", told, want)
	}
}

// Of the objects of a bucket that is gone nothing can be said.
func TestMissingTellsAnObjectFromItsBucket(t *testing.T) {
	t.Parallel()
	a := newArchive(t, buckettest.Open(t, "file://"+t.TempDir()), 1<<40)
	broken := errors.New("broken")
	for _, c := range []struct {
		err     error
		missing bool
		want    error
	}{{nil, false, nil}, {broken, false, broken}, {bucket.ErrNotFound, true, nil}} {
		if missing, err := a.Missing(t.Context(), c.err); missing != c.missing || !errors.Is(err, c.want) {
			t.Errorf("of %v: %v, %v", c.err, missing, err)
		}
	}
}
