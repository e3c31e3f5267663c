package upkeep

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// Rebuilder makes the database again from the bucket alone. What is in the
// database already is not made worse, so it may be repeated, and killed.
//
// The bucket does not tell everything: not how often a log was asked for, nor
// whether a repository is private, nor deliveries, nor jobs that are not settled.
// The names of repositories are those of their latest job, and count as told when that
// ended: whatever GitHub has told since counts for more.
type Rebuilder struct {
	DB      *store.DB
	Archive *archive.Archive
}

// RebuildResult sums up a rebuild.
type RebuildResult struct {
	Jobs      int            `json:"jobs"`      // found in the bucket
	Before    int            `json:"before"`    // of those, settled in the database already
	States    map[string]int `json:"states"`    // of the rest, as settled now
	Faults    int            `json:"faults"`    // of which something is of no use: jobs, manifests, records of removals
	Bytes     int64          `json:"raw_bytes"` // of the logs that were read
	Runs      int            `json:"runs"`      // attempts of which run.json told who and what started them
	Manifests int            `json:"manifests"` // whose jobs are marked again
	Removals  int            `json:"removals"`  // jobs of which the log of removals told what the database did not know
	Records   int            `json:"removal_records"`
	Unlogged  int            `json:"unlogged"` // removals that settled.json tells of and the log of removals does not, the first few
}

// folder is what the bucket has of one job.
type folder struct {
	key     archive.JobKey
	objects map[string]bucket.Object // by the last part of their keys
}

// rebuilding is one run of Rebuild.
type rebuilding struct {
	*Rebuilder
	report   func(archive.Fault)
	progress func(jobs int)

	mu  sync.Mutex
	sum RebuildResult
}

const rebuildBatch = 200

// Rebuild goes through the bucket, parallel jobs at a time. It calls report for
// each fault and progress as it goes on, one call at a time. It fails only if
// Postgres or the bucket does not answer.
func (b *Rebuilder) Rebuild(ctx context.Context, parallel int, report func(archive.Fault), progress func(jobs int)) (RebuildResult, error) {
	r := &rebuilding{Rebuilder: b, report: report, progress: progress, sum: RebuildResult{States: map[string]int{}}}
	if err := r.adoptRemovals(ctx); err != nil {
		return r.sum, err
	}
	if err := r.listed(ctx, parallel); err != nil {
		return r.sum, err
	}
	if err := r.logged(ctx); err != nil {
		return r.sum, err
	}
	if err := r.manifests(ctx); err != nil {
		return r.sum, err
	}
	return r.sum, r.DB.RollUpAllActions(ctx) // there may be no worker that does
}

// listed goes through the objects of jobs and runs, in batches.
func (r *rebuilding) listed(ctx context.Context, parallel int) error {
	var batch []folder
	var runs []archive.RunKey
	flush := func() error {
		// Jobs first: they tell of the repositories that runs belong to.
		err := r.jobs(ctx, batch, parallel)
		if err == nil {
			err = r.runs(ctx, runs)
		}
		batch, runs = batch[:0], runs[:0]
		return err
	}
	for o, err := range r.Archive.Bucket().List(ctx, "") {
		if err != nil {
			return err
		}
		k, _, ok := archive.ParseKey(o.Key)
		name := path.Base(o.Key)
		// The objects of a folder come together.
		if n := len(batch); ok && n > 0 && batch[n-1].key == k {
			batch[n-1].objects[name] = o
			continue
		}
		if len(batch)+len(runs) >= rebuildBatch {
			if err := flush(); err != nil {
				return err
			}
		}
		if ok {
			batch = append(batch, folder{key: k, objects: map[string]bucket.Object{name: o}})
		} else if run, ok := archive.ParseRunKey(o.Key); ok {
			runs = append(runs, run)
		} // what is neither verify names
	}
	return flush()
}

func (r *rebuilding) jobs(ctx context.Context, batch []folder, parallel int) error {
	ids := make([]int64, len(batch))
	for i, f := range batch {
		ids[i] = f.key.JobID
	}
	lines, err := r.DB.LedgerOf(ctx, ids)
	if err != nil {
		return err
	}
	steps, err := r.DB.RemovalSteps(ctx, ids)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, f := range batch {
		g.Go(func() error {
			before := lines[f.key.JobID].SettledAt != nil
			var state string
			var bytes int64
			var err error
			if !before {
				state, bytes, err = r.job(gctx, f)
			} else {
				state, before, err = r.before(gctx, f, lines[f.key.JobID], steps[f.key.JobID])
			}
			var fault archive.Fault
			faulty := errors.As(err, &fault)
			if faulty {
				r.fault(fault)
			} else if err != nil {
				return fmt.Errorf("rebuild job %d: %w", f.key.JobID, err)
			}
			r.count(state, bytes, before, faulty)
			return nil
		})
	}
	return g.Wait()
}

// fault reports what is of no use, and counts it.
func (r *rebuilding) fault(f archive.Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.Faults++
	r.report(f)
}

func (r *rebuilding) count(state string, bytes int64, before, faulty bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.Jobs++
	r.sum.Bytes += bytes
	switch {
	case faulty:
	case before:
		r.sum.Before++
	default:
		r.sum.States[state]++
	}
	r.progress(r.sum.Jobs)
}

// job makes one job's rows, and its line in the ledger last.
func (r *rebuilding) job(ctx context.Context, f folder) (state string, bytes int64, err error) {
	facts, err := r.rows(ctx, f)
	if err != nil {
		return "", 0, err
	}
	// As the table has them: webhooks may have told more.
	if facts.Steps, err = r.DB.Steps(ctx, f.key.JobID); err != nil {
		return "", 0, err
	}
	removed, kept, err := r.removed(ctx, f, facts)
	if err != nil || removed {
		return store.LogRemoved, 0, err
	}
	s, at, err := r.settlement(ctx, f)
	if err != nil || s.State == store.LogPending {
		return s.State, 0, err
	}
	s.Settled = kept
	if s.Object != nil {
		bytes = s.Object.RawBytes
	}
	_, err = r.DB.Settle(ctx, s, at)
	return s.State, bytes, err
}

// rows writes what job.json says.
func (r *rebuilding) rows(ctx context.Context, f folder) (store.Facts, error) {
	raw, err := r.Archive.Details(ctx, f.key)
	if errors.Is(err, bucket.ErrNotFound) {
		return store.Facts{}, archive.Fault{Kind: archive.FaultDetails, JobID: f.key.JobID, Key: f.key.Details(), Detail: "there is no such object: nothing says what job this was"}
	}
	if err != nil {
		return store.Facts{}, err
	}
	facts, err := record.FactsOfDetails(raw, f.key, store.Repository{ID: f.key.RepositoryID})
	if err == nil {
		facts.Repository.Owner, facts.Repository.Name, err = record.RepositoryNames(raw)
	}
	if err != nil {
		return store.Facts{}, archive.Fault{Kind: archive.FaultDetails, JobID: f.key.JobID, Key: f.key.Details(), Detail: err.Error()}
	}
	facts.Details = record.DetailsOf(raw)
	written := f.objects[archive.DetailsName].ModTime
	facts.Repository.SeenAt = written
	for _, at := range []*time.Time{facts.Job.CompletedAt, facts.Job.CreatedAt} {
		if at != nil {
			facts.Repository.SeenAt = *at
			break
		}
	}
	facts.Repository.NamedAt = record.LatestPlausible(written, facts.Job.CreatedAt, facts.Job.StartedAt, facts.Job.CompletedAt)
	return facts, r.DB.RecordFetched(ctx, facts, written)
}

// removed makes the rows of a removal, if the bucket tells of one. That beats a log
// that is there still: its removal is not finished. It also says how settled.json is
// there; nil: there is none.
func (r *rebuilding) removed(ctx context.Context, f folder, facts store.Facts) (bool, *store.Details, error) {
	o, ok := f.objects[archive.SettledName]
	if !ok {
		return false, nil, nil
	}
	raw, kept, err := r.Archive.SettledBytes(ctx, f.key)
	is := false
	if err == nil {
		is, err = record.IsRemoval(kept)
	}
	if errors.Is(err, bucket.ErrUnreadable) {
		return false, nil, archive.Fault{Kind: archive.FaultSettled, JobID: f.key.JobID, Key: f.key.Settled(), Detail: err.Error()}
	}
	if err != nil || !is {
		return false, record.DetailsOf(raw), err
	}
	removal, err := ingest.RemovalFromRecord(ctx, r.Archive, f.key, kept, facts.Steps, o.ModTime)
	removal.Settled = record.DetailsOf(raw)
	if err == nil {
		_, err = r.DB.RestoreRemoval(ctx, removal)
	}
	return true, nil, err
}

// settlement is what the bucket says of the job's log: pending, if nothing.
func (r *rebuilding) settlement(ctx context.Context, f folder) (s store.Settlement, at time.Time, err error) {
	if len(f.logs()) > 0 {
		return r.archived(ctx, f)
	}
	if _, ok := f.objects[archive.SettledName]; !ok {
		return store.Settlement{State: store.LogPending}, at, nil
	}
	kept, err := r.Archive.Settled(ctx, f.key)
	if errors.Is(err, bucket.ErrUnreadable) || err == nil && !record.SettledWithoutLog(kept.State) {
		return s, at, archive.Fault{Kind: archive.FaultSettled, JobID: f.key.JobID, Key: f.key.Settled(), Detail: fmt.Sprintf("state %q: %v", kept.State, err)}
	}
	return store.Settlement{JobID: f.key.JobID, State: kept.State, Reason: kept.Reason, HTTPStatus: kept.HTTPStatus}, kept.At, err
}
