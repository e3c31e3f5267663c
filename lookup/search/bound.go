package search

import (
	"context"
	"time"

	"github.com/jobvault/jobvault/archive"
)

// DefaultLimit is the maximum of lines in one answer, unless the query sets another one.
const DefaultLimit = 10_000

// The other bounds of an answer that has a limit.
const (
	maxAnswerBytes = 64 << 20
	maxAnswerTime  = time.Minute
)

// Bounds that end an answer: the values of Stats.Bound.
const (
	BoundLines = "lines"
	BoundBytes = "bytes"
	BoundTime  = "time"
)

// CutLog is a log in the middle of which an answer ended: the answer lacks some matching
// lines of this log, and the next answer begins with the next log.
type CutLog struct {
	JobID int64 `json:"job_id"`
	Lines int64 `json:"lines"` // that match and are in the answer
}

// boundedSink ends a search when its answer has become long. Unless one log alone has
// more lines than the limit, it ends after a whole log: the rest can then be asked for,
// and no line is left out or comes twice.
type boundedSink struct {
	sink     ResultSink
	limit    int64
	logFits  bool // a log cannot exceed the limit: its lines are only counted, or have a maximum of their own
	maxBytes int64
	maxTime  time.Duration
	stop     context.CancelCauseFunc

	begun    time.Time
	lines    int64 // that match, or the number of counts
	bytes    int64
	job      int64 // the present log
	inLog    Stats // of which only lines are counted
	reached  string
	cut      *CutLog
	inMiddle bool // the search ended in the middle of a log, which the stats do not count
}

// runBounded is Run within the bounds of q.Limit; without a limit it is just Run.
func (s *LimitedSearcher) runBounded(ctx context.Context, q Query, sink ResultSink, audit func(jobIDs []int64) error) (Stats, error) {
	if q.Limit <= 0 {
		return Run(ctx, s.logs, q, sink, audit)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	b := &boundedSink{sink: sink, limit: q.Limit, maxBytes: s.maxBytes, maxTime: s.maxTime, stop: stop, begun: time.Now()}
	if b.logFits = q.CountOnly || q.MaxCount > 0 && q.MaxCount <= q.Limit; !b.logFits {
		q.MaxCount = q.Limit
	}
	stats, err := Run(ctx, s.logs, q, b, audit)
	if !stats.Complete && err == nil {
		stats.Bound, stats.CutLog = b.reached, b.cut
		if b.inMiddle {
			stats.add(b.inLog)
		}
	}
	return stats, err
}

// Matches passes matches on, and ends the search if they reach a bound.
func (b *boundedSink) Matches(matches []Match, last bool) error {
	if err := b.sink.Matches(matches, last); err != nil {
		return err
	}
	for _, m := range matches {
		if m.JobID != b.job {
			b.job, b.inLog = m.JobID, Stats{Logs: 1, Matched: 1}
		}
		const overhead, sharedBytes = 200, 80 // bytes of a match beside its text, and of each step that shares it, as JSON
		b.bytes += overhead
		if m.MatchLine == nil {
			b.lines++
			continue
		}
		b.bytes += int64(len(m.Text) + sharedBytes*len(m.SharedBy))
		if !m.Context {
			b.lines++
			b.inLog.count(m.Known)
		}
	}
	full := b.inLog.Lines >= b.limit && !b.logFits // then there may be more lines
	switch {
	case last && b.lines >= b.limit:
		b.reached = BoundLines
	case b.bytes >= b.maxBytes:
		b.reached = BoundBytes
	default:
		return nil
	}
	if full || !last {
		b.cut, b.inMiddle = &CutLog{b.job, b.inLog.Lines}, !last
	}
	return archive.ErrStop
}

// Fault passes a fault on.
func (b *boundedSink) Fault(f Fault) { b.sink.Fault(f) }

// Progress checks the time only after a log has been searched, so that each answer gets
// further than the one before.
func (b *boundedSink) Progress(stats Stats) {
	b.sink.Progress(stats)
	if b.reached == "" && time.Since(b.begun) >= b.maxTime {
		b.reached = BoundTime
		b.stop(archive.ErrStop)
	}
}
