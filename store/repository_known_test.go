package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jobvault/jobvault/store"
)

func TestKnownRepositories(t *testing.T) {
	f := newFixture(t)
	_, err := f.db.SeeRepositories(t.Context(), []store.Repository{{ID: 3, Owner: "acme", Name: "c"}, {ID: 1, Owner: "acme", Name: "a"}, {ID: largeID, Owner: "acme", Name: "b"}})
	f.check(err)
	for _, c := range []struct{ asked, want []int64 }{
		{[]int64{largeID, 2, 1, 1, -5}, []int64{1, largeID}},
		{[]int64{2}, nil},
		{nil, nil},
	} {
		got, err := f.db.KnownRepositories(t.Context(), c.asked)
		f.check(err)
		if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.asked, diff)
		}
	}
}
