package search

import (
	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/store"
)

// ResultSink receives the results of a search, by one call at a time.
type ResultSink interface {
	// Matches gets some matches of one log, in order, the newest job first; with last,
	// which says that the log has been searched, it may get none.
	// archive.ErrStop ends the search: what is left of this log is left out, and the
	// search can be continued with the next log. Any other error ends the search with it.
	Matches(matches []Match, last bool) error
	// Fault gets a log that cannot be read. The search continues.
	Fault(Fault)
	// Progress comes after each log.
	Progress(Stats)
}

// Match is a line that matches, or one of its context, or the number of such lines of a
// log.
type Match struct {
	*MatchJob
	*MatchLine       // nil: they were only counted
	Count      int64 `json:"count,omitempty"`
}

// MatchJob is the job in whose log there is a match.
type MatchJob struct {
	Repository string  `json:"repository"`
	RunID      int64   `json:"run_id"`
	Workflow   *string `json:"workflow"`
	JobID      int64   `json:"job_id"`
	Job        string  `json:"job"`
	Conclusion *string `json:"conclusion"`
}

// MatchLine is a line of a log.
type MatchLine struct {
	Line int64  `json:"line"`           // its number, from 1
	Time string `json:"time,omitempty"` // its timestamp, as it is in the log
	MatchLines
	Text    string `json:"text"`    // as it is in the log; what matches is its joblog.VisibleText, unless the pattern is raw
	Context bool   `json:"context"` // it does not match, but stands near a line that does
}

// Stats sums a search up.
type Stats struct {
	Logs      int                  `json:"logs"`              // that were searched
	RawBytes  int64                `json:"raw_bytes"`         // of these
	ReadBytes int64                `json:"read_bytes"`        // of these, unpacked, that had to be read
	Matched   int                  `json:"matched"`           // logs that have a match
	Lines     int64                `json:"lines"`             // that match
	Estimated int64                `json:"estimated"`         // of these, lines of which it is an estimate which step's they are; 0 if lines of any step are only counted
	Shared    int64                `json:"shared"`            // of these, lines that several steps share; likewise
	Cut       int64                `json:"cut"`               // lines that are too long to be searched to their end
	Faults    int                  `json:"faults"`            // logs that cannot be read
	Complete  bool                 `json:"complete"`          // all logs were searched that the query selects
	Bound     string               `json:"bound,omitempty"`   // which bound of a LimitedSearcher ended it before that: one of Bound*
	CutLog    *CutLog              `json:"cut_log,omitempty"` // the log within which it ended; nil: it ended with a log
	Unknown   *store.UnknownStarts `json:"unknown,omitempty"` // how many archived logs were left out as it is not known what started their jobs; nil: that was not asked for
	Next      *store.Cursor        `json:"-"`                 // where the search can be continued; nil: at its beginning
}

func (s *Stats) add(more Stats) {
	s.Logs += more.Logs
	s.RawBytes += more.RawBytes
	s.ReadBytes += more.ReadBytes
	s.Matched += more.Matched
	s.Lines += more.Lines
	s.Estimated += more.Estimated
	s.Shared += more.Shared
	s.Cut += more.Cut
	s.Faults += more.Faults
}

// count counts a line that matches.
func (s *Stats) count(known *joblog.Certainty) {
	s.Lines++
	switch {
	case known == nil:
	case *known == joblog.Estimated:
		s.Estimated++
	case *known == joblog.Shared:
		s.Shared++
	}
}

// Fault is a log that cannot be searched.
type Fault struct {
	JobID int64
	Err   error
}
