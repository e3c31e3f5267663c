package ingest

import (
	"time"

	"github.com/jobvault/jobvault/internal/ghapi"
)

// A listing of runs is asked for a range of time. GitHub searches, and lists no more than
// ghapi.SearchCap of what it finds. A Gitea lists every run there is, the newest first,
// without such a bound, and does not say when one was created. Which of them answers is
// seen from the answer itself, each time: nothing is kept that could be out of date when a
// server is upgraded, and learning costs no request. Where a range is not heeded, a
// listing is walked from the newest run to the first that is older than the range.

// walk is what the pages of one reading told so far.
type walk struct {
	ignored bool // there was a run of another time
	untold  bool // a run did not say when it was created
	mixed   bool // the runs are not in the order of their creation
	passed  bool // what is yet to come is older than the range
	last    *ghapi.Run
	seen    map[int64]bool
}

// read adds a page. Runs that were on an earlier one, and were pushed on by new ones, are
// passed over.
func (w *walk) read(runs []ghapi.Run, from, to time.Time) {
	if w.seen == nil {
		w.seen = make(map[int64]bool)
	}
	older := false
	for i := range runs {
		r := &runs[i]
		if w.seen[r.ID] {
			continue
		}
		w.seen[r.ID] = true
		w.untold = w.untold || r.CreatedAt.IsZero()
		w.mixed = w.mixed || w.last != nil && !follows(*w.last, *r)
		w.last = r
		older = older || beforeRange(*r, from)
		w.ignored = w.ignored || older || afterRange(*r, to)
	}
	w.passed = w.ignored && older && !w.mixed
}

// follows tells whether a run may come after another in a listing that has the newest
// first: by its time, or by its number where it does not tell.
func follows(before, r ghapi.Run) bool {
	if before.CreatedAt.IsZero() || r.CreatedAt.IsZero() {
		return r.ID < before.ID
	}
	return !r.CreatedAt.After(before.CreatedAt)
}

// beforeRange tells that a run was created before a time: one that does not say when may
// have begun or ended before it.
func beforeRange(r ghapi.Run, from time.Time) bool {
	return !r.CreatedBy.IsZero() && r.CreatedBy.Before(from)
}

// afterRange tells that a run was created after a time, which only its creation says. The
// zero time is none.
func afterRange(r ghapi.Run, to time.Time) bool {
	return !to.IsZero() && !r.CreatedAt.IsZero() && r.CreatedAt.After(to)
}

// searched tells whether a server seems to search as GitHub does, so that what is beyond
// ghapi.SearchCap has to be asked for in other words. One that lists runs of another time
// does not, nor one that hides when they were created.
func (l *listing) searched(w walk) bool { return !l.ignored && !w.untold }
