package lookup

import "time"

// SetStall sets how long a client may take nothing.
func (s *Sender) SetStall(d time.Duration) { s.stall = d }
