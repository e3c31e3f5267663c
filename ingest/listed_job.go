package ingest

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// listedJobs keeps the jobs of a run that a listing told of, whoever asked for it: each one's
// own bytes, as they stand in the answer, are its job.json.
type listedJobs struct {
	archive *archive.Archive
	client  *ghapi.Client
	repo    store.Repository
	run     int64
	attempt int64 // with which they were listed
	logger  *slog.Logger
}

// storeParallel is how many jobs of a listing are put into the bucket at a time.
const storeParallel = 16

// store turns listed jobs into facts, and puts those that have completed into the
// bucket before a row says so. With an error come the facts of those jobs that
// nothing is wrong with. known are those of the jobs that have rows.
func (l listedJobs) store(ctx context.Context, jobs []ghapi.Job, known map[int64]store.KnownJob) ([]store.Facts, error) {
	facts, errs := make([]store.Facts, len(jobs)), make([]error, len(jobs))
	var g errgroup.Group
	g.SetLimit(storeParallel)
	for i, j := range jobs {
		g.Go(func() error {
			facts[i], errs[i] = l.storeOne(ctx, j, known[j.GetID()])
			return nil
		})
	}
	_ = g.Wait() // errors are in errs
	var good []store.Facts
	var bad []error
	for i, err := range errs {
		switch {
		case err == nil:
			good = append(good, facts[i])
		case len(bad) < maxFailures || ghapi.IsRateLimited(err):
			bad = append(bad, err)
		}
	}
	return good, errors.Join(bad...)
}

func (l listedJobs) storeOne(ctx context.Context, j ghapi.Job, known store.KnownJob) (store.Facts, error) {
	if !known.Fetched && l.attemptMayDiffer(j, known) {
		// What a job says of itself counts.
		itself, err := l.client.Job(ctx, l.repo.Owner, l.repo.Name, j.GetID())
		if err != nil && !ghapi.IsNotFound(err) {
			return store.Facts{}, err
		}
		if err == nil {
			j = itself
		}
	}
	facts, err := record.FactsOfJob(j.WorkflowJob, l.repo)
	if err != nil {
		return facts, cannotBe("run %d: a listed job: %s", l.run, record.Reason(err))
	}
	if facts.Job.RunID != l.run {
		return facts, cannotBe("job %d is listed with run %d and says it is of run %d", facts.Job.ID, l.run, facts.Job.RunID)
	}
	switch {
	case known.RunAttempt != nil:
		facts.Job.RunAttempt = known.RunAttempt
	case facts.Job.RunAttempt == nil:
		facts.Job.RunAttempt = &l.attempt
	}
	if known.Fetched || facts.Job.Status != store.StatusCompleted {
		return facts, nil
	}
	return storeDetails(ctx, l.archive, record.KeyOf(facts.Job), j.Raw, facts, l.logger)
}

// attemptMayDiffer says whether a listed job may belong to another attempt than the one
// that it is listed with: it says so itself, or it ended before it was created (a job
// that a re-run carries over does), or the ledger knows it with another one.
func (l listedJobs) attemptMayDiffer(j ghapi.Job, known store.KnownJob) bool {
	if known.RunAttempt != nil {
		return j.RunAttempt != nil && *j.RunAttempt != *known.RunAttempt
	}
	if j.RunAttempt != nil && *j.RunAttempt != l.attempt {
		return true
	}
	started, created := record.TimeOf(j.StartedAt), record.TimeOf(j.CreatedAt)
	return l.attempt > 1 && started != nil && created != nil && started.Before(created.Add(-time.Second))
}

// idsOf are the ids of listed jobs.
func idsOf(jobs []ghapi.Job) []int64 {
	ids := make([]int64, len(jobs))
	for i, j := range jobs {
		ids[i] = j.GetID()
	}
	return ids
}
