package ingesttest

import (
	"github.com/google/go-cmp/cmp"
	"github.com/jobvault/jobvault/store"
)

// Known is a repository that the database knows.
func (r *Rig) Known(id int64) store.Repository {
	r.T.Helper()
	rs, err := r.DB.Repositories(r.T.Context())
	r.Check(err)
	for _, repo := range rs {
		if repo.ID == id {
			return repo
		}
	}
	r.T.Fatalf("no repository %d", id)
	return store.Repository{}
}

// Names is how repositories are called, with a star for who has the name.
func (r *Rig) Names() map[int64]string {
	r.T.Helper()
	rs, err := r.DB.Repositories(r.T.Context())
	r.Check(err)
	names := make(map[int64]string)
	for _, repo := range rs {
		names[repo.ID] = repo.FullName()
		if repo.HasName {
			names[repo.ID] += " *"
		}
	}
	return names
}

// WantNames wants repositories to be called so, as Names tells it.
func (r *Rig) WantNames(when string, want map[int64]string) {
	r.T.Helper()
	if diff := cmp.Diff(want, r.Names()); diff != "" {
		r.T.Errorf("%s (-want +got):\n%s", when, diff)
	}
}
