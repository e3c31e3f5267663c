package search

import (
	"context"
	"slices"
	"sync"

	"github.com/jobvault/jobvault/store"
)

const (
	// The first page of ledger rows has firstPage rows. Each next one has twice as many,
	// up to maxPage.
	firstPage, maxPage = 250, 2000
	// batchSize is the number of logs whose filters are looked into together.
	batchSize = 250
)

// ledgerPage is a page of ledger rows.
type ledgerPage struct {
	logs []store.ListedLog
	next *store.Cursor // nil: it is the last one
	err  error
}

// ledgerPages gives the ledger's rows that the query selects. The next page is read
// ahead.
func (r *run) ledgerPages(ctx context.Context) <-chan ledgerPage {
	ahead := make(chan ledgerPage, 1)
	go func() {
		defer close(ahead)
		f := r.Jobs
		f.Limit = firstPage
		for {
			var page ledgerPage
			page.logs, page.next, page.err = r.logs.DB.LogPage(ctx, f)
			select {
			case ahead <- page:
			case <-ctx.Done():
				return
			}
			if page.next == nil || page.err != nil {
				return
			}
			f.After, f.Limit = page.next, min(2*f.Limit, maxPage)
		}
	}()
	return ahead
}

// searchAll searches all logs that the query selects.
func (r *run) searchAll(ctx context.Context) error {
	r.tail = make(chan struct{})
	close(r.tail)
	for page := range r.ledgerPages(ctx) {
		if page.err != nil {
			return page.err
		}
		for logs := range slices.Chunk(page.logs, batchSize) {
			if err := r.searchBatch(ctx, logs); err != nil {
				return err
			}
		}
		if page.next != nil {
			r.inOrder(ctx, func(previous <-chan struct{}) error { return r.send(ctx, previous, event{cursor: page.next}) })
		}
	}
	return ctx.Err()
}

// searchBatch searches those logs of a batch that may have a match.
func (r *run) searchBatch(ctx context.Context, logs []store.ListedLog) error {
	candidates, skipped, err := r.prefilter(ctx, logs)
	if err != nil {
		return err
	}
	readNames := sync.OnceValues(func() (names, error) { return r.readNames(ctx, candidates) })
	for _, c := range candidates {
		r.inOrder(ctx, func(previous <-chan struct{}) error { return r.searchLog(ctx, c, readNames, previous) })
	}
	e := event{done: &skipped, cursor: new(logs[len(logs)-1].Cursor())}
	r.inOrder(ctx, func(previous <-chan struct{}) error { return r.send(ctx, previous, e) })
	return nil
}

// names are the names of jobs and of their steps, by the jobs' ids.
type names struct {
	jobs  map[int64]store.JobSummary
	steps map[int64][]store.Step
}

// readNames reads the names of a batch's jobs: once for all of them, and only if one of
// their logs needs it.
func (r *run) readNames(ctx context.Context, logs []candidateLog) (n names, err error) {
	ids := make([]int64, len(logs))
	for i, l := range logs {
		ids[i] = l.JobID
	}
	if n.jobs, err = r.logs.DB.Summaries(ctx, ids); err == nil {
		n.steps, err = r.logs.DB.StepsWithLines(ctx, ids)
	}
	return n, err
}
