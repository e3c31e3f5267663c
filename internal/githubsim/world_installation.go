package githubsim

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// installation is an App's installation. It stays when its last repository goes.
type installation struct {
	id          int64
	account     string
	suspendedAt *time.Time
}

// SuspendInstallation suspends an App's installation: it is listed with
// suspended_at and gets no tokens.
func (s *Server) SuspendInstallation(id int64, at time.Time) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.suspended[id] = at
}

func (w *world) installation(id int64) (installation, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	account, ok := w.installations[id]
	in := installation{id: id, account: account}
	if at, suspended := w.suspended[id]; suspended {
		in.suspendedAt = &at
	}
	return in, ok
}

// allInstallations has their ids in order.
func (w *world) allInstallations() []int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.installations))
}

// accountInstallation is an account's installation, the first if there are
// several; 0: none.
func (w *world) accountInstallation(account string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.installationOf(account)
}

// installationOf is accountInstallation under the lock.
func (w *world) installationOf(account string) int64 {
	for _, id := range slices.Sorted(maps.Keys(w.installations)) {
		if strings.EqualFold(w.installations[id], account) {
			return id
		}
	}
	return 0
}
