package upkeep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/record"
)

// logBatch is how many removals are read for a record.
const logBatch = archive.MaxRemovalsLines / 2

// maxTaken bounds how often another process may take the record's number first.
const maxTaken = 20

// Append has the log of removals tell of all that the ledger does: first it hears of
// what the ledger does not know, as CatchUp, also where it has nothing to tell: nothing
// may go by the word of a database that is older than that. It calls failed for each removal of which
// it cannot tell, and goes on. It fails as CatchUp, and if the bucket takes no record.
func (l *RemovalLog) Append(ctx context.Context, failed func(Unfinished)) error {
	// Asked without the lock: most of the time there is nothing.
	waiting, err := l.DB.UnloggedRemovals(ctx, 0, 1)
	if err != nil {
		return err
	}
	if len(waiting) == 0 {
		_, err := l.CatchUp(ctx)
		return err
	}
	unlock, at, err := l.DB.LockRemovals(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	head, _, err := l.catchUp(ctx, at)
	if err != nil {
		return err
	}
	for after := int64(0); ; {
		ids, err := l.DB.UnloggedRemovals(ctx, after, logBatch)
		if err != nil || len(ids) == 0 {
			return err
		}
		after = ids[len(ids)-1]
		lines, err := l.lines(ctx, ids, failed)
		if err != nil {
			return err
		}
		for taken := 0; len(lines) > 0; {
			r, err := l.append(ctx, head, at, lines)
			if errors.Is(err, bucket.ErrExists) && taken < maxTaken {
				taken++
				// Of a jobvault with another database: this one was restored, or that one.
				if head, _, err = l.catchUp(ctx, at); err == nil {
					continue
				}
			}
			if err != nil {
				return fmt.Errorf("the log of removals takes no record, and before it does nothing goes from the bucket: %w", err)
			}
			head, lines = &r, lines[len(r.Lines):]
		}
	}
}

// lines are what is known of these removals, as far as a record can tell it.
func (l *RemovalLog) lines(ctx context.Context, jobIDs []int64, failed func(Unfinished)) ([]archive.RemovalsLine, error) {
	var lines []archive.RemovalsLine
	for _, id := range jobIDs {
		row, err := l.DB.Removal(ctx, id)
		if err == nil {
			line := archive.RemovalsLineOf(record.KeyOf(row.Job), record.SettledOfRemoval(row))
			if err = line.Check(); err == nil {
				lines = append(lines, line)
				continue
			}
		}
		if perr := l.DB.Ping(ctx); perr != nil || ctx.Err() != nil {
			return nil, err
		}
		failed(Unfinished{JobID: id, Error: fmt.Sprintf("the log of removals does not tell of it: %v", err)})
	}
	return lines, nil
}

func (l *RemovalLog) append(ctx context.Context, head *archive.RemovalsRecord, at time.Time, lines []archive.RemovalsLine) (archive.RemovalsRecord, error) {
	r, err := l.Archive.WriteRemovals(ctx, head, at, lines)
	if err != nil {
		return r, err
	}
	return r, l.note(ctx, r)
}
