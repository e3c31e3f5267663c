package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/store"
)

// FaultRemovals is something that is wrong with the log of removals, or between it and
// the ledger.
const FaultRemovals = "removals"

// removalsCheck compares the log of removals with itself, with what the database knows
// of it, and with the ledger.
type removalsCheck struct {
	*verification
	known map[int64]store.RemovalsRecord // by number; those that were met are taken out
	told  map[int64]int                  // steps of the last line of each job
}

// removals verifies the log of removals. Memory: some 40 bytes for each removal there
// ever was.
func (r *verification) removals(ctx context.Context) error {
	rows, err := r.DB.RemovalsRecords(ctx)
	if err != nil {
		return err
	}
	c := &removalsCheck{verification: r, known: make(map[int64]store.RemovalsRecord, len(rows)), told: make(map[int64]int)}
	for _, row := range rows {
		c.known[row.Number] = row
	}
	if err := c.records(ctx); err != nil {
		return err
	}
	for _, row := range rows {
		if _, missing := c.known[row.Number]; missing {
			if err := c.tell(ctx, 0, archive.RemovalsKey(row.Number), "the database knows this record, and it is not there"); err != nil {
				return err
			}
		}
	}
	return c.ledger(ctx)
}

func (c *removalsCheck) tell(ctx context.Context, jobID int64, key, detail string) error {
	return c.fault(ctx, store.LedgerLine{}, Fault{Kind: FaultRemovals, JobID: jobID, Key: key, Detail: detail}, nil)
}

// records reads all that is in the bucket of the log.
func (c *removalsCheck) records(ctx context.Context) error {
	var strays []archive.Object
	numbers, err := c.Archive.Removals(ctx, func(o archive.Object) { strays = append(strays, o) })
	if err != nil {
		return err
	}
	for _, o := range strays {
		if err := c.tell(ctx, 0, o.Key, "it lies among the records of removals and is named like none"); err != nil {
			return err
		}
	}
	var previous *archive.RemovalsRecord // nil: none, or one of which nothing can be said
	for i, n := range numbers {
		before := int64(0)
		if i > 0 {
			before = numbers[i-1]
		}
		if n != before+1 {
			if err := c.tell(ctx, 0, archive.RemovalsKey(before+1), fmt.Sprintf("there are no records %d to %d, and later ones", before+1, n-1)); err != nil {
				return err
			}
			previous = nil
		}
		record, err := c.record(ctx, n, previous, before+1)
		if err != nil {
			return err
		}
		previous = record
	}
	return nil
}

// record verifies one, and returns it; nil, if it cannot be read.
func (c *removalsCheck) record(ctx context.Context, number int64, previous *archive.RemovalsRecord, expected int64) (*archive.RemovalsRecord, error) {
	key := archive.RemovalsKey(number)
	row, known := c.known[number]
	delete(c.known, number)
	r, err := c.Archive.ReadRemovals(ctx, number)
	if errors.Is(err, archive.ErrUnreadable) {
		return nil, c.tell(ctx, 0, key, err.Error())
	}
	if err != nil {
		return nil, err
	}
	var wrong string
	switch {
	case known && !bytes.Equal(row.SHA256, r.SHA256[:]):
		wrong = fmt.Sprintf("it has SHA-256 %x; the database knows one with %x", r.SHA256, row.SHA256)
	case (previous != nil || number == 1) && number == expected && !followsRemovals(r, previous):
		wrong = "it does not follow the record before it, which was changed, or this one was"
	case !known && r.WrittenAt.Before(c.started):
		wrong = "the database does not know it: it is older than these removals, and does not speak of them; jobvault does what the record says when it starts, or rebuild does"
	}
	if wrong != "" {
		if err := c.tell(ctx, 0, key, wrong); err != nil {
			return nil, err
		}
	}
	return &r, c.lines(ctx, r)
}

// lines compares what a record tells with the ledger. Of a job to which more was done
// since, a later record tells.
func (c *removalsCheck) lines(ctx context.Context, r archive.RemovalsRecord) error {
	ids := make([]int64, len(r.Lines))
	for i, l := range r.Lines {
		ids[i] = l.JobID
	}
	steps, err := c.DB.RemovalSteps(ctx, ids)
	if err != nil {
		return err
	}
	records, err := c.DB.RemovalRecords(ctx, ids)
	if err != nil {
		return err
	}
	for i, l := range r.Lines {
		told := l.Settled.Steps()
		c.told[l.JobID] = max(c.told[l.JobID], told)
		known, is := steps[l.JobID]
		detail := ""
		switch {
		case !is:
			detail = "no such job is known; jobvault rebuild makes its rows"
		case known == 0:
			detail = "the log was removed; the ledger does not say so"
		case known < told:
			detail = "it tells of redactions that the ledger does not know"
		case known == told && !saysTheSame(records[l.JobID], l.Settled):
			detail = "the ledger tells otherwise what was removed, when, why, or by whom"
		}
		if detail == "" {
			continue
		}
		if err := c.tell(ctx, l.JobID, archive.RemovalsKey(r.Number), fmt.Sprintf("line %d: %s", i+2, detail)); err != nil {
			return err
		}
	}
	return nil
}

func saysTheSame(r store.RemovalRecord, s archive.Settled) bool {
	return r.Log.SettledAt != nil && sameSettled(removedAs(r), s)
}

// loggedWithin is how soon the log of removals tells of a removal, and more.
const loggedWithin = time.Hour

// ledger looks for removals that the log does not tell of. Those that no process has
// written down yet are told of together.
func (c *removalsCheck) ledger(ctx context.Context) error {
	unlogged, first := 0, int64(0)
	for after := int64(0); ; {
		removals, err := c.DB.RemovalsAfter(ctx, after, verifyBatch)
		if err != nil {
			return err
		}
		if len(removals) == 0 {
			break
		}
		after = removals[len(removals)-1].JobID
		untold, err := c.untold(ctx, removals)
		if err != nil {
			return err
		}
		for _, m := range untold {
			if m.LoggedIn != nil {
				if err := c.tell(ctx, m.JobID, archive.RemovalsKey(*m.LoggedIn), "the ledger says that this record tells all of its removal; none does"); err != nil {
					return err
				}
			} else if c.started.Sub(m.DecidedAt) > loggedWithin {
				if unlogged++; unlogged == 1 {
					first = m.JobID
				}
			}
		}
	}
	if unlogged == 0 {
		return nil
	}
	return c.tell(ctx, first, archive.RemovalsPrefix, fmt.Sprintf("the log of removals does not tell of %d removals, of this job's and of others; a serving jobvault, or retention apply, writes them down", unlogged))
}

// untold are those removals of which the log tells less than the ledger.
func (c *removalsCheck) untold(ctx context.Context, removals []store.Removal) (untold []store.Removal, err error) {
	ids := make([]int64, len(removals))
	for i, m := range removals {
		ids[i] = m.JobID
	}
	steps, err := c.DB.RemovalSteps(ctx, ids)
	for _, m := range removals {
		if c.told[m.JobID] < max(steps[m.JobID], 1) {
			untold = append(untold, m)
		}
	}
	return untold, err
}
