package lookup

import "time"

// SetStall sets how long a client may take nothing.
func (s *Sender) SetStall(d time.Duration) { s.stall = d }

// SetBounds sets what bounds an answer that has a limit.
func (s *Searcher) SetBounds(bytes int64, d time.Duration) { s.answerBytes, s.answerTime = bytes, d }
