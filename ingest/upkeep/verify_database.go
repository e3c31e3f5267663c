package upkeep

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// VerifyDatabaseResult sums up a verification of the database.
type VerifyDatabaseResult struct {
	Jobs     int   `json:"jobs"`
	Untold   int   `json:"untold"`    // of these, jobs that have no job.json: only webhooks told of them
	Logs     int   `json:"logs"`      // logs and redacted copies that were read
	Unread   int   `json:"unread"`    // of these, logs whose rows an older jobvault made: only the ledger was compared
	RawBytes int64 `json:"raw_bytes"` // of them
	Listed   int64 `json:"listed"`    // lines of manifests that were compared with the ledger
	Faults   int   `json:"faults"`
}

// rowBatch bounds what is in memory: a job may have 2,000 rows of 1 KB.
const rowBatch = 50

// databaseVerification is one run of VerifyDatabase.
type databaseVerification struct {
	*verification
	rows VerifyDatabaseResult
}

// VerifyDatabase compares the rows of every job, settled or not, with what the bucket
// tells: jobs, workflow_runs, steps and labels with job.json, by the translation that
// rebuild uses; removals and redactions with settled.json; the ledger's line, the lines of
// steps and what jobs used with the log or its redacted copy, which it reads; and, where all jobs are
// looked at, the ledger and the table of manifests with the manifests. It changes
// nothing. Of the options, Deep and Repair do not count.
//
// It calls report for each fault, and progress as it goes on, one call at a time. It
// fails only if Postgres or the bucket does not answer; faults are no error.
func (v *Verifier) VerifyDatabase(ctx context.Context, o VerifyOptions, report func(Fault), progress func(done, total int)) (VerifyDatabaseResult, error) {
	o.Repair = false
	d := &databaseVerification{verification: v.begin(o, report, progress)}
	err := d.all(ctx)
	if err == nil && o.Since.IsZero() && o.Sample == 0 {
		err = d.listed(ctx)
	}
	d.rows.Faults = d.Sum().Faults
	return d.rows, err
}

// all goes through the jobs, in batches.
func (d *databaseVerification) all(ctx context.Context) error {
	filter := store.LedgerFilter{RepositoryID: d.o.RepositoryID, Since: d.o.Since}
	total, err := d.DB.CountJobRows(ctx, filter)
	if err != nil {
		return err
	}
	return inBatches(ctx, d.o.Parallel,
		func(after int64) ([]store.JobRows, error) { return d.DB.JobRows(ctx, filter, after, rowBatch) },
		func(j store.JobRows) int64 { return j.Job.ID },
		func(ctx context.Context, j store.JobRows) error {
			return d.sampled(total, func() error { return d.job(ctx, j) })
		})
}

// job compares one job's rows. A job that changes meanwhile is looked at again: rows
// and objects are read one after the other.
func (d *databaseVerification) job(ctx context.Context, j store.JobRows) error {
	for {
		l := &jobComparison{databaseVerification: d, rows: j, key: record.KeyOf(j.Job)}
		if err := l.all(ctx); err != nil {
			return fmt.Errorf("verify the rows of job %d: %w", j.Job.ID, err)
		}
		if len(l.faults) > 0 {
			again, err := d.DB.RowsOfJob(ctx, j.Job.ID)
			if err != nil {
				return err
			}
			if !reflect.DeepEqual(again, j) {
				j = again
				continue
			}
		}
		d.Count(func(*VerifyResult) { d.rows.add(l.seen) })
		for _, f := range l.faults {
			d.reportFault(f)
		}
		return nil
	}
}

func (v *VerifyDatabaseResult) add(o VerifyDatabaseResult) {
	v.Jobs += o.Jobs
	v.Untold += o.Untold
	v.Logs += o.Logs
	v.Unread += o.Unread
	v.RawBytes += o.RawBytes
}

// rowFault is a difference, with the object that tells.
func rowFault(jobID int64, object string, d difference) Fault {
	where := fmt.Sprintf("%s (%s)", d.table, d.key)
	if d.column != "" {
		where += " " + d.column
	}
	return Fault{
		Fault: archive.Fault{Kind: archive.FaultRow, JobID: jobID, Key: object, Detail: fmt.Sprintf("%s: the database says %s, the bucket %s", where, d.says, d.tells)},
		Table: d.table, Row: d.key, Column: d.column, Database: d.says, Bucket: d.tells,
	}
}

// jobComparison compares one job's rows with what the bucket tells of it.
type jobComparison struct {
	*databaseVerification
	rows   store.JobRows
	key    archive.JobKey
	facts  *store.Facts // of job.json; nil: it tells nothing
	faults []Fault
	seen   VerifyDatabaseResult

	otherSteps bool // job.json tells of other steps than the table
}

func (l *jobComparison) differ(object string, diffs ...difference) {
	for _, d := range diffs {
		l.faults = append(l.faults, rowFault(l.rows.Job.ID, object, d))
	}
}

func (l *jobComparison) broken(kind, object, format string, args ...any) {
	l.faults = append(l.faults, Fault{Fault: archive.Fault{Kind: kind, JobID: l.rows.Job.ID, Key: object, Detail: fmt.Sprintf(format, args...)}})
}

func (l *jobComparison) all(ctx context.Context) error {
	l.seen.Jobs = 1
	if l.rows.Log.State == "" {
		l.differ(l.key.Prefix(), difference{"job_logs", jobKey(l.rows.Job.ID), "", noRow, "a row for each job"})
	}
	if err := l.details(ctx); err != nil {
		return err
	}
	l.compareOrigin()
	switch l.rows.Log.State {
	case store.LogArchived:
		return l.log(ctx)
	case store.LogNone, store.LogExpired, store.LogMissing, store.LogRemoved:
		return l.settled(ctx)
	}
	return nil
}

// details compares what job.json tells.
func (l *jobComparison) details(ctx context.Context) error {
	raw, err := l.Archive.Details(ctx, l.key)
	object, noted := l.key.Details(), l.rows.Log.DetailsSHA256
	switch {
	case errors.Is(err, bucket.ErrUnreadable):
		l.broken(archive.FaultDetails, object, "%v", err)
		return nil
	case errors.Is(err, bucket.ErrNotFound) && noted == nil:
		l.seen.Untold = 1
		return nil
	}
	if absent, err := l.Archive.Missing(ctx, err); err != nil {
		return err
	} else if absent {
		l.broken(archive.FaultDetails, object, "there is no such object")
		return nil
	}
	if noted != nil {
		if err := sameDigest(raw, noted); err != nil {
			l.broken(archive.FaultDetails, object, "%v; the rows were not compared with it", err)
			return nil
		}
	}
	facts, err := record.FactsOfDetails(raw, l.key, l.rows.Repository)
	if err != nil {
		l.broken(archive.FaultDetails, object, "%v", err)
		return nil
	}
	l.facts = &facts
	return l.compareFacts(ctx)
}
