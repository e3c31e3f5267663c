package record

import (
	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/store"
)

// SettledOf is what settled.json says of a job that the ledger calls settled.
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

// MeansNoLog tells the states of jobs that are settled without a log.
func MeansNoLog(state string) bool {
	switch state {
	case store.LogNone, store.LogExpired, store.LogMissing:
		return true
	}
	return false
}
