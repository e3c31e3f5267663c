package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jobvault/jobvault/store"
)

// see writes repositories as listed, and wants their rows to be like that.
func (f *fixture) see(rs []store.Repository, want ...store.Repository) {
	f.t.Helper()
	before := scalar[time.Time](f, `SELECT now()`)
	got, err := f.db.SeeRepositories(f.t.Context(), rs)
	f.check(err)
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(store.Repository{}, "SeenAt", "HasName"), butTimes, cmpopts.EquateEmpty()); diff != "" {
		f.t.Errorf("(-want +got):\n%s", diff)
	}
	for _, r := range got {
		if age := r.SeenAt.Sub(before).Abs(); age > time.Minute {
			f.t.Errorf("repository %d was seen %s off", r.ID, age)
		}
	}
}

// What GitHub has just named is the latest of each repository, whose row comes
// back as it is now: a name that is not said, or null, replaces nothing.
func TestSeenRepositories(t *testing.T) {
	f := newFixture(t)
	one := store.Repository{ID: 1, Owner: "acme", Name: "rocket", Private: new(true), InstallationID: new(int64(5))}
	two := store.Repository{ID: largeID, Owner: "acme", Name: "lander"}
	f.see(nil)
	f.see([]store.Repository{two, one}, one, two)
	all, err := f.db.Repositories(t.Context())
	f.check(err)
	if len(all) != 2 || all[0].FullName() != "acme/rocket" {
		t.Errorf("known: %+v", all)
	}
	// Renamed, and moved; what is not said stays.
	renamed := one
	renamed.Owner, renamed.Name = "other", "starship"
	f.see([]store.Repository{{ID: 1, Owner: "other", Name: "starship"}}, renamed)
	renamed.Private, renamed.InstallationID = new(false), new(int64(6))
	f.see([]store.Repository{renamed}, renamed)
	// A delivery from before that comes late changes nothing.
	f.tell(factsOf(3, "queued"))
	f.see([]store.Repository{{ID: 1, Owner: "other", Name: "starship"}}, renamed)
	// Two pages of a listing may name it twice.
	f.see([]store.Repository{two, two}, two)
}

// A caller's SeenAt does not count: the database's clock is that of deliveries.
func TestSeenAtIsTheDatabases(t *testing.T) {
	f := newFixture(t)
	mine := []store.Repository{{ID: 1, Owner: "acme", Name: "rocket", SeenAt: day}}
	f.see(mine, store.Repository{ID: 1, Owner: "acme", Name: "rocket"})
	if !mine[0].SeenAt.Equal(day) {
		t.Error("the caller's is changed")
	}
}
