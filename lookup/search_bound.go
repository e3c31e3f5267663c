package lookup

import (
	"context"
	"time"

	"github.com/jobvault/jobvault/archive"
)

// UsualLimit is how many lines one answer tells of, if it is not asked for more.
const UsualLimit = 10_000

// What else bounds an answer that has a limit.
const (
	answerBytes = 64 << 20
	answerTime  = time.Minute
)

// Bounds that end an answer.
const (
	BoundLines = "lines"
	BoundBytes = "bytes"
	BoundTime  = "time"
)

// CutLog is a log that an answer was cut in: not all lines that were found in it are
// told, and the next answer begins with the next log.
type CutLog struct {
	JobID int64 `json:"job_id"`
	Lines int64 `json:"lines"` // that were told
}

// bounded ends a search when its answer has become long. It ends with a log, if that has
// no more lines than the limit by itself: what follows can then be asked for, and
// nothing is left out or told twice.
type bounded struct {
	to    Searching
	limit int64
	own   bool // the search has its own bound for each log, which is no more than the limit
	bytes int64
	time  time.Duration
	stop  context.CancelCauseFunc

	begun        time.Time
	told         int64 // lines, or counts of logs
	size         int64
	log, logTold int64 // the present one
	reached      string
	cut          *CutLog
	inMiddle     bool // of a log, which the sum has not
}

// search is Logs.Search with the bounds of Search.Limit.
func (s *Searcher) search(ctx context.Context, q Search, to Searching, note func(jobIDs []int64) error) (Searched, error) {
	if q.Limit <= 0 {
		return s.logs.Search(ctx, q, to, note)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	b := &bounded{to: to, limit: q.Limit, bytes: s.answerBytes, time: s.answerTime, stop: stop, begun: time.Now()}
	if b.own = q.CountOnly || q.Most > 0 && q.Most <= q.Limit; !b.own {
		q.Most = q.Limit
	}
	sum, err := s.logs.Search(ctx, q, b, note)
	if !sum.Complete && err == nil {
		sum.Bound, sum.CutLog = b.reached, b.cut
		if b.inMiddle {
			sum.add(Searched{Logs: 1, Matched: 1, Lines: b.logTold})
		}
	}
	return sum, err
}

func (b *bounded) Found(found []Found, last bool) error {
	if err := b.to.Found(found, last); err != nil {
		return err
	}
	for _, f := range found {
		if f.JobID != b.log {
			b.log, b.logTold = f.JobID, 0
		}
		const around = 200 // bytes, of what a line is told with
		b.size += around
		if f.FoundLine == nil {
			b.told++
			continue
		}
		b.size += int64(len(f.Text))
		if !f.Context {
			b.told++
			b.logTold++
		}
	}
	full := b.logTold >= b.limit && !b.own // then there may be more lines
	switch {
	case last && b.told >= b.limit:
		b.reached = BoundLines
	case b.size >= b.bytes:
		b.reached = BoundBytes
	default:
		return nil
	}
	if full || !last {
		b.cut, b.inMiddle = &CutLog{b.log, b.logTold}, !last
	}
	return archive.ErrStop
}

func (b *bounded) Fault(f SearchFault) { b.to.Fault(f) }

// Progress looks at the time when a log has been told of, so that each answer comes
// further than the one before.
func (b *bounded) Progress(sum Searched) {
	b.to.Progress(sum)
	if b.reached == "" && time.Since(b.begun) >= b.time {
		b.reached = BoundTime
		b.stop(archive.ErrStop)
	}
}
