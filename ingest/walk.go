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
//
// One odd run is no sign of that, as any answer may have one: a clear part of a page has
// to be of other times. And one odd page says nothing of other readings: that a server does
// not search at all is believed of two.

// walk is what the pages of one reading told so far.
type walk struct {
	shows   bool // the last page has, for a clear part, runs of other times
	ignored bool // a page did
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
	older, unseen, outside := false, 0, 0
	for i := range runs {
		r := &runs[i]
		if w.seen[r.ID] {
			continue
		}
		w.seen[r.ID] = true
		w.untold = w.untold || r.CreatedAt.IsZero()
		w.mixed = w.mixed || w.last != nil && !follows(*w.last, *r)
		w.last = r
		unseen++
		if before := beforeRange(*r, from); before || afterRange(*r, to) {
			older = older || before
			outside++
		}
	}
	w.shows = outside >= clearRuns && outside >= unseen/clearPart
	w.ignored = w.ignored || w.shows
	w.passed = w.ignored && older && !w.mixed
}

// Runs of other times are a clear part of a page if they are at least clearRuns, and one of
// clearPart of its runs.
const clearRuns, clearPart = 3, 10

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
// ghapi.SearchCap has to be asked for in other words. One that lists runs of other times
// does not, nor one that hides when they were created.
func (l *listing) searched(w walk) bool { return !w.ignored && !l.heedless() && !w.untold }

// heedless tells that the server does not heed the range it is asked for. If it were
// believed too soon of GitHub, what is beyond ghapi.SearchCap would not be listed.
func (l *listing) heedless() bool { return l.shown > 1 }
