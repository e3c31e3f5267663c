package lookup

import (
	"context"
	"time"
)

const (
	// maxSearches bounds how many searches run at once, and maxSearchesPerSubject how many
	// of them are one subject's: each may keep a processor busy for long.
	maxSearches           = 8
	maxSearchesPerSubject = 2
	// servedParallel is how many logs one of them reads at a time.
	servedParallel = 8
)

// Searcher searches logs for those who ask over HTTP.
type Searcher struct {
	logs        Logs
	answerBytes int64
	answerTime  time.Duration
	limit       *SubjectLimit
}

// NewSearcher makes one for all who search these logs.
func NewSearcher(logs Logs) *Searcher {
	return &Searcher{logs: logs, answerBytes: answerBytes, answerTime: answerTime, limit: NewSubjectLimit(maxSearches, maxSearchesPerSubject)}
}

// Search is Logs.Search for a subject; that it was shown lines of a log is recorded
// before it is. It fails with ErrBusy at once.
//
// With a limit, it ends with the log in which it comes to that many lines, not counting
// context (if they are only counted, to that many logs); and it tells no more than that
// of one log. It ends too after 64 MiB, and with the first log after a minute. The sum
// says which it was, where it goes on, and in which log lines were left out, if so.
func (s *Searcher) Search(ctx context.Context, subject string, q Search, to Searching) (Searched, error) {
	release, err := s.limit.Acquire(subject)
	if err != nil {
		return Searched{}, err
	}
	defer release()
	q.Parallel = servedParallel
	return s.search(ctx, q, to, func(jobIDs []int64) error { return s.logs.DB.NoteReads(ctx, subject, jobIDs, FoundBySearch) })
}

// FoundBySearch is what is recorded of a log of which a search has shown lines.
const FoundBySearch = "lines found by a search"
