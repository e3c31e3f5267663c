package record

import (
	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/store"
)

// SettledOf is the settled.json of a job that the ledger calls settled.
func SettledOf(l store.JobLog) archive.Settled {
	s := archive.Settled{State: l.State, At: *l.SettledAt}
	if l.Reason != nil {
		s.Reason = *l.Reason
	}
	if l.HTTPStatus != nil {
		s.HTTPStatus = *l.HTTPStatus
	}
	return s
}

// SettledWithoutLog says whether a state is one of jobs that are settled without a log.
func SettledWithoutLog(state string) bool {
	switch state {
	case store.LogNone, store.LogExpired, store.LogMissing:
		return true
	}
	return false
}
