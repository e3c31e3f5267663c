package search

import (
	"context"
	"errors"
	"slices"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/store"
)

// event is something that the sink gets about a log.
type event struct {
	matches []Match
	done    *Stats // what the log adds to the stats; nil: more of the log follows
	fault   *Fault
	cursor  *store.Cursor // that the search has come to, or will have with the log
}

// maxWaitingEvents bounds how many events wait to be dispatched.
const maxWaitingEvents = 16

// inOrder runs f beside others, as soon as there is room. previous is closed when all
// that were put in order before f have ended.
func (r *run) inOrder(ctx context.Context, f func(previous <-chan struct{}) error) {
	previous, ended := r.tail, make(chan struct{})
	r.tail = ended
	r.group.Go(func() error {
		defer close(ended)
		if err := ctx.Err(); err != nil {
			return err
		}
		return f(previous)
	})
}

// send hands an event over, after all that came before it.
func (r *run) send(ctx context.Context, previous <-chan struct{}, e event) error {
	select {
	case <-previous:
	case <-ctx.Done():
	}
	// The one before may have ended with an error.
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case r.events <- e:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// dispatch passes events on to the sink, in order. Those that are waiting are audited
// together, by one statement, but no event waits for others to come.
func (r *run) dispatch() error {
	for e := range r.events {
		batch := []event{e}
		for more := true; more && len(batch) < maxWaitingEvents; {
			select {
			case e, ok := <-r.events:
				if more = ok; ok {
					batch = append(batch, e)
				}
			default:
				more = false
			}
		}
		if err := r.auditBatch(batch); err != nil {
			return err
		}
		for _, e := range batch {
			if err := r.emit(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// auditBatch records, once, each job whose matches the sink gets. It must be called
// before the sink gets them: nobody sees a line of a log without a record of it.
func (r *run) auditBatch(batch []event) error {
	if r.audit == nil {
		return nil
	}
	var ids []int64
	for _, e := range batch {
		if len(e.matches) > 0 {
			ids = append(ids, e.matches[0].JobID)
		}
	}
	if ids = slices.Compact(ids); len(ids) > 0 && ids[0] == r.audited {
		ids = ids[1:]
	}
	if len(ids) == 0 {
		return nil
	}
	r.audited = ids[len(ids)-1]
	return r.audit(ids)
}

// emit passes one event on, and moves the cursor where the search can be continued, but
// only past a log that the sink has received completely or has stopped the search in.
func (r *run) emit(e event) error {
	if e.done != nil {
		r.stats.add(*e.done)
	}
	if e.fault != nil {
		r.sink.Fault(*e.fault)
	}
	var err error
	if len(e.matches) > 0 || e.done != nil && e.done.Matched > 0 {
		err = r.sink.Matches(e.matches, e.done != nil)
	}
	ended := len(e.matches) == 0 || e.done != nil
	if e.cursor != nil && (err == nil && ended || errors.Is(err, archive.ErrStop)) {
		r.stats.Next = e.cursor
	}
	if e.done != nil {
		r.sink.Progress(r.stats)
	}
	return err
}
