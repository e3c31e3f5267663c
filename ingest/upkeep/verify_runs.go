package upkeep

import (
	"context"
	"errors"
	"fmt"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// runs looks for run.json of each attempt whose row tells of one, and into it if deep.
func (r *verification) runs(ctx context.Context) error {
	return inBatches(ctx, r.o.Parallel,
		func(after int64) ([]store.RunDetails, error) {
			return r.DB.RunDetailsAfter(ctx, r.o.RepositoryID, after, verifyBatch)
		},
		func(d store.RunDetails) int64 { return d.RunID },
		r.runDetails)
}

func (r *verification) runDetails(ctx context.Context, d store.RunDetails) error {
	key := record.KeyOfRunDetails(d)
	f := Fault{Fault: archive.Fault{Kind: archive.FaultDetails, Key: key.Run(), Detail: "there is no such object"}}
	err := r.checkRunDetails(ctx, d, key)
	if errors.Is(err, bucket.ErrUnreadable) {
		f.Detail = err.Error()
		r.reportFault(f)
		return nil
	}
	if absent, err := r.Archive.Missing(ctx, err); err != nil || !absent {
		return err
	}
	if r.o.Repair {
		if err := r.repaired(ctx, &f, func() (bool, string, error) { return r.repairRun(ctx, key) }); err != nil {
			return fmt.Errorf("repair run %d: %w", d.RunID, err)
		}
	}
	r.reportFault(f)
	return nil
}

func (r *verification) checkRunDetails(ctx context.Context, d store.RunDetails, key archive.RunKey) error {
	if !r.o.Deep {
		size, err := r.Archive.Bucket().Size(ctx, key.Run())
		if err == nil && size != d.Bytes {
			err = fmt.Errorf("%w: it has %d bytes, its row says %d", bucket.ErrUnreadable, size, d.Bytes)
		}
		return err
	}
	raw, err := r.Archive.Run(ctx, key)
	if err != nil {
		return err
	}
	return sameDigest(raw, d.SHA256)
}

// repairRun puts run.json into its place as GitHub has it, if the attempt is the run's
// latest still: GitHub describes no other one in this way.
func (r *verification) repairRun(ctx context.Context, key archive.RunKey) (bool, string, error) {
	repos, err := r.DB.RepositoriesOf(ctx, []int64{key.RepositoryID})
	if err != nil || len(repos) == 0 {
		return false, "its repository is not known", err
	}
	var run ghapi.Run
	err = ingest.AtRepository(ctx, r.DB, r.GitHub, repos[0], func(c *ghapi.Client, repo store.Repository) (err error) {
		run, err = c.Run(ctx, repo.Owner, repo.Name, key.RunID)
		return err
	})
	switch {
	case err != nil:
		return refusedRepair(err)
	case run.Attempt != key.RunAttempt || run.Status != store.StatusCompleted:
		return false, fmt.Sprintf("GitHub tells of attempt %d now, which is %s", run.Attempt, run.Status), nil
	}
	err = ingest.PutRunDetails(ctx, r.DB, r.Archive, key, run.Raw)
	return err == nil, "fetched again from GitHub", err
}

// strayRuns reports descriptions of runs that no row tells of.
func (r *verification) strayRuns(ctx context.Context, objects []bucket.Object) error {
	found := make(map[archive.RunKey]bucket.Object)
	var ids []int64
	for _, o := range objects {
		if k, ok := archive.ParseRunKey(o.Key); ok && r.started.Sub(o.ModTime) >= orphanAge {
			found[k], ids = o, append(ids, k.RunID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	noted, err := r.DB.RunDetailsOf(ctx, ids)
	if err != nil {
		return err
	}
	for _, d := range noted {
		delete(found, record.KeyOfRunDetails(d))
	}
	for _, o := range found {
		r.reportFault(Fault{Fault: archive.Fault{Kind: archive.FaultOrphan, Key: o.Key, Detail: "no row tells of this description of a run; jobvault rebuild notes it"}})
	}
	return nil
}
