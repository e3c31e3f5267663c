// Package search finds lines in archived logs: it reads as little of the bucket as the
// search filters allow, and hands over what matches in the order of the jobs, the newest
// first. See docs/design.md#search.
//
// A search is a pipeline:
//
//	candidates      Query.Jobs selects jobs                                     select.go
//	    |
//	    v
//	ledger rows     pages of them, newest first, the next one read ahead        select.go
//	    |
//	    v
//	filters         a log's n-gram filters; no frame can match: the log is      prefilter.go
//	    |           skipped, and only counted
//	    v
//	blocks          the frames that may match, read and unpacked, several       log.go
//	    |           logs side by side
//	    v
//	lines           those that match, in the steps that are asked for, and      log.go
//	    |           the lines around them                                       context.go
//	    v
//	in order        a log waits until all before it have been handed over       emit.go
//	    |
//	    v
//	audit           that these logs were read is recorded before                emit.go
//	    |
//	    v
//	sink            matches, faults and progress                                result.go
//
// LimitedSearcher (limited.go, bound.go) is the same for callers over HTTP: it bounds how
// many searches run at once, and how long one answer becomes.
package search

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/ngram"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

// Query says what is looked for, and in which logs.
type Query struct {
	Pattern       *ngram.Pattern  // required
	Jobs          store.JobFilter // whose logs; its Limit is ignored
	Step          string          // only lines of steps with this number, or with this in their names, also those that they share with others; empty: all
	Before, After int64           // lines of context before and after each match
	MaxCount      int64           // maximum of matching lines of one log; 0: no maximum
	Limit         int64           // maximum of lines in a LimitedSearcher's answer, see there; 0: none
	CountOnly     bool            // only the number of matching lines of each log
	Unfiltered    bool            // read all frames of every log
	Parallel      int             // number of logs that are read at once; below 1: 1
}

// Run searches logs, q.Parallel of them side by side. audit is called with jobs' ids
// before sink gets matches of their logs; nil: nothing is recorded.
//
// It holds, for each of the logs that are read at once, a few frames and some 512 KiB of
// matches, and the same for 16 more logs. It fails if Postgres or the bucket does not
// answer, and with an error of sink or audit; the stats then say where the search can be
// continued.
func Run(ctx context.Context, logs lookup.Logs, q Query, sink ResultSink, audit func(jobIDs []int64) error) (Stats, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &run{Query: q, logs: logs, sink: sink, audit: audit, events: make(chan event, maxWaitingEvents)}
	r.stats.Next = q.Jobs.After
	var err error
	if r.stats.Unknown, err = leftOut(ctx, logs.DB, q.Jobs); err != nil {
		return r.stats, err
	}
	dispatched := make(chan struct{})
	go func() {
		defer close(dispatched)
		if err := r.dispatch(); err != nil {
			cancel(err)
			for range r.events { // end those that wait to send
			}
		}
	}()
	g, gctx := errgroup.WithContext(ctx)
	r.group = g
	g.SetLimit(max(q.Parallel, 1) + 1)
	g.Go(func() error { return r.searchAll(gctx) })
	err = g.Wait()
	close(r.events)
	<-dispatched
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, archive.ErrStop) {
		return r.stats, nil
	}
	r.stats.Complete = err == nil
	return r.stats, err
}

// leftOut counts the logs that are not searched as it is not known what started their jobs.
func leftOut(ctx context.Context, db *store.DB, f store.JobFilter) (*store.UnknownStarts, error) {
	if f.LogState == "" {
		f.LogState = store.LogArchived
	}
	return db.UnknownStarts(ctx, f)
}

// run is one search.
type run struct {
	Query
	logs  lookup.Logs
	sink  ResultSink
	audit func(jobIDs []int64) error
	group *errgroup.Group
	tail  chan struct{} // closed when all that was put in order so far has been sent

	events  chan event
	audited int64 // the last job that was
	stats   Stats
}
