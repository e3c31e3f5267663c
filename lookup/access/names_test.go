package access_test

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/store"
)

// A name that was used again many times costs a bounded number of questions, whatever is
// asked by it: after those first that have a name now, then after the latest.
func TestANameUsedManyTimesCostsABoundedNumberOfQuestions(t *testing.T) {
	const uses = 3 * access.MaxAskedOfName
	sim := simulated(t, githubsim.Options{Seed: 1})
	f := newFixture(t, gitHubGate(t, sim))
	moved := store.Repository{ID: 100, Owner: "acme", Name: "moved", Private: new(true)}
	see := func(id int64, name string) store.Repository {
		r := store.Repository{ID: id, Owner: "acme", Name: name, Private: new(true)}
		f.see(r)
		return r
	}
	see(moved.ID, "temp")
	f.see(moved)
	var all []store.Repository
	for id := int64(101); id < 101+uses; id++ {
		all = append(all, see(id, "temp"))
	}
	ids := []int64{moved.ID}
	for _, r := range append(all, moved) {
		sim.AddRepository(githubsim.Repository{ID: r.ID, Owner: r.Owner, Name: r.Name + strconv.FormatInt(r.ID, 10), Private: true})
		ids = append(ids, r.ID)
	}
	sim.AddUser("alice", token(1), ids...)
	sim.AddUser("bob", token(2))
	want := []store.Repository{all[uses-1], moved}
	for i := range access.MaxAskedOfName - 2 {
		want = append(want, all[uses-2-i])
	}
	for _, c := range []struct {
		reader access.Reader
		want   []store.Repository
	}{{f.as(token(1)), want}, {f.as(token(2)), nil}} {
		before := runsAsked(sim)
		for range 2 {
			f.names(c.reader, "acme", "temp", c.want...)
			listed, err := c.reader.Listed(t.Context(), "acme/temp")
			if err != nil || len(listed) != len(c.want) {
				t.Errorf("lists are of %d repositories, %v", len(listed), err)
			}
		}
		if n := runsAsked(sim) - before; n != access.MaxAskedOfName {
			t.Errorf("%s: GitHub was asked %d times", c.reader.Subject, n)
		}
	}
	// What is older is read by its job's id.
	if may, err := f.as(token(1)).MayRead(t.Context(), all[0]); !may || err != nil {
		t.Errorf("by the id: %t, %v", may, err)
	}
}

// Where nobody has to be asked, a name finds all that ever had it.
func TestOnThisMachineANameFindsAll(t *testing.T) {
	f := newFixture(t, access.Loopback)
	for id := int64(100); id < 100+2*access.MaxAskedOfName; id++ {
		f.see(store.Repository{ID: id, Owner: "acme", Name: "temp"})
	}
	reader, err := f.gate.Reader(browserRequest(t, http.MethodGet))
	f.Check(err)
	rs, err := reader.Named(t.Context(), "acme", "temp")
	if f.Check(err); len(rs) != 2*access.MaxAskedOfName {
		t.Errorf("%d repositories", len(rs))
	}
}
