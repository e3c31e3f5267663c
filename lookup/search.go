package lookup

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/store"
)

// Search says what is looked for, and in which logs.
type Search struct {
	Pattern       *joblog.Pattern
	Jobs          store.JobFilter // whose logs; its limit does not count
	Step          string          // only in steps with this number, or this in their name; empty: in all
	Before, After int64           // how many lines around each one are wanted too
	Most          int64           // lines that are looked for in one log; 0: all
	CountOnly     bool            // only how many there are in each log
	Unfiltered    bool            // read all frames of every log
	Parallel      int             // logs that are read at a time
}

// Found is a line that was found, or how many were in a log.
type Found struct {
	Repository string  `json:"repository"`
	RunID      int64   `json:"run_id"`
	Workflow   *string `json:"workflow"`
	JobID      int64   `json:"job_id"`
	Job        string  `json:"job"`
	Conclusion *string `json:"conclusion"`
	*FoundLine         // nil: they were only counted
	Count      int64   `json:"count,omitempty"`
}

// FoundLine is a line of a log.
type FoundLine struct {
	Line     int64      `json:"line"` // its number, from 1
	Time     *time.Time `json:"time"`
	Step     *int64     `json:"step"` // by estimate
	StepName *string    `json:"step_name"`
	Text     string     `json:"text"`    // without its timestamp
	Context  bool       `json:"context"` // it only stands near one that was looked for
}

// Searched sums a search up.
type Searched struct {
	Logs      int          `json:"logs"`       // that were searched
	RawBytes  int64        `json:"raw_bytes"`  // of these
	ReadBytes int64        `json:"read_bytes"` // that had to be read for it
	Matched   int          `json:"matched"`    // logs in which something was found
	Lines     int64        `json:"lines"`      // that were found
	Cut       int64        `json:"cut"`        // lines that are too long to be searched to their end
	Faults    int          `json:"faults"`     // logs that cannot be read
	Complete  bool         `json:"complete"`   // all were searched that the filter selects
	Next      *store.Place `json:"-"`          // else where the search goes on; nil: at its beginning
}

// SearchFault is a log that cannot be searched.
type SearchFault struct {
	JobID int64
	Err   error
}

// Searching is who hears of a search, by one call at a time.
type Searching interface {
	// Found gets some of what was found in one log, in order, the newest job first.
	// ErrStop ends the search. last says that the log has been searched. It must not
	// keep found.
	Found(found []Found, last bool) error
	// Fault gets a log that cannot be read.
	Fault(SearchFault)
	// Progress comes after each log.
	Progress(Searched)
}

// Search searches logs, several side by side. It holds, for each of these, a few
// frames and some 64 KiB of what was found. It fails if Postgres or the bucket does
// not answer, or to does; what was found before has been told by then, and the sum
// says where to go on.
func (l Logs) Search(ctx context.Context, q Search, to Searching) (Searched, error) {
	s := &search{Search: q, logs: l, to: to}
	s.sum.Next = q.Jobs.After
	var gctx context.Context
	s.group, gctx = errgroup.WithContext(ctx)
	s.group.SetLimit(max(q.Parallel, 1) + 1)
	s.group.Go(func() error { return s.selectLogs(gctx) })
	err := s.group.Wait()
	if errors.Is(err, archive.ErrStop) {
		return s.sum, nil
	}
	s.sum.Complete = err == nil
	return s.sum, err
}

// search is one search.
type search struct {
	Search
	logs  Logs
	to    Searching
	group *errgroup.Group
	last  chan struct{} // closed when all logs that were selected so far have been told of

	mu  sync.Mutex
	sum Searched
}

// selectBatch is how many jobs are selected at once.
const selectBatch = 500

// selectLogs has the logs searched that the filter selects, and told of one after the
// other.
func (s *search) selectLogs(ctx context.Context) error {
	f := s.Jobs
	f.Limit = selectBatch
	s.last = make(chan struct{})
	close(s.last)
	for {
		page, err := s.logs.DB.JobPage(ctx, f)
		if err != nil {
			return err
		}
		ids := make([]int64, len(page.Jobs))
		for i, j := range page.Jobs {
			ids[i] = j.ID
		}
		lines, err := s.logs.DB.LedgerOf(ctx, ids)
		if err != nil {
			return err
		}
		for _, job := range page.Jobs {
			if line := lines[job.ID]; line.State == store.LogArchived {
				s.inTurn(ctx, func(turn <-chan struct{}) error { return s.searchLog(ctx, job, line, turn) })
			}
		}
		if page.Next == nil {
			return nil
		}
		s.inTurn(ctx, func(turn <-chan struct{}) error { return s.passed(ctx, turn, *page.Next) })
		f.After = page.Next
	}
}

// inTurn runs f beside others, when there is room. Its turn comes when all before it
// have ended.
func (s *search) inTurn(ctx context.Context, f func(turn <-chan struct{}) error) {
	turn, next := s.last, make(chan struct{})
	s.last = next
	s.group.Go(func() error {
		defer close(next)
		if err := ctx.Err(); err != nil {
			return err
		}
		return f(turn)
	})
}

// await waits for a turn.
func await(ctx context.Context, turn <-chan struct{}) error {
	select {
	case <-turn:
		return ctx.Err() // the one before may have ended with an error
	case <-ctx.Done():
		return ctx.Err()
	}
}

// passed notes that the search has come to a place.
func (s *search) passed(ctx context.Context, turn <-chan struct{}, p store.Place) error {
	if err := await(ctx, turn); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum.Next = &p
	return nil
}
