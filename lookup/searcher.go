package lookup

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// mostSearches bounds how many searches run at once, and how many of them are one
	// subject's: each may keep a processor busy for long.
	mostSearches          = 8
	mostSearchesOfSubject = 2
	// servedParallel is how many logs one of them reads at a time.
	servedParallel = 8
)

// Searcher searches logs for those who ask over HTTP.
type Searcher struct {
	logs        Logs
	answerBytes int64
	answerTime  time.Duration

	mu      sync.Mutex
	running int
	of      map[string]int // by subject
}

// NewSearcher makes one for all who search these logs.
func NewSearcher(logs Logs) *Searcher {
	return &Searcher{logs: logs, answerBytes: answerBytes, answerTime: answerTime, of: make(map[string]int)}
}

// Search is Logs.Search for a subject; that it was shown lines of a log is recorded
// before it is. It fails with ErrBusy at once.
//
// With a limit, it ends with the log in which it comes to that many lines, not counting
// context (if they are only counted, to that many logs); and it tells no more than that
// of one log. It ends too after 64 MiB, and with the first log after a minute. The sum
// says which it was, where it goes on, and in which log lines were left out, if so.
func (s *Searcher) Search(ctx context.Context, subject string, q Search, to Searching) (Searched, error) {
	s.mu.Lock()
	busy := s.running == mostSearches || s.of[subject] == mostSearchesOfSubject
	if !busy {
		s.running++
		s.of[subject]++
	}
	s.mu.Unlock()
	if busy {
		return Searched{}, ErrBusy
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running--
		if s.of[subject]--; s.of[subject] == 0 {
			delete(s.of, subject)
		}
	}()
	q.Parallel = servedParallel
	return s.search(ctx, q, to, func(jobIDs []int64) error { return s.logs.DB.NoteReads(ctx, subject, jobIDs, FoundBySearch) })
}

// FoundBySearch is what is recorded of a log of which a search has shown lines.
const FoundBySearch = "lines found by a search"

// Stream is for an answer that is made while it is sent: what is written goes out at
// once, and the client may take as long as it moves.
func Stream(w http.ResponseWriter) io.Writer {
	return stream{w, http.NewResponseController(w)}
}

type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (s stream) Write(b []byte) (int, error) {
	// Only a writer that is none of net/http's has no deadline.
	_ = s.control.SetWriteDeadline(time.Now().Add(stallTime))
	n, err := s.w.Write(b)
	if err == nil {
		err = s.control.Flush()
	}
	return n, err
}
