package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jobvault/jobvault/store"
)

// seen tells of job 3 in a repository under a name, some seconds after day.
func seen(seconds int, name string, private *bool, installation *int64) store.Facts {
	return factsOf(3, "queued", func(f *store.Facts) {
		at := day.Add(time.Duration(seconds) * time.Second)
		f.Repository = store.Repository{
			ID: 1, Owner: "acme", Name: name, Private: private, InstallationID: installation, SeenAt: at, NamedAt: at, HasName: true,
		}
	})
}

// again is seen(0, …), which is heard some seconds later.
func again(seconds int, name string, private *bool, installation *int64) store.Facts {
	f := seen(0, name, private, installation)
	f.Repository.SeenAt = day.Add(time.Duration(seconds) * time.Second)
	return f
}

// butTimes leaves out when each thing was told.
var butTimes = cmpopts.IgnoreFields(store.Repository{}, "NamedAt", "NamedByAPI", "PrivateAt", "InstallationAt")

func TestRepositoryIsWhatWasHeardLast(t *testing.T) {
	yes, no, seven := new(true), new(false), new(int64(7))
	for _, c := range []struct {
		name string
		told []store.Facts
		want store.Facts
	}{
		{"a new name", []store.Facts{seen(0, "old", nil, nil), seen(1, "new", nil, nil)}, seen(1, "new", nil, nil)},
		{"a late old name", []store.Facts{seen(100, "new", nil, nil), seen(0, "old", nil, nil)}, seen(100, "new", nil, nil)},
		{"there and back", []store.Facts{seen(0, "a", nil, nil), seen(1, "b", nil, nil), seen(2, "a", nil, nil)}, seen(2, "a", nil, nil)},
		{"made public", []store.Facts{seen(0, "a", yes, nil), seen(1, "a", no, nil)}, seen(1, "a", no, nil)},
		{"not said any more", []store.Facts{seen(0, "a", yes, seven), seen(90, "b", nil, nil)}, seen(90, "b", yes, seven)},
		{"said at last", []store.Facts{seen(0, "a", nil, nil), seen(1, "a", yes, seven)}, seen(1, "a", yes, seven)},
		{"the same, and later", []store.Facts{seen(0, "a", yes, seven), seen(9, "a", yes, seven)}, seen(9, "a", yes, seven)},
		{"heard again within a minute", []store.Facts{seen(0, "a", yes, seven), again(60, "a", yes, seven)}, seen(0, "a", yes, seven)},
		{"heard again after a minute", []store.Facts{seen(0, "a", yes, seven), again(61, "a", yes, seven)}, again(61, "a", yes, seven)},
		{"nothing new, within a minute", []store.Facts{seen(0, "a", yes, seven), again(9, "a", nil, nil)}, seen(0, "a", yes, seven)},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.tell(c.told...)
			got, err := f.db.JobToArchive(t.Context(), 3)
			f.check(err)
			if diff := cmp.Diff(c.want.Repository, got.Repository, butTimes); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The rows must not depend on how deliveries are grouped, nor on their order.
func TestRepositoryDoesNotDependOnGrouping(t *testing.T) {
	with, without := seen(0, "a", new(true), new(int64(7))), seen(90, "a", nil, nil)
	without.Job.ID = 4
	want := seen(90, "a", new(true), new(int64(7))).Repository
	for name, write := range map[string]func(*fixture){
		"one by one":   func(f *fixture) { f.tell(with, without) },
		"in one batch": func(f *fixture) { f.insert(deliveryOf(with), deliveryOf(without)); f.drain() },
		"the late one": func(f *fixture) { f.tell(without, with) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			write(f)
			got, err := f.db.JobToArchive(t.Context(), 3)
			f.check(err)
			if diff := cmp.Diff(want, got.Repository, butTimes); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
