package ingest

import (
	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/store"
)

func settledOf(l store.JobLog) archive.Settled {
	s := archive.Settled{State: l.State, At: *l.SettledAt}
	if l.Reason != nil {
		s.Reason = *l.Reason
	}
	if l.HTTPStatus != nil {
		s.HTTPStatus = *l.HTTPStatus
	}
	return s
}

func settles(state string) bool {
	switch state {
	case store.LogNone, store.LogExpired, store.LogMissing:
		return true
	}
	return false
}
