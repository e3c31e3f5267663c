package upkeep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/store"
)

// loggedWithin is how soon the log of removals tells of a removal, and more.
const loggedWithin = time.Hour

// ledger looks for removals that the log does not tell of. Those that no process has
// written down yet are told of together; where there is no log yet, they are those of a
// jobvault that had none, and no fault.
func (c *removalsCheck) ledger(ctx context.Context) error {
	var unlogged []int64
	for after := int64(0); ; {
		removals, err := c.DB.RemovalsAfter(ctx, after, verifyBatch)
		if err != nil {
			return err
		}
		if len(removals) == 0 {
			break
		}
		after = removals[len(removals)-1].JobID
		ids := make([]int64, len(removals))
		for i, m := range removals {
			ids[i] = m.JobID
		}
		more, err := c.unlogged(ctx, ids)
		if err != nil {
			return err
		}
		unlogged = append(unlogged, more...)
	}
	if len(unlogged) == 0 || c.empty {
		return nil
	}
	return c.tellUnlogged(ctx, unlogged)
}

// tellUnlogged tells of removals that are in no record, unless somebody is writing them
// down right now: of the many of before there was a log, that takes a while.
func (c *removalsCheck) tellUnlogged(ctx context.Context, jobIDs []int64) error {
	unlock, _, err := c.DB.LockRemovals(ctx)
	if errors.Is(err, store.ErrRemovalsBusy) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	unlogged, first := 0, int64(0)
	for batch := range slices.Chunk(jobIDs, verifyBatch) {
		still, err := c.unlogged(ctx, batch)
		if err != nil {
			return err
		}
		if unlogged == 0 && len(still) > 0 {
			first = still[0]
		}
		unlogged += len(still)
	}
	if unlogged == 0 {
		return nil
	}
	c.tell(first, archive.RemovalsPrefix, fmt.Sprintf("the log of removals does not tell of %d removals, of this job's and of others; a serving jobvault, or retention apply, writes them down", unlogged))
	return nil
}

// unlogged compares removals with what the log of removals tells, and returns those that should be in it
// by now and are in no record.
//
// A row is read after what was done is counted. If it names a record then, that tells of
// as much at least, also where more was done, or logged, meanwhile.
func (c *removalsCheck) unlogged(ctx context.Context, jobIDs []int64) (unlogged []int64, err error) {
	steps, err := c.DB.RemovalSteps(ctx, jobIDs)
	if err != nil {
		return nil, err
	}
	untold := func(id int64) bool { return c.told[id] < max(steps[id], 1) }
	ids := slices.DeleteFunc(slices.Clone(jobIDs), func(id int64) bool { return !untold(id) })
	if len(ids) == 0 {
		return nil, nil
	}
	records, err := c.DB.RemovedJobs(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		r, is := records[id]
		number := r.Removal.LoggedIn
		switch {
		case !is:
		case number == nil:
			if c.started.Sub(lastChange(r)) > loggedWithin {
				unlogged = append(unlogged, id)
			}
		default:
			if err := c.readLater(ctx, *number); err != nil {
				return nil, err
			}
			if !untold(id) {
				continue
			}
			c.tell(id, archive.RemovalsKey(*number), "the ledger says that this record tells all of its removal; none does")
		}
	}
	return unlogged, nil
}

// readLater reads what a record tells that was put after the log was listed.
func (c *removalsCheck) readLater(ctx context.Context, number int64) error {
	if number <= c.last || c.later[number] {
		return nil
	}
	r, err := c.Archive.ReadRemovals(ctx, number)
	if errors.Is(err, bucket.ErrUnreadable) {
		err = nil // it tells nothing; the next verification, which lists it, says so
	}
	if _, err := c.Archive.Missing(ctx, err); err != nil {
		return err
	}
	c.later[number] = true
	for _, l := range r.Lines {
		c.told[l.JobID] = max(c.told[l.JobID], l.Settled.Steps())
	}
	return nil
}

// lastChange is when a log was last removed, or redacted.
func lastChange(r store.RemovedJob) time.Time {
	last := r.Removal.DecidedAt
	for _, c := range r.Redactions {
		for _, at := range []*time.Time{&c.At, c.RemovedAt} {
			if at != nil && at.After(last) {
				last = *at
			}
		}
	}
	return last
}
