package upkeep_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/store"
)

const oneDay = 24 * time.Hour

// of has a job be another repository's.
func of(id int64, name string) func(*store.Facts) {
	return func(f *store.Facts) {
		f.Repository = store.Repository{ID: id, Owner: "acme", Name: name}
		f.Run.RepositoryID, f.Job.RepositoryID = id, id
	}
}

// call has GitHub say what repositories are called now.
func (c *cellar) call(rs ...store.Repository) {
	c.T.Helper()
	_, err := c.DB.SeeRepositories(c.T.Context(), rs)
	c.Check(err)
}

// gone are the jobs whose logs are removed.
func (c *cellar) gone() []int64 {
	c.T.Helper()
	rows, err := c.DB.Pool().Query(c.T.Context(), `SELECT job_id FROM log_removals ORDER BY job_id`)
	c.Check(err)
	defer rows.Close()
	ids := []int64{}
	for rows.Next() {
		var id int64
		c.Check(rows.Scan(&id))
		ids = append(ids, id)
	}
	return ids
}

// applyRenamed is apply, and tells what it left.
func (c *cellar) applyRenamed() (left []string) {
	c.T.Helper()
	m := c.remover()
	m.Renamed = func(e *store.RenamedError) { left = append(left, e.Error()) }
	sum, err := m.Apply(c.T.Context(), "bob", 0, func(upkeep.Unfinished) {}, func(upkeep.RemovedLog, upkeep.ApplyResult) {})
	c.Check(err)
	if sum.Renamed != int64(len(left)) {
		c.T.Errorf("%d left by the sum, %d told", sum.Renamed, len(left))
	}
	slices.Sort(left)
	return left
}

// Rules about a name are about the repository that has it: neither do they remove logs
// of another that had it, nor does that lose what keeps its logs.
func TestRulesGoByTheNameThatARepositoryHas(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules []store.RetentionRule
		want  []int64
	}{
		{"removed by the name", []store.RetentionRule{{Repository: new("acme/rocket"), KeepDays: new(1)}}, []int64{2}},
		{"removed by all of the owner's", []store.RetentionRule{{Repository: new("acme/*"), KeepDays: new(1)}}, []int64{2}},
		{"kept by the name, all else removed", []store.RetentionRule{{Repository: new("acme/rocket")}, {KeepDays: new(1)}}, []int64{}},
		{"removed by no name", []store.RetentionRule{{KeepDays: new(1)}}, []int64{1, 2}},
		{"removed by another name's absence", []store.RetentionRule{{Repository: new("!acme/lander"), KeepDays: new(1)}}, []int64{1, 2}},
		{"kept out by the name", []store.RetentionRule{{Repository: new("!acme/rocket"), KeepDays: new(1)}}, []int64{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newCellar(t)
			v.job(1, 9*oneDay, "one\n")
			v.job(2, 9*oneDay, "two\n", of(8, "rocket"))
			v.call(store.Repository{ID: 8, Owner: "acme", Name: "rocket"})
			for _, r := range c.rules {
				v.rule(r)
			}
			if got := v.planned(); !slices.Equal(got, c.want) {
				t.Errorf("planned %v, want %v", got, c.want)
			}
			v.applyRenamed()
			if got := v.gone(); !slices.Equal(got, c.want) {
				t.Errorf("gone %v, want %v", got, c.want)
			}
		})
	}
}

// A late delivery that tells an old name does not have logs removed by it.
func TestRulesDoNotGoByNamesOfBefore(t *testing.T) {
	v := newCellar(t)
	v.job(1, 9*oneDay, "one\n")
	v.call(store.Repository{ID: 1, Owner: "acme", Name: "audited"})
	v.rule(store.RetentionRule{Repository: new("acme/rocket"), KeepDays: new(1)})
	v.job(2, 9*oneDay, "two\n") // as the first: of acme/rocket, long ago
	v.applyRenamed()
	if got := v.gone(); len(got) > 0 {
		t.Errorf("gone: %v", got)
	}
}

// Logs of a repository that is called otherwise than when their removal was planned are
// left, and named, until it is planned anew.
func TestRenamedSinceThePlan(t *testing.T) {
	for _, c := range []struct {
		name   string
		rename func(*cellar)
		left   string
	}{
		{"nothing", func(*cellar) {}, ""},
		{"another name", func(v *cellar) { v.call(store.Repository{ID: 1, Owner: "acme", Name: "starship"}) },
			"job 1: its repository was acme/rocket when this was planned, and is acme/starship now"},
		{"another owner", func(v *cellar) { v.call(store.Repository{ID: 1, Owner: "umbrella", Name: "rocket"}) },
			"job 1: its repository was acme/rocket when this was planned, and is umbrella/rocket now"},
		{"another case", func(v *cellar) { v.call(store.Repository{ID: 1, Owner: "Acme", Name: "ROCKET"}) }, ""},
		{"another repository has the name", func(v *cellar) { v.call(store.Repository{ID: 9, Owner: "acme", Name: "rocket"}) },
			"job 1: its repository was acme/rocket when this was planned, and is acme/rocket (which it does not have) now"},
		{"there and back", func(v *cellar) {
			v.call(store.Repository{ID: 1, Owner: "acme", Name: "starship"})
			v.call(store.Repository{ID: 1, Owner: "acme", Name: "rocket"})
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newCellar(t)
			v.job(1, 9*oneDay, "one\n")
			v.job(2, 9*oneDay, "two\n", of(8, "lander"))
			v.rule(store.RetentionRule{KeepDays: new(1)})
			v.Check(v.DB.NotePlan(t.Context()))
			c.rename(v)
			want := []int64{1, 2}
			var left []string
			if c.left != "" {
				want, left = []int64{2}, []string{c.left}
			}
			for range 2 { // also when it is run again
				if diff := cmp.Diff(left, v.applyRenamed()); diff != "" {
					t.Errorf("left (-want +got):\n%s", diff)
				}
				if got := v.gone(); !slices.Equal(got, want) {
					t.Errorf("gone %v, want %v", got, want)
				}
			}
			v.Check(v.DB.NotePlan(t.Context()))
			v.applyRenamed()
			if got := v.gone(); !slices.Equal(got, []int64{1, 2}) {
				t.Errorf("gone after another plan: %v", got)
			}
		})
	}
}

// So are those of a repository that was first heard of after the plan, and renamed then.
func TestRenamedSinceThePlanThatDidNotKnowIt(t *testing.T) {
	v := newCellar(t)
	v.job(2, 9*oneDay, "two\n", of(8, "lander"))
	v.rule(store.RetentionRule{KeepDays: new(1)})
	v.Check(v.DB.NotePlan(t.Context()))
	v.job(1, 9*oneDay, "one\n")
	v.call(store.Repository{ID: 1, Owner: "acme", Name: "starship"})
	v.job(3, 9*oneDay, "three\n", of(9, "new"))
	want := []string{"job 1: its repository was acme/rocket when this was planned, and is acme/starship now"}
	if diff := cmp.Diff(want, v.applyRenamed()); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if got := v.gone(); !slices.Equal(got, []int64{2, 3}) {
		t.Errorf("gone %v", got)
	}
	v.Check(v.DB.NotePlan(t.Context()))
	if left := v.applyRenamed(); left != nil || len(v.gone()) != 3 {
		t.Errorf("after another plan: left %v, gone %v", left, v.gone())
	}
}

// What changes its name while apply runs is left, also where nobody has planned.
func TestRenamedSinceItWasListed(t *testing.T) {
	v := newCellar(t)
	v.job(1, 9*oneDay, "one\n")
	v.rule(store.RetentionRule{Repository: new("acme/rocket"), KeepDays: new(1)})
	listed, _, err := v.DB.ExpiringLogs(t.Context(), v.now, 0, 10)
	v.Check(err)
	v.call(store.Repository{ID: 1, Owner: "acme", Name: "starship"})
	v.rule(store.RetentionRule{KeepDays: new(1)}) // it would go all the same
	_, err = v.DB.RemoveByRule(t.Context(), listed[0].RetentionJob, "bob", v.now)
	want := &store.RenamedError{JobID: 1, RepositoryID: 1, Was: store.PlannedName{Owner: "acme", Name: "rocket", HasName: true}, Is: store.PlannedName{Owner: "acme", Name: "starship", HasName: true}}
	var renamed *store.RenamedError
	if !errors.As(err, &renamed) || *renamed != *want || len(v.gone()) > 0 {
		t.Errorf("%v, gone %v; want %v", err, v.gone(), want)
	}
}
