package lookup

import (
	"time"

	"github.com/jobvault/jobvault/store"
)

// SetStall sets how long a client may take nothing.
func (s *Sender) SetStall(d time.Duration) { s.stall = d }

// LedgerOf is ledger.json of a package of evidence.
func LedgerOf(j store.JobDetails) any { return ledgerOf(j) }
