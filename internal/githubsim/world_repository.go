package githubsim

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// nameKey is how names are looked up: case does not matter.
func nameKey(owner, name string) string {
	return strings.ToLower(owner) + "/" + strings.ToLower(name)
}

// AddRepository adds a repository, or replaces the one with its ID, whose name,
// if it was another, becomes a former one as with RenameRepository. An
// installation that is new belongs to the repository's owner, for good.
func (s *Server) AddRepository(r Repository) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.put(r)
}

// RenameRepository gives a repository a new owner or name. The old one is
// answered 301 to /repositories/ID/…, as GitHub does, until another repository
// takes it. With a new owner it is a transfer: the repository leaves its
// installation for that of the owner, or for none if the owner has none.
func (s *Server) RenameRepository(id int64, owner, name string) {
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	r, ok := w.repositories[id]
	if !ok {
		return
	}
	if !strings.EqualFold(r.Owner, owner) {
		r.InstallationID = w.installationOf(owner)
	}
	r.Owner, r.Name = owner, name
	w.put(r)
}

// RemoveRepository makes a repository and all that is in it unknown: 404 from
// then on, also under its former names. Only a link to a log that was already
// given out lives until it expires. AddRepository brings it back with its jobs.
func (s *Server) RemoveRepository(id int64) {
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.repositories, id)
	its := func(_ string, other int64) bool { return other == id }
	maps.DeleteFunc(w.names, its)
	maps.DeleteFunc(w.formerNames, its)
}

// put needs the lock.
func (w *world) put(r Repository) {
	key := nameKey(r.Owner, r.Name)
	if old, ok := w.repositories[r.ID]; ok {
		// Another repository may have taken the name while this one had it.
		if former := nameKey(old.Owner, old.Name); w.names[former] == r.ID {
			delete(w.names, former)
			w.formerNames[former] = r.ID
		}
	}
	delete(w.formerNames, key)
	w.names[key] = r.ID
	w.repositories[r.ID] = r
	if _, ok := w.installations[r.InstallationID]; !ok && r.InstallationID != 0 {
		w.installations[r.InstallationID] = r.Owner
	}
}

func (w *world) repository(id int64) (Repository, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, ok := w.repositories[id]
	return r, ok
}

// named finds a repository by its present name, or tells that it was renamed.
func (w *world) named(owner, name string) (r Repository, renamed, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := nameKey(owner, name)
	if id, ok := w.names[key]; ok {
		return w.repositories[id], false, true
	}
	if id, ok := w.formerNames[key]; ok {
		return w.repositories[id], true, true
	}
	return Repository{}, false, false
}

// allRepositories has them by ID.
func (w *world) allRepositories() []Repository {
	w.mu.Lock()
	defer w.mu.Unlock()
	rs := slices.Collect(maps.Values(w.repositories))
	slices.SortFunc(rs, func(a, b Repository) int { return cmp.Compare(a.ID, b.ID) })
	return rs
}
