package search

import (
	"context"
	"time"

	"github.com/jobvault/jobvault/lookup"
)

const (
	// maxSearches bounds how many searches run at once, and maxSearchesPerSubject how many
	// of them are one subject's: each may keep a processor busy for long.
	maxSearches           = 8
	maxSearchesPerSubject = 2
	// parallelLogs is how many logs one of them reads at once.
	parallelLogs = 8
)

// AuditEntry is what the table reads says of a log of which a search has shown lines.
const AuditEntry = "lines found by a search"

// LimitedSearcher searches logs for callers over HTTP: it bounds how many searches run at
// once, in all and for each subject, and how long one answer becomes.
type LimitedSearcher struct {
	logs     lookup.Logs
	limit    *lookup.SubjectLimit
	maxBytes int64
	maxTime  time.Duration
}

// NewLimitedSearcher makes one for all who search these logs.
func NewLimitedSearcher(logs lookup.Logs) *LimitedSearcher {
	return &LimitedSearcher{logs: logs, limit: lookup.NewSubjectLimit(maxSearches, maxSearchesPerSubject), maxBytes: maxAnswerBytes, maxTime: maxAnswerTime}
}

// Search is Run for a subject, of whom the reading of each log with a match is recorded
// before it gets lines of it. It fails with lookup.ErrBusy at once.
//
// If q.Limit is set, the answer ends with the log in which it comes to that many matching
// lines (if they are only counted, to that many logs), and it has no more than that of one
// log. It also ends after 64 MiB, and with the first log that ends after a minute. The
// stats say which bound it was, where the search goes on, and of which log lines were left
// out, if of any.
func (s *LimitedSearcher) Search(ctx context.Context, subject string, q Query, sink ResultSink) (Stats, error) {
	release, err := s.limit.Acquire(subject)
	if err != nil {
		return Stats{}, err
	}
	defer release()
	q.Parallel = parallelLogs
	return s.runBounded(ctx, q, sink, func(jobIDs []int64) error { return s.logs.DB.NoteReads(ctx, subject, jobIDs, AuditEntry) })
}
