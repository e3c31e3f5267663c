package archive

import (
	"context"
	"errors"
	"sync"

	"github.com/jobvault/jobvault/archive/bucket"
)

// Verification is one run of a verification, with a summary S and faults F. Its methods
// may be called side by side; they call the run's functions one at a time.
type Verification[S, F any] struct {
	report   func(F)
	progress func(done, total int64)

	mu   sync.Mutex
	sum  S
	done int64
}

// NewVerification begins a run that calls report for each fault, and progress as it goes
// on.
func NewVerification[S, F any](report func(F), progress func(done, total int64)) *Verification[S, F] {
	return &Verification[S, F]{report: report, progress: progress}
}

// Count changes the summary.
func (v *Verification[S, F]) Count(change func(sum *S)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change(&v.sum)
}

// Report reports a fault, and counts it in the summary.
func (v *Verification[S, F]) Report(fault F, count func(sum *S)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	count(&v.sum)
	v.report(fault)
}

// Step tells the progress: one more is done, of total. Once more are done than that,
// because some came meanwhile, it tells their number as the total.
func (v *Verification[S, F]) Step(total int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.done++
	v.progress(v.done, max(total, v.done))
}

// Sum is the summary so far.
func (v *Verification[S, F]) Sum() S {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.sum
}

// Missing tells an object that is not there from a bucket that is not: of its objects
// nothing can be said. It is true if err is ErrNotFound and the bucket is there, and
// returns any other error.
func (a *Archive) Missing(ctx context.Context, err error) (bool, error) {
	if !errors.Is(err, bucket.ErrNotFound) {
		return false, err
	}
	if err := a.bucket.Check(ctx); err != nil {
		return false, err
	}
	return true, nil
}
