package search

import (
	"context"
	"time"

	"github.com/jobvault/jobvault/lookup"
)

const (
	// maxSearches bounds how many searches run at once, and maxSearchesPerSubject how
	// many of them belong to one subject: each may keep a processor busy for long.
	maxSearches           = 8
	maxSearchesPerSubject = 2
	// parallelLogs is how many logs one search reads at once.
	parallelLogs = 8
)

// AuditEntry is the entry in the table reads for a log of which a search has shown lines.
const AuditEntry = "lines found by a search"

// LimitedSearcher searches logs for callers over HTTP: it bounds how many searches run at
// once, in all and for each subject, and how long one answer becomes.
type LimitedSearcher struct {
	logs     lookup.Logs
	limit    *lookup.SubjectLimit
	maxBytes int64
	maxTime  time.Duration
}

// NewLimitedSearcher makes the one searcher that all callers share.
func NewLimitedSearcher(logs lookup.Logs) *LimitedSearcher {
	return &LimitedSearcher{logs: logs, limit: lookup.NewSubjectLimit(maxSearches, maxSearchesPerSubject), maxBytes: maxAnswerBytes, maxTime: maxAnswerTime}
}

// Search is Run for a subject. That the subject reads a log is recorded before it gets
// lines of that log. Where no place is free, it does not wait: it fails with
// lookup.ErrBusy.
//
// If q.Limit is set, the answer ends with the log in which it reaches that many matching
// lines (or, if lines are only counted, that many logs), and it has at most that many
// lines of one log. It also ends after 64 MiB, and with the first log that ends after a
// minute. The stats say which bound ended it, where the search can be continued, and
// which log lacks lines, if one does.
func (s *LimitedSearcher) Search(ctx context.Context, subject string, q Query, sink ResultSink) (Stats, error) {
	release, err := s.limit.Acquire(subject)
	if err != nil {
		return Stats{}, err
	}
	defer release()
	q.Parallel = parallelLogs
	return s.runBounded(ctx, q, sink, func(jobIDs []int64) error { return s.logs.DB.NoteReads(ctx, subject, jobIDs, AuditEntry) })
}
