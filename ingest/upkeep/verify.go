// Package upkeep looks after the archive: it verifies and repairs what is there, rebuilds
// the database from the bucket, writes manifests, and removes what rules or people say
// has to go. The write path knows nothing of it. See docs/design.md#rooms.
package upkeep

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// Verifier compares the ledger, and all rows, with the bucket.
type Verifier struct {
	DB      *store.DB
	Archive *archive.Archive // of the bucket that belongs to the database
	GitHub  *ghapi.Clients   // for repairs; nil if nothing is repaired
	Now     func() time.Time // by which objects are too young to be orphans
}

// VerifyOptions say what is verified. Zero fields mean everything, by sizes.
type VerifyOptions struct {
	RepositoryID int64     // of the jobs; 0: of any repository
	Since        time.Time // jobs created at or after; zero: all
	Sample       float64   // share of the jobs, from 0 to 1; 0: all
	Deep         bool      // read every log and job.json, and compare their digests; else only their sizes
	Repair       bool      // fetch again what is damaged, as far as GitHub still has it
	Parallel     int       // objects at a time; 0: 8
}

// VerifyResult sums up a verification.
type VerifyResult struct {
	Jobs     int   `json:"jobs"`
	Logs     int   `json:"logs"`
	RawBytes int64 `json:"raw_bytes"` // of logs that were read
	Objects  int   `json:"objects"`   // looked at for orphans
	Faults   int   `json:"faults"`
	Repaired int   `json:"repaired"`
}

// verification is one run of Verify.
type verification struct {
	*Verifier
	*archive.Verification[VerifyResult, Fault]
	o       VerifyOptions
	started time.Time
}

const (
	verifyParallel = 8
	verifyBatch    = 500
)

// Verify looks at every settled job's objects, then at the descriptions of runs, at the
// bucket for objects that belong to none, at the log of removals and at the manifests; at
// these only where all jobs are looked at. It calls report for each fault, and progress as it goes on, one call
// at a time. It fails only if Postgres or the bucket does not answer; faults are no error.
func (v *Verifier) Verify(ctx context.Context, o VerifyOptions, report func(Fault), progress func(done, total int)) (VerifyResult, error) {
	r := v.begin(o, report, progress)
	err := r.run(ghapi.WithPriority(ctx, ghapi.Backfill))
	return r.Sum(), err
}

// begin begins a run of Verify, or of VerifyDatabase.
func (v *Verifier) begin(o VerifyOptions, report func(Fault), progress func(done, total int)) *verification {
	if o.Parallel == 0 {
		o.Parallel = verifyParallel
	}
	return &verification{
		Verifier: v, o: o, started: v.Now(),
		Verification: archive.NewVerification[VerifyResult](report, func(done, total int64) { progress(int(done), int(total)) }),
	}
}

func (r *verification) run(ctx context.Context) error {
	if err := r.ledger(ctx); err != nil {
		return err
	}
	if !r.o.Since.IsZero() || r.o.Sample != 0 {
		return nil
	}
	if err := r.runs(ctx); err != nil {
		return err
	}
	if err := r.orphans(ctx); err != nil || r.o.RepositoryID != 0 {
		return err
	}
	if err := r.removals(ctx); err != nil {
		return err
	}
	return r.manifests(ctx)
}

// ledger goes through the ledger, in batches. What is settled meanwhile is left
// to the next time.
func (r *verification) ledger(ctx context.Context) error {
	filter := store.LedgerFilter{RepositoryID: r.o.RepositoryID, Since: r.o.Since, SettledBy: r.started}
	total, err := r.DB.CountLedger(ctx, filter)
	if err != nil {
		return err
	}
	return inBatches(ctx, r.o.Parallel,
		func(after int64) ([]store.LedgerLine, error) { return r.DB.Ledger(ctx, filter, after, verifyBatch) },
		func(l store.LedgerLine) int64 { return l.JobID },
		func(ctx context.Context, l store.LedgerLine) error {
			return r.sampled(total, func() error { return r.line(ctx, l) })
		})
}

// sampled verifies one job, if it is of the sample, and counts it either way.
func (r *verification) sampled(total int, verify func() error) error {
	var err error
	if r.o.Sample == 0 || rand.Float64() < r.o.Sample { //nolint:gosec // a sample, no secret
		err = verify()
	}
	r.Step(int64(total))
	return err
}

// line verifies what one job has in the bucket.
func (r *verification) line(ctx context.Context, l store.LedgerLine) error {
	key := record.KeyOfLedgerLine(l)
	r.Count(func(sum *VerifyResult) { sum.Jobs++ })
	if err := r.details(ctx, l, key); err != nil {
		return err
	}
	switch l.State {
	case store.LogArchived:
		if err := r.settledBefore(ctx, l, key); err != nil {
			return err
		}
		return r.log(ctx, l, key)
	case store.LogNone, store.LogExpired, store.LogMissing:
		return r.settled(ctx, l, key)
	case store.LogRemoved:
		return r.removed(ctx, l, key)
	}
	return nil
}

func (r *verification) log(ctx context.Context, l store.LedgerLine, key archive.JobKey) error {
	r.Count(func(sum *VerifyResult) { sum.Logs++ })
	if own := key.LogNumbered(len(l.Shorter) + 1); *l.ObjectKey != own {
		f := archive.Fault{Kind: archive.FaultKey, JobID: l.JobID, Key: *l.ObjectKey, Detail: "the ledger names this object; the job's own is " + own}
		if archive.LogNumber(*l.ObjectKey) > len(l.Shorter)+1 {
			f.Detail += ", unless it took its place: jobvault rebuild has the ledger hear of that"
		}
		return r.fault(ctx, l, f, nil)
	}
	if err := r.shorter(ctx, l, key); err != nil {
		return err
	}
	damage, err := r.Archive.Verify(ctx, record.LogOf(l), r.o.Deep)
	if err != nil {
		return fmt.Errorf("verify job %d: %w", l.JobID, err)
	}
	if r.o.Deep {
		r.Count(func(sum *VerifyResult) { sum.RawBytes += *l.RawBytes })
	}
	if damage == nil {
		return r.filters(ctx, l)
	}
	damage.JobID = l.JobID
	return r.fault(ctx, l, *damage, r.repairLog)
}

// filters looks for the filters of a log, and into them if deep.
func (r *verification) filters(ctx context.Context, l store.LedgerLine) error {
	if l.FilterBytes == nil {
		return nil
	}
	f := archive.Fault{Kind: archive.FaultFilter, JobID: l.JobID, Key: archive.FilterKey(*l.ObjectKey), Detail: "there is no such object"}
	err := r.checkFilters(ctx, l)
	if errors.Is(err, bucket.ErrUnreadable) {
		f.Detail = err.Error()
		return r.fault(ctx, l, f, r.repairFilters)
	}
	if absent, err := r.Archive.Missing(ctx, err); err != nil || !absent {
		return err
	}
	return r.fault(ctx, l, f, r.repairFilters)
}

func (r *verification) checkFilters(ctx context.Context, l store.LedgerLine) error {
	size, err := r.Archive.Bucket().Size(ctx, archive.FilterKey(*l.ObjectKey))
	if err == nil && size != *l.FilterBytes {
		err = fmt.Errorf("%w: it has %d bytes, the ledger says %d", bucket.ErrUnreadable, size, *l.FilterBytes)
	}
	if err == nil && r.o.Deep {
		_, err = r.Archive.Filters(ctx, *l.ObjectKey, size, l.SHA256, len(l.FrameOffsets))
	}
	return err
}

// fault reports what was found, after trying to repair it if that is wanted and there is
// a way.
func (r *verification) fault(ctx context.Context, l store.LedgerLine, found archive.Fault, repair func(context.Context, store.LedgerLine) (bool, string, error)) error {
	f := Fault{Fault: found}
	if r.o.Repair && repair != nil {
		if err := r.repaired(ctx, &f, func() (bool, string, error) { return repair(ctx, l) }); err != nil {
			return fmt.Errorf("repair job %d: %w", l.JobID, err)
		}
	}
	r.reportFault(f)
	return nil
}

// repaired tries to repair what was found, and notes what came of it. GitHub's limits are
// waited for.
func (r *verification) repaired(ctx context.Context, f *Fault, repair func() (bool, string, error)) (err error) {
	var limited *ghapi.Error
	for {
		f.Repaired, f.Repair, err = repair()
		if !errors.As(err, &limited) || ctx.Err() != nil {
			return err
		}
		ingest.WaitForLimit(ctx, limited.RetryAt, r.Now())
	}
}

func (r *verification) reportFault(f Fault) {
	r.Report(f, func(sum *VerifyResult) {
		sum.Faults++
		if f.Repaired {
			sum.Repaired++
		}
	})
}
