package upkeep

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// removalsCheck compares the log of removals with itself, with what the database knows
// of it, and with the ledger.
//
// Others remove meanwhile, and write the log: it is listed first, and the ledger read
// later. So what seems to be wrong is asked once more before it is told.
type removalsCheck struct {
	*verification
	known   map[int64]store.AppliedRecord // by number; those that were met are taken out
	told    map[int64]int                 // steps of the last line of each job
	last    int64                         // the last record that was listed; 0: there was none
	later   map[int64]bool                // records after it that were read for what they tell
	unknown []archive.RemovalsHead        // that the database did not know when it was asked
	empty   bool                          // neither bucket nor database has any record
}

// removals verifies the log of removals. Memory: some 40 bytes for each removal there
// ever was.
func (r *verification) removals(ctx context.Context) error {
	rows, err := r.DB.AppliedRecords(ctx)
	if err != nil {
		return err
	}
	c := &removalsCheck{verification: r, known: make(map[int64]store.AppliedRecord, len(rows)), told: make(map[int64]int), later: make(map[int64]bool)}
	for _, row := range rows {
		c.known[row.Number] = row
	}
	if err := c.records(ctx); err != nil {
		return err
	}
	for _, row := range rows {
		if _, missing := c.known[row.Number]; missing {
			c.tell(0, archive.RemovalsKey(row.Number), "the database knows this record, and it is not there")
		}
	}
	if err := c.askAgain(ctx); err != nil {
		return err
	}
	c.empty = len(rows) == 0 && c.last == 0
	return c.ledger(ctx)
}

func (c *removalsCheck) tell(jobID int64, key, detail string) {
	c.reportFault(Fault{Fault: archive.Fault{Kind: archive.FaultRemovals, JobID: jobID, Key: key, Detail: detail}})
}

// records reads all that is in the bucket of the log.
func (c *removalsCheck) records(ctx context.Context) error {
	var strays []bucket.Object
	numbers, err := c.Archive.Removals(ctx, func(o bucket.Object) { strays = append(strays, o) })
	if err != nil {
		return err
	}
	for _, o := range strays {
		c.tell(0, o.Key, "it lies among the records of removals and is named like none")
	}
	var previous *archive.RemovalsRecord // nil: none, or one of which nothing can be said
	for i, n := range numbers {
		before := int64(0)
		if i > 0 {
			before = numbers[i-1]
		}
		if n != before+1 {
			c.tell(0, archive.RemovalsKey(before+1), fmt.Sprintf("there are no records %d to %d, and later ones", before+1, n-1))
			previous = nil
		}
		row, err := c.record(ctx, n, previous, before+1)
		if err != nil {
			return err
		}
		previous, c.last = row, n
	}
	return nil
}

// record verifies one, and returns it; nil, if it cannot be read.
func (c *removalsCheck) record(ctx context.Context, number int64, previous *archive.RemovalsRecord, expected int64) (*archive.RemovalsRecord, error) {
	key := archive.RemovalsKey(number)
	row, known := c.known[number]
	delete(c.known, number)
	r, err := c.Archive.ReadRemovals(ctx, number)
	if errors.Is(err, bucket.ErrUnreadable) {
		c.tell(0, key, err.Error())
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	wrong := ""
	switch {
	case known && !bytes.Equal(row.SHA256, r.SHA256[:]):
		wrong = otherKnown(r.SHA256, row)
	case (previous != nil || number == 1) && number == expected && !followsRemovals(r, previous):
		wrong = "it does not follow the record before it, which was changed, or this one was"
	case !known && r.WrittenAt.Before(c.started):
		c.unknown = append(c.unknown, archive.RemovalsHead{Number: number, SHA256: r.SHA256})
	}
	if wrong != "" {
		c.tell(0, key, wrong)
	}
	return &r, c.lines(ctx, r)
}

func otherKnown(sum [32]byte, row store.AppliedRecord) string {
	return fmt.Sprintf("it has SHA-256 %x; the database knows one with %x", sum, row.SHA256)
}

// askAgain tells of records that the database did not know and does not know now, when
// nobody is between putting a record and noting it.
func (c *removalsCheck) askAgain(ctx context.Context) error {
	if len(c.unknown) == 0 {
		return nil
	}
	unlock, _, err := c.DB.LockRemovals(ctx)
	if errors.Is(err, store.ErrRemovalsBusy) {
		unlock, err = func() {}, nil // it waited long enough for a record to be noted
	}
	if err != nil {
		return err
	}
	rows, err := c.DB.AppliedRecords(ctx)
	unlock()
	if err != nil {
		return err
	}
	known := make(map[int64]store.AppliedRecord, len(rows))
	for _, row := range rows {
		known[row.Number] = row
	}
	for _, r := range c.unknown {
		wrong := "the database does not know it: it is older than these removals, and does not speak of them; jobvault does what the record says when it starts, or rebuild does"
		if row, is := known[r.Number]; is {
			if bytes.Equal(row.SHA256, r.SHA256[:]) {
				continue
			}
			wrong = otherKnown(r.SHA256, row)
		}
		c.tell(0, archive.RemovalsKey(r.Number), wrong)
	}
	return nil
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
	records, err := c.DB.RemovedJobs(ctx, ids)
	if err != nil {
		return err
	}
	wrong := make(map[int]string) // by line
	for i, l := range r.Lines {
		c.told[l.JobID] = max(c.told[l.JobID], l.Settled.Steps())
		known, is := steps[l.JobID]
		if detail := differsFromRecord(l, known, is, records[l.JobID]); detail != "" {
			wrong[i] = detail
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	again, err := c.DB.RemovalSteps(ctx, ids)
	if err != nil {
		return err
	}
	for i, l := range r.Lines {
		detail, is := wrong[i]
		if !is || again[l.JobID] != steps[l.JobID] { // more was done to it between the questions
			continue
		}
		c.tell(l.JobID, archive.RemovalsKey(r.Number), fmt.Sprintf("line %d: %s", i+2, detail))
	}
	return nil
}

// differsFromRecord says what the ledger tells less than a line does, or otherwise; steps
// are the ledger's, if it is one that it knows.
func differsFromRecord(l archive.RemovalsLine, steps int, known bool, r store.RemovedJob) string {
	told := l.Settled.Steps()
	switch {
	case !known:
		return "no such job is known; jobvault rebuild makes its rows"
	case steps == 0:
		return "the log was removed; the ledger does not say so"
	case steps < told:
		return "it tells of redactions that the ledger does not know"
	case steps == told && !saysTheSame(r, l.Settled):
		return "the ledger tells otherwise what was removed, when, why, or by whom"
	}
	return ""
}

func saysTheSame(r store.RemovedJob, s archive.Settled) bool {
	return r.Log.SettledAt != nil && sameSettled(record.SettledOfRemoval(r), s)
}
