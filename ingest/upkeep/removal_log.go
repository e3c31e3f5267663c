package upkeep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// ErrRemovalsBroken says that the log of removals in the bucket is not the one that was
// written. What it said that is lost, nobody knows: nothing may be read before somebody
// has looked.
var ErrRemovalsBroken = errors.New("the log of removals in the bucket is broken")

// RemovalLog is the log of removals in the bucket, and what the database knows of it.
//
// A record is put into the bucket first, and then noted in the table removal_log. One
// that is in the bucket and not in the table was put by a process that was killed then,
// or the database comes from an older dump: what it says is done in the ledger, and
// then it is noted. So the table never has a record of which the ledger lacks a word,
// and doing a record twice changes nothing: of a job that account counts which tells of
// more steps (store.DB.RemovalSteps).
type RemovalLog struct {
	DB      *store.DB
	Archive *archive.Archive
}

// CatchUp has the ledger hear of all removals that the bucket tells of, and says of how
// many jobs it had not; one that was redacted twice counts twice. When it returns without an error the database may be read. It
// costs two requests where there is nothing new. It fails with ErrRemovalsBroken, and
// if Postgres or the bucket is away; it may be repeated and run beside itself.
func (l *RemovalLog) CatchUp(ctx context.Context) (jobs int, err error) {
	head, err := l.head(ctx)
	if err != nil {
		return 0, err
	}
	behind, err := l.behind(ctx, head)
	if err != nil || !behind {
		return 0, err
	}
	unlock, at, err := l.DB.LockRemovals(ctx)
	if err != nil {
		return 0, err
	}
	defer unlock()
	_, jobs, err = l.catchUp(ctx, at)
	return jobs, err
}

// Confirm is CatchUp after a look at all of the log: that no record is missing, and
// that the last one that the database knows is the one in the bucket.
func (l *RemovalLog) Confirm(ctx context.Context) (jobs int, err error) {
	head, err := l.head(ctx)
	if err != nil {
		return 0, err
	}
	numbers, err := l.Archive.Removals(ctx, func(bucket.Object) {})
	if err != nil {
		return 0, err
	}
	for i, n := range numbers {
		if n != int64(i+1) {
			return 0, removalsBroken("record %d is not there, and later ones are", i+1)
		}
	}
	if head != nil {
		if err := l.confirm(ctx, *head); err != nil {
			return 0, err
		}
	}
	return l.CatchUp(ctx)
}

// confirm wants a record that the database knows to be in the bucket as it was.
func (l *RemovalLog) confirm(ctx context.Context, known archive.RemovalsRecord) error {
	found, err := l.Archive.ReadRemovals(ctx, known.Number)
	if errors.Is(err, bucket.ErrNotFound) {
		return l.absent(ctx, known.Number)
	}
	if errors.Is(err, bucket.ErrUnreadable) {
		return removalsBroken("%v", err)
	}
	if err == nil && found.SHA256 != known.SHA256 {
		err = removalsBroken("record %d has SHA-256 %x; the database knows one with %x", known.Number, found.SHA256, known.SHA256)
	}
	return err
}

// Head is the number and digest of the last record that the database knows; 0: there
// is none.
func (l *RemovalLog) Head(ctx context.Context) (number int64, sum [32]byte, err error) {
	head, err := l.head(ctx)
	if err != nil || head == nil {
		return 0, sum, err
	}
	return head.Number, head.SHA256, nil
}

// head is the last record that the database knows, without its lines; nil: none.
func (l *RemovalLog) head(ctx context.Context) (*archive.RemovalsRecord, error) {
	r, err := l.DB.LastAppliedRecord(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &archive.RemovalsRecord{Number: r.Number, SHA256: record.DigestOf(r.SHA256), WrittenAt: r.WrittenAt}, nil
}

func nextNumber(head *archive.RemovalsRecord) int64 {
	if head == nil {
		return 1
	}
	return head.Number + 1
}

// behind tells whether the bucket has a record after the last one that the database
// knows, which must be there.
func (l *RemovalLog) behind(ctx context.Context, head *archive.RemovalsRecord) (bool, error) {
	if head != nil {
		_, err := l.Archive.Bucket().Size(ctx, archive.RemovalsKey(head.Number))
		if errors.Is(err, bucket.ErrNotFound) {
			return false, l.absent(ctx, head.Number)
		}
		if err != nil {
			return false, err
		}
	}
	_, err := l.Archive.Bucket().Size(ctx, archive.RemovalsKey(nextNumber(head)))
	if errors.Is(err, bucket.ErrNotFound) {
		if head == nil {
			return false, l.Archive.Bucket().Check(ctx) // nothing there may be no bucket
		}
		return false, nil
	}
	return err == nil, err
}

// absent is the error of a record that the database knows and the bucket lacks.
func (l *RemovalLog) absent(ctx context.Context, number int64) error {
	if err := l.Archive.Bucket().Check(ctx); err != nil {
		return err
	}
	return removalsBroken("record %d, which the database knows, is not there", number)
}

func removalsBroken(format string, args ...any) error {
	return fmt.Errorf("%w: %s; jobvault verify names all that is wrong, and docs/removals.md says what to do", ErrRemovalsBroken, fmt.Sprintf(format, args...))
}

// catchUp does what records say that the database does not know, one after the other,
// and returns the last one. The caller has the lock.
func (l *RemovalLog) catchUp(ctx context.Context, at time.Time) (head *archive.RemovalsRecord, jobs int, err error) {
	if head, err = l.head(ctx); err != nil {
		return nil, 0, err
	}
	// Nothing may be heard, or written, after a record that is lost.
	if _, err := l.behind(ctx, head); err != nil {
		return head, 0, err
	}
	for {
		r, err := l.Archive.ReadRemovals(ctx, nextNumber(head))
		switch {
		case errors.Is(err, bucket.ErrNotFound):
			return head, jobs, nil
		case errors.Is(err, bucket.ErrUnreadable):
			return head, jobs, removalsBroken("%v", err)
		case err != nil:
			return head, jobs, err
		case !followsRemovals(r, head):
			return head, jobs, removalsBroken("record %d does not follow the one before it", r.Number)
		}
		n, err := l.redo(ctx, r, at)
		jobs += n
		if err == nil {
			err = l.note(ctx, r)
		}
		if err != nil {
			return head, jobs, fmt.Errorf("record %d of the log of removals: %w", r.Number, err)
		}
		head = &r
	}
}

func followsRemovals(r archive.RemovalsRecord, head *archive.RemovalsRecord) bool {
	if head == nil {
		return r.Number == 1 && r.PreviousSHA256 == [32]byte{}
	}
	return r.Number == head.Number+1 && r.PreviousSHA256 == head.SHA256
}

// redo does in the ledger what a record says, as far as the ledger does not say it, and
// returns of how many jobs that was so. What fails of one job does not keep the others
// from being done, but the record is not done then. Before the first of them, all
// removals that are not finished are paused.
func (l *RemovalLog) redo(ctx context.Context, r archive.RemovalsRecord, at time.Time) (jobs int, err error) {
	ids := make([]int64, len(r.Lines))
	for i, line := range r.Lines {
		ids[i] = line.JobID
	}
	known, err := l.DB.RemovalSteps(ctx, ids)
	if err != nil {
		return 0, err
	}
	var news []archive.RemovalsLine
	for _, line := range r.Lines {
		if steps, is := known[line.JobID]; !is || steps < line.Settled.Steps() {
			news = append(news, line)
		}
	}
	if len(news) == 0 {
		return 0, nil
	}
	// As old as the database is, it may lack holds too.
	if err := l.DB.PauseRemovals(ctx); err != nil {
		return 0, err
	}
	var g errgroup.Group
	g.SetLimit(retentionParallel)
	errs := make([]error, len(news))
	for i, line := range news {
		g.Go(func() error {
			if _, is := known[line.JobID]; is {
				errs[i] = ingest.AdoptRemovalRecord(ctx, l.DB, l.Archive, line.Key(), line.Settled, nil, at)
			} else {
				_, errs[i] = l.tellFolder(ctx, line)
			}
			if errs[i] != nil {
				errs[i] = fmt.Errorf("job %d: %w", line.JobID, errs[i])
			}
			return nil
		})
	}
	_ = g.Wait()
	return len(news), errors.Join(errs...)
}

// said is what the settled.json of a job said beside a line of the log of removals.
type said int

const (
	saidAsMuch said = iota
	saidLess        // or nothing, or nothing that can be read
	saidOther       // as much, and not the same
)

// tellFolder has the settled.json of a job say at least what a line does, and returns
// what it said before: so that whoever makes the job's rows again hears of it.
func (l *RemovalLog) tellFolder(ctx context.Context, line archive.RemovalsLine) (said, error) {
	s, err := l.Archive.Settled(ctx, line.Key())
	if err != nil && !errors.Is(err, bucket.ErrNotFound) && !errors.Is(err, bucket.ErrUnreadable) {
		return saidAsMuch, err
	}
	switch steps := line.Settled.Steps(); {
	case err != nil || s.Steps() < steps:
		_, err := l.Archive.ReplaceSettled(ctx, line.Key(), line.Settled)
		return saidLess, err
	case s.Steps() == steps && !sameSettled(s, line.Settled):
		return saidOther, nil
	}
	return saidAsMuch, nil
}

// sameSettled compares what is known of a removal with what the log of removals says of it, by
// what is written. A jobvault of before there were longer logs wrote nothing of shorter ones.
func sameSettled(known, logged archive.Settled) bool {
	if m := known.Removal; m != nil && logged.Removal != nil && len(logged.Removal.Shorter) == 0 {
		without := *m
		without.Shorter = nil
		known.Removal = &without
	}
	x, xerr := json.Marshal(known)
	y, yerr := json.Marshal(logged)
	return xerr == nil && yerr == nil && bytes.Equal(x, y)
}

// note writes down that everything is done that a record tells.
func (l *RemovalLog) note(ctx context.Context, r archive.RemovalsRecord) error {
	logged := make([]store.LoggedRemoval, len(r.Lines))
	for i, line := range r.Lines {
		logged[i] = store.LoggedRemoval{JobID: line.JobID, Steps: line.Settled.Steps()}
		if line.Settled.Removal != nil {
			logged[i].Shorter = len(line.Settled.Removal.Shorter)
		}
	}
	row := store.AppliedRecord{Number: r.Number, SHA256: r.SHA256[:], Lines: int64(len(r.Lines)), WrittenAt: r.WrittenAt}
	return l.DB.NoteAppliedRecord(ctx, row, logged)
}
