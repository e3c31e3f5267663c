package search

import (
	"time"

	"github.com/jobvault/jobvault/store"
)

// SetBounds sets what bounds an answer that has a limit.
func (s *LimitedSearcher) SetBounds(bytes int64, d time.Duration) { s.maxBytes, s.maxTime = bytes, d }

// StepsAt is lineSteps.at and lineSteps.has of some steps.
func StepsAt(steps []store.Step) (at func(line int64) (*MatchLines, int64), has func(first, last int64) bool) {
	l := newLineSteps(steps)
	return l.at, l.has
}
