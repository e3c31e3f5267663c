package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/store"
)

// word is what GitHub says of a repository, some seconds after day.
func report(id int64, name string, seconds int) store.Repository {
	at := day.Add(time.Duration(seconds) * time.Second)
	return store.Repository{ID: id, Owner: "acme", Name: name, SeenAt: at, NamedAt: at}
}

// hear writes reports as deliveries of jobs that tell them, one after the other. What is
// the REST API's comes from there.
func (f *fixture) hear(reports ...store.Repository) {
	f.t.Helper()
	for _, w := range reports {
		if w.NamedByAPI {
			_, err := f.db.SeeRepositories(f.t.Context(), []store.Repository{w})
			f.check(err)
			continue
		}
		f.tell(factsOf(100+w.ID, "queued", func(x *store.Facts) {
			x.Repository, x.Run = w, store.WorkflowRun{ID: 200 + w.ID, RepositoryID: w.ID}
			x.Job.RunID, x.Job.RepositoryID = x.Run.ID, w.ID
		}))
	}
}

// names is who is called what, with a star for who has the name.
func (f *fixture) names() map[int64]string {
	f.t.Helper()
	rs, err := f.db.Repositories(f.t.Context())
	f.check(err)
	names := make(map[int64]string)
	for _, r := range rs {
		names[r.ID] = r.FullName()
		if r.HasName {
			names[r.ID] += " *"
		}
	}
	return names
}

// A name is whose GitHub told last that it is, by the time that it told of.
func TestWhoHasAName(t *testing.T) {
	const first, second = 1, 2
	api := func(r store.Repository) store.Repository { r.NamedByAPI = true; return r }
	moved := report(first, "rocket", 5)
	moved.Owner = "umbrella"
	for _, c := range []struct {
		name    string
		reports []store.Repository
		want    map[int64]string
	}{
		{"a late delivery", []store.Repository{report(first, "starship", 5), report(first, "rocket", 1)}, map[int64]string{first: "acme/starship *"}},
		{"a transfer and a late delivery", []store.Repository{moved, report(first, "rocket", 1)}, map[int64]string{first: "umbrella/rocket *"}},
		{"of one time the API's", []store.Repository{api(report(first, "starship", 5)), report(first, "rocket", 5)}, map[int64]string{first: "acme/starship *"}},
		{"used again", []store.Repository{report(first, "rocket", 1), report(second, "Rocket", 2)}, map[int64]string{first: "acme/rocket", second: "acme/Rocket *"}},
		{"used again, and told late of the first", []store.Repository{report(second, "rocket", 2), report(first, "rocket", 1)},
			map[int64]string{first: "acme/rocket", second: "acme/rocket *"}},
		{"used again at the same time: the newer", []store.Repository{report(second, "rocket", 1), report(first, "rocket", 1)},
			map[int64]string{first: "acme/rocket", second: "acme/rocket *"}},
		{"nobody's when the newer is renamed", []store.Repository{report(first, "rocket", 1), report(second, "rocket", 2), report(second, "lander", 3)},
			map[int64]string{first: "acme/rocket", second: "acme/lander *"}},
		{"nobody's, told in another order", []store.Repository{report(second, "lander", 3), report(first, "rocket", 1), report(second, "rocket", 2)},
			map[int64]string{first: "acme/rocket", second: "acme/lander *"}},
		{"had again when GitHub says so", []store.Repository{report(first, "rocket", 1), report(second, "rocket", 2), report(second, "lander", 3), report(first, "rocket", 4)},
			map[int64]string{first: "acme/rocket *", second: "acme/lander *"}},
		{"a swap", []store.Repository{report(first, "a", 1), report(second, "b", 1), report(first, "b", 5), report(second, "a", 6)},
			map[int64]string{first: "acme/b *", second: "acme/a *"}},
		{"half of a swap", []store.Repository{report(first, "a", 1), report(second, "b", 1), report(second, "a", 6)},
			map[int64]string{first: "acme/a", second: "acme/a *"}},
		{"another case", []store.Repository{report(first, "rocket", 1), report(first, "Rocket", 2)}, map[int64]string{first: "acme/Rocket *"}},
		{"another case, late", []store.Repository{report(first, "Rocket", 2), report(first, "rocket", 1)}, map[int64]string{first: "acme/Rocket *"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.hear(c.reports...)
			if diff := cmp.Diff(c.want, f.names()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A delivery that comes late does not make a private repository public.
func TestLateDeliveryMakesNothingPublic(t *testing.T) {
	f := newFixture(t)
	public, private := report(1, "rocket", 1), report(1, "rocket", 5)
	public.Private, private.Private = new(false), new(true)
	public.InstallationID, private.InstallationID = new(int64(7)), new(int64(8))
	silent := report(1, "rocket", 9)
	between := report(1, "rocket", 7)
	between.Private = new(false)
	for _, c := range []struct {
		reports []store.Repository
		want    bool
	}{
		{[]store.Repository{private, public}, true},
		{[]store.Repository{private, silent, public}, true},
		{[]store.Repository{private, silent, between}, false}, // though a later word does not say
	} {
		f.exec(`UPDATE repositories SET named_at = 'epoch', private = NULL, private_at = NULL, installation_id = NULL, installation_at = NULL`)
		f.hear(c.reports...)
		rs, err := f.db.Repositories(t.Context())
		f.check(err)
		if r := rs[0]; r.Private == nil || *r.Private != c.want || r.InstallationID == nil || *r.InstallationID != 8 {
			t.Errorf("%+v: private %v, installation %v", c.reports, *r.Private, *r.InstallationID)
		}
	}
}

// An answer that was asked for before another and written after it does not count.
func TestAnswersGoByWhenTheyWereAskedFor(t *testing.T) {
	f := newFixture(t)
	asked, err := f.db.AskedAt(t.Context())
	f.check(err)
	see := func(name string, at time.Time) {
		_, err := f.db.SeeRepositories(t.Context(), []store.Repository{{ID: 1, Owner: "acme", Name: name, NamedAt: at}})
		f.check(err)
	}
	see("starship", time.Time{}) // asked for now
	see("rocket", asked)
	see("lander", asked.Add(-time.Hour))
	if diff := cmp.Diff(map[int64]string{1: "acme/starship *"}, f.names()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	see("rocket", asked.Add(time.Hour)) // which cannot be, and counts as now
	if at := scalar[time.Time](f, `SELECT named_at FROM repositories`); at.After(asked.Add(time.Minute)) {
		t.Errorf("named at %s, asked at %s", at, asked)
	}
}

// anyReports draws reports about a few repositories, names and times, so that all of them
// meet.
func anyReports(t *rapid.T) []store.Repository {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) store.Repository {
		w := report(rapid.Int64Range(1, 3).Draw(t, "id"), rapid.SampledFrom([]string{"a", "b", "B"}).Draw(t, "name"), rapid.IntRange(0, 4).Draw(t, "seconds"))
		w.SeenAt = day
		w.NamedByAPI = rapid.Bool().Draw(t, "api")
		w.Private = rapid.Ptr(rapid.Bool(), true).Draw(t, "private")
		w.InstallationID = rapid.Ptr(rapid.Int64Range(7, 8), true).Draw(t, "installation")
		return w
	}), 1, 8).Draw(t, "reports")
}

// rows are what the tables say of repositories, but for when jobvault heard it.
func (f *fixture) rows() []string {
	f.t.Helper()
	return column[string](f, `
		SELECT concat_ws(' ', 'is', id, owner, name, private, private_at, installation_id, installation_at, named_at, named_by_api, has_name(r)) FROM repositories r
		UNION ALL SELECT concat_ws(' ', 'other name', repository_id, owner, name, named_at, named_by_api) FROM repository_names ORDER BY 1`)
}

// The rows of repositories are a fold over all that GitHub says of them: the same in any
// order, in any groups, however often, and as the model of it in Go.
func TestRepositoriesAreAFold(t *testing.T) {
	f := newFixture(t)
	rapid.Check(t, func(t *rapid.T) {
		reports := anyReports(t)
		var want []string
		for round := range 3 {
			f.exec(`DELETE FROM repository_names`)
			f.exec(`DELETE FROM repositories`)
			rest := slices.Clone(reports)
			if round > 0 { // again, in another order
				rest = append(rest, rest[:rapid.IntRange(0, len(rest)).Draw(t, "again")]...)
				rand.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
			}
			for len(rest) > 0 {
				n := rapid.IntRange(1, len(rest)).Draw(t, "group")
				f.check(store.WriteRepositories(t.Context(), f.pool, rest[:n]))
				rest = rest[n:]
			}
			if got := f.rows(); round == 0 {
				want = got
			} else if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s\n(-in order +otherwise):\n%s", textOfReports(reports), diff)
			}
		}
		byID := make(map[int64][]store.Repository)
		for _, w := range reports {
			byID[w.ID] = append(byID[w.ID], w)
		}
		rs, err := f.db.Repositories(t.Context())
		f.check(err)
		for _, r := range rs {
			folded, others := store.FoldRepository(byID[r.ID])
			folded.HasName, folded.SeenAt = r.HasName, r.SeenAt
			if diff := cmp.Diff(folded, r); diff != "" {
				t.Fatalf("%s\n(-folded +row):\n%s", textOfReports(reports), diff)
			}
			if n := scalar[int](f, `SELECT count(*) FROM repository_names WHERE repository_id = $1`, r.ID); n != len(others) {
				t.Fatalf("%s\n%d other names, want %d", textOfReports(reports), n, len(others))
			}
			if want := mayHave(r, reports); want != r.HasName {
				t.Fatalf("%s\nrepository %d has its name: %t, want %t", textOfReports(reports), r.ID, r.HasName, want)
			}
		}
	})
}

// mayHave is the rule in Go: no report tells of another repository under the name that
// is later than the last of this one's.
func mayHave(r store.Repository, reports []store.Repository) bool {
	rank := func(w store.Repository) string { return fmt.Sprint(w.NamedAt.Unix(), w.NamedByAPI, w.ID) }
	for _, w := range reports {
		if w.ID != r.ID && strings.EqualFold(w.FullName(), r.FullName()) && rank(w) > rank(r) {
			return false
		}
	}
	return true
}

func textOfReports(reports []store.Repository) string {
	var b strings.Builder
	for _, w := range reports {
		fmt.Fprintf(&b, "%d is %s at %s, by the API: %t\n", w.ID, w.FullName(), w.NamedAt.Format(time.TimeOnly), w.NamedByAPI)
	}
	return b.String()
}

// Deliveries that name two repositories the same at once, and rename them at once, wait
// for nobody for ever.
func TestNamesAtOnce(t *testing.T) {
	f := newFixture(t)
	errs := make(chan error)
	const writers, rounds = 6, 20
	for w := range writers {
		go func() {
			for i := range rounds {
				reports := []store.Repository{report(1, fmt.Sprint("n", (i+w)%3), i), report(2, fmt.Sprint("n", (i+w+1)%3), i), report(3, "n0", i)}
				rand.Shuffle(len(reports), func(i, j int) { reports[i], reports[j] = reports[j], reports[i] })
				if err := store.WriteRepositories(t.Context(), f.pool, reports); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range writers {
		f.check(<-errs)
	}
	shared := column[int](f, `SELECT count(*) FROM repositories r WHERE has_name(r) GROUP BY lower(owner), lower(name) HAVING count(*) > 1`)
	if len(shared) > 0 {
		t.Errorf("names that several have: %v", shared)
	}
}

// A report that tells nothing new waits for nobody who has the repository's row, and keeps
// nobody waiting; one that does is written once the row is free.
func TestAReportWithoutNewsLocksNothing(t *testing.T) {
	f := newFixture(t)
	known, newer := report(1, "rocket", 5), report(1, "rocket2", 6)
	f.check(store.WriteRepositories(t.Context(), f.pool, []store.Repository{known}))
	holder, err := f.pool.Begin(t.Context())
	f.check(err)
	_, err = holder.Exec(t.Context(), `SELECT FROM repositories WHERE id = 1 FOR UPDATE`)
	f.check(err)
	within, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, same := range []store.Repository{known, report(1, "rocket", 4)} {
		if err := store.WriteRepositories(within, f.pool, []store.Repository{same}); err != nil {
			t.Errorf("a report of %s waits for the row: %v", same.NamedAt, err)
		}
	}
	written := make(chan error)
	go func() { written <- store.WriteRepositories(t.Context(), f.pool, []store.Repository{newer}) }()
	for waits := 0; waits == 0; { // which it must
		f.check(f.pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waits))
	}
	f.check(holder.Rollback(t.Context()))
	f.check(<-written)
	if got := column[string](f, `SELECT name FROM repositories`); len(got) != 1 || got[0] != newer.Name {
		t.Errorf("it is called %q", got)
	}
}
