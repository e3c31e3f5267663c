package search

import "time"

// SetBounds sets what bounds an answer that has a limit.
func (s *LimitedSearcher) SetBounds(bytes int64, d time.Duration) { s.maxBytes, s.maxTime = bytes, d }
