package upkeep

import (
	"context"
	"errors"
	"fmt"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// runs adds what run.json of these attempts says of who and what started them. Those of a
// repository that has no job in the bucket have no rows to be added to: they are left, for
// a rebuild once there is one.
func (r *rebuilding) runs(ctx context.Context, keys []archive.RunKey) error {
	ids := make([]int64, len(keys))
	for i, k := range keys {
		ids[i] = k.RepositoryID
	}
	known, err := r.DB.KnownRepositories(ctx, ids)
	if err != nil {
		return err
	}
	isKnown := make(map[int64]bool, len(known))
	for _, id := range known {
		isKnown[id] = true
	}
	var listed []store.ListedRun
	var details []store.RunDetails
	for _, k := range keys {
		if !isKnown[k.RepositoryID] {
			continue
		}
		raw, run, err := r.run(ctx, k)
		var fault archive.Fault
		if errors.As(err, &fault) {
			r.fault(fault)
			continue
		}
		if err != nil {
			return fmt.Errorf("rebuild run %d: %w", k.RunID, err)
		}
		listed, details = append(listed, run), append(details, record.RunDetailsOf(raw, k))
	}
	if err := r.DB.RecordRuns(ctx, listed); err != nil {
		return err
	}
	for _, d := range details {
		if err := r.DB.RecordRunDetails(ctx, d); err != nil {
			return err
		}
	}
	r.sum.Runs += len(listed)
	return nil
}

// run reads one run.json.
func (r *rebuilding) run(ctx context.Context, k archive.RunKey) ([]byte, store.ListedRun, error) {
	raw, err := r.Archive.Run(ctx, k)
	if err != nil && !errors.Is(err, bucket.ErrUnreadable) {
		return nil, store.ListedRun{}, err
	}
	var run store.ListedRun
	if err == nil {
		run, err = record.ListedRunOfDetails(raw, k)
	}
	if err != nil {
		return nil, run, archive.Fault{Kind: archive.FaultDetails, Key: k.Run(), Detail: err.Error()}
	}
	return raw, run, nil
}
