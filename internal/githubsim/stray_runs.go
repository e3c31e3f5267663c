package githubsim

import (
	"slices"
	"sync"
)

// strays are what listings of runs have that was not asked for.
type strays struct {
	mu       sync.Mutex
	places   map[int64]int // of runs, in the list
	heedless int           // how many listings are yet to come that do not heed created
}

// StrayRun has each listing of runs by their creation list this one too, at a place from 0
// of its list, whenever it was created.
func (s *Server) StrayRun(runID int64, place int) {
	s.strays.mu.Lock()
	defer s.strays.mu.Unlock()
	if s.strays.places == nil {
		s.strays.places = map[int64]int{}
	}
	s.strays.places[runID] = place
}

// ForgetCreated has the next requests for runs answered as if they were not asked for by
// their creation.
func (s *Server) ForgetCreated(requests int) {
	s.strays.mu.Lock()
	defer s.strays.mu.Unlock()
	s.strays.heedless = requests
}

// forgets tells whether created is not heeded now.
func (s *strays) forgets() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heedless == 0 {
		return false
	}
	s.heedless--
	return true
}

// among puts strays of all runs where they stand among those that were found.
func (s *strays) among(found, all []*run) []*run {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range all {
		if place, ok := s.places[u.first.RunID]; ok && !slices.Contains(found, u) {
			found = slices.Insert(found, min(place, len(found)), u)
		}
	}
	return found
}
