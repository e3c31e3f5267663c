package lookup

import (
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/ngram"
	"github.com/jobvault/jobvault/store"
)

// Search says what is looked for, and in which logs.
type Search struct {
	Pattern       *ngram.Pattern
	Jobs          store.JobFilter // whose logs; its limit does not count
	Step          string          // only in steps with this number, or this in their name; empty: in all
	Before, After int64           // how many lines around each one are wanted too
	Most          int64           // lines that are looked for in one log; 0: all
	Limit         int64           // lines that a Searcher's answer tells of, see there; 0: all
	CountOnly     bool            // only how many there are in each log
	Unfiltered    bool            // read all frames of every log
	Parallel      int             // logs that are read at a time
}

// Found is a line that was found, or how many were in a log.
type Found struct {
	*FoundIn
	*FoundLine       // nil: they were only counted
	Count      int64 `json:"count,omitempty"`
}

// FoundIn is the job in whose log something was found.
type FoundIn struct {
	Repository string  `json:"repository"`
	RunID      int64   `json:"run_id"`
	Workflow   *string `json:"workflow"`
	JobID      int64   `json:"job_id"`
	Job        string  `json:"job"`
	Conclusion *string `json:"conclusion"`
}

// FoundLine is a line of a log.
type FoundLine struct {
	Line     int64   `json:"line"`           // its number, from 1
	Time     string  `json:"time,omitempty"` // its timestamp, as it is in the log
	Step     *int64  `json:"step"`           // by estimate
	StepName *string `json:"step_name"`
	Text     string  `json:"text"`
	Context  bool    `json:"context"` // it only stands near one that was looked for
}

// Searched sums a search up.
type Searched struct {
	Logs      int           `json:"logs"`              // that were searched
	RawBytes  int64         `json:"raw_bytes"`         // of these
	ReadBytes int64         `json:"read_bytes"`        // that had to be read for it
	Matched   int           `json:"matched"`           // logs in which something was found
	Lines     int64         `json:"lines"`             // that were found
	Cut       int64         `json:"cut"`               // lines that are too long to be searched to their end
	Faults    int           `json:"faults"`            // logs that cannot be read
	Complete  bool          `json:"complete"`          // all were searched that the filter selects
	Bound     string        `json:"bound,omitempty"`   // what ended it before that, if a Searcher did: lines, bytes or time
	CutLog    *CutLog       `json:"cut_log,omitempty"` // in which log it ended; nil: with a log
	Next      *store.Cursor `json:"-"`                 // where the search goes on; nil: at its beginning
}

// SearchFault is a log that cannot be searched.
type SearchFault struct {
	JobID int64
	Err   error
}

// Searching is who hears of a search, by one call at a time.
type Searching interface {
	// Found gets some of what was found in one log, in order, the newest job first; with
	// last it may be none.
	// ErrStop ends the search; what is left of a log is left out then, and the search
	// goes on with the next one. last says that the log has been searched.
	Found(found []Found, last bool) error
	// Fault gets a log that cannot be read.
	Fault(SearchFault)
	// Progress comes after each log.
	Progress(Searched)
}

// Search searches logs, several side by side. note is called before to hears of what
// was found in logs of these jobs; nil: nobody has to know. It holds, for each of the
// logs that are read at a time, a few frames and some 512 KiB of what was found, and as
// much again for 16 more. It fails if Postgres or the bucket does not answer, or to or
// note does; the sum says where to go on.
func (l Logs) Search(ctx context.Context, q Search, to Searching, note func(jobIDs []int64) error) (Searched, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &search{Search: q, logs: l, to: to, note: note, events: make(chan event, waitingEvents)}
	s.sum.Next = q.Jobs.After
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		if err := s.deliver(); err != nil {
			cancel(err)
			for range s.events { // whoever waits to be heard gives up
			}
		}
	}()
	g, gctx := errgroup.WithContext(ctx)
	s.group = g
	g.SetLimit(max(q.Parallel, 1) + 1)
	g.Go(func() error { return s.selectLogs(gctx) })
	err := g.Wait()
	close(s.events)
	<-delivered
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
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
	note  func(jobIDs []int64) error
	group *errgroup.Group
	last  chan struct{} // closed when all logs that were selected so far have been told of

	events chan event
	noted  int64 // the last job that was
	sum    Searched
}

// event is something that a search tells of a log.
type event struct {
	found []Found
	read  *Searched // what the log adds to the sum; nil: it goes on
	fault *SearchFault
	place *store.Cursor // that the search has come to, or will with the log
}

// waitingEvents bounds how many wait to be told of.
const waitingEvents = 16

// deliver tells of events, in order. Those that wait are noted together; nothing waits
// for company.
func (s *search) deliver() error {
	for e := range s.events {
		batch := []event{e}
		for more := true; more && len(batch) < waitingEvents; {
			select {
			case e, ok := <-s.events:
				if more = ok; ok {
					batch = append(batch, e)
				}
			default:
				more = false
			}
		}
		if err := s.noteAll(batch); err != nil {
			return err
		}
		for _, e := range batch {
			if err := s.tell(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *search) noteAll(batch []event) error {
	if s.note == nil {
		return nil
	}
	var ids []int64
	for _, e := range batch {
		if len(e.found) > 0 {
			ids = append(ids, e.found[0].JobID)
		}
	}
	if ids = slices.Compact(ids); len(ids) > 0 && ids[0] == s.noted {
		ids = ids[1:]
	}
	if len(ids) == 0 {
		return nil
	}
	s.noted = ids[len(ids)-1]
	return s.note(ids)
}

func (s *search) tell(e event) error {
	if e.read != nil {
		s.sum.add(*e.read)
	}
	if e.fault != nil {
		s.to.Fault(*e.fault)
	}
	var err error
	if len(e.found) > 0 || e.read != nil && e.read.Matched > 0 {
		err = s.to.Found(e.found, e.read != nil)
	}
	ended := len(e.found) == 0 || e.read != nil
	if e.place != nil && (err == nil && ended || errors.Is(err, archive.ErrStop)) {
		s.sum.Next = e.place
	}
	if e.read != nil {
		s.to.Progress(s.sum)
	}
	return err
}

func (s *Searched) add(more Searched) {
	s.Logs += more.Logs
	s.RawBytes += more.RawBytes
	s.ReadBytes += more.ReadBytes
	s.Matched += more.Matched
	s.Lines += more.Lines
	s.Cut += more.Cut
	s.Faults += more.Faults
}

const (
	// firstBatch is how many jobs are selected first. The next ones are twice as many, up
	// to selectBatch.
	firstBatch, selectBatch = 250, 2000
	// siftBatch is of how many logs the filters are looked into together, and
	// siftParallel of how many at a time: they have up to 8 MiB each.
	siftBatch, siftParallel = 250, 16
)

// selected is what was selected at once.
type selected struct {
	logs []store.ListedLog
	next *store.Cursor // nil: these are the last ones
	err  error
}

// selections gives what the filter selects. The next ones are read ahead.
func (s *search) selections(ctx context.Context) <-chan selected {
	ahead := make(chan selected, 1)
	go func() {
		defer close(ahead)
		f := s.Jobs
		f.Limit = firstBatch
		for {
			var batch selected
			batch.logs, batch.next, batch.err = s.logs.DB.LogPage(ctx, f)
			select {
			case ahead <- batch:
			case <-ctx.Done():
				return
			}
			if batch.next == nil || batch.err != nil {
				return
			}
			f.After, f.Limit = batch.next, min(2*f.Limit, selectBatch)
		}
	}()
	return ahead
}

// selectLogs has the logs searched that the filter selects, and told of one after the
// other.
func (s *search) selectLogs(ctx context.Context) error {
	s.last = make(chan struct{})
	close(s.last)
	for batch := range s.selections(ctx) {
		if batch.err != nil {
			return batch.err
		}
		for logs := range slices.Chunk(batch.logs, siftBatch) {
			if err := s.searchLogs(ctx, logs); err != nil {
				return err
			}
		}
		if batch.next != nil {
			s.inTurn(ctx, func(turn <-chan struct{}) error { return s.send(ctx, turn, event{place: batch.next}) })
		}
	}
	return ctx.Err()
}

// searchLogs has those of some logs searched that may have what is looked for.
func (s *search) searchLogs(ctx context.Context, logs []store.ListedLog) error {
	sifted, without, err := s.sift(ctx, logs)
	if err != nil {
		return err
	}
	names := sync.OnceValues(func() (named, error) { return s.readNames(ctx, sifted) })
	for _, l := range sifted {
		s.inTurn(ctx, func(turn <-chan struct{}) error { return s.searchLog(ctx, l, names, turn) })
	}
	e := event{read: &without, place: new(logs[len(logs)-1].Cursor())}
	s.inTurn(ctx, func(turn <-chan struct{}) error { return s.send(ctx, turn, e) })
	return nil
}

// siftedLog is a log that may have what is looked for.
type siftedLog struct {
	store.ListedLog
	candidates []archive.Candidate // nil: all frames
}

// sift looks into the filters of logs, several side by side, and sums up those that
// cannot have what is looked for.
func (s *search) sift(ctx context.Context, logs []store.ListedLog) (sifted []siftedLog, without Searched, err error) {
	all := make([]*siftedLog, len(logs))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(min(max(s.Parallel, 1), siftParallel))
	for i, l := range logs {
		switch {
		case l.State != store.LogArchived && l.State != store.LogRemoved:
		case l.FilterBytes == nil || s.Unfiltered || !s.Pattern.Selective():
			all[i] = &siftedLog{ListedLog: l}
		default:
			g.Go(func() (err error) {
				all[i] = &siftedLog{ListedLog: l}
				all[i].candidates, err = s.candidates(gctx, l.JobLog)
				return err
			})
		}
	}
	if err := g.Wait(); err != nil {
		return nil, without, err
	}
	for _, l := range all {
		switch {
		case l == nil:
		case l.candidates != nil && len(l.candidates) == 0:
			without.add(Searched{Logs: 1, RawBytes: *l.RawBytes})
		default:
			sifted = append(sifted, *l)
		}
	}
	return sifted, without, nil
}

// candidates are the frames of a log to look into; nil: its filters are of no use, and
// verify tells.
func (s *search) candidates(ctx context.Context, log store.JobLog) ([]archive.Candidate, error) {
	key, _, ok := archive.ParseKey(*log.ObjectKey)
	if !ok {
		return nil, nil
	}
	found, err := s.logs.Archive.Candidates(ctx, key, *log.FilterBytes, log.SHA256, len(log.FrameOffsets), s.Pattern)
	if errors.Is(err, bucket.ErrNotFound) || errors.Is(err, bucket.ErrUnreadable) {
		return nil, nil
	}
	return append([]archive.Candidate{}, found...), err
}

// named is what jobs and their steps are called, by the jobs' ids.
type named struct {
	jobs  map[int64]store.JobSummary
	steps map[int64][]store.Step
}

func (s *search) readNames(ctx context.Context, logs []siftedLog) (n named, err error) {
	ids := make([]int64, len(logs))
	for i, l := range logs {
		ids[i] = l.JobID
	}
	if n.jobs, err = s.logs.DB.Summaries(ctx, ids); err == nil {
		n.steps, err = s.logs.DB.StepsWithLines(ctx, ids)
	}
	return n, err
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

// send tells something when it is its turn.
func (s *search) send(ctx context.Context, turn <-chan struct{}, e event) error {
	select {
	case <-turn:
	case <-ctx.Done():
	}
	// The one before may have ended with an error.
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.events <- e:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
