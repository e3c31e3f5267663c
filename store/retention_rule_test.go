package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/store"
)

func (f *fixture) addRule(name string, at int) (int64, error) {
	r, err := f.db.AddRetentionRule(f.t.Context(), store.RetentionRule{Position: at, Branch: &name, CreatedBy: "ada", CreatedAt: day})
	return r.ID, err
}

// order is the rules' branches, by their places, which have no gaps.
func (f *fixture) order() []string {
	f.t.Helper()
	rules, err := f.db.RetentionRules(f.t.Context())
	f.check(err)
	var names []string
	for i, r := range rules {
		if r.Position != i+1 {
			f.t.Errorf("rule %s is at %d, want %d", *r.Branch, r.Position, i+1)
		}
		names = append(names, *r.Branch)
	}
	return names
}

func TestRulesHaveAnOrder(t *testing.T) {
	f := newFixture(t)
	ids := make(map[string]int64)
	for _, step := range []struct {
		name string
		at   int
		want []string
	}{
		{"a", 0, []string{"a"}}, {"b", 0, []string{"a", "b"}}, {"c", 1, []string{"c", "a", "b"}},
		{"d", 2, []string{"c", "d", "a", "b"}}, {"e", 5, []string{"c", "d", "a", "b", "e"}},
	} {
		id, err := f.addRule(step.name, step.at)
		f.check(err)
		ids[step.name] = id
		if diff := cmp.Diff(step.want, f.order()); diff != "" {
			t.Errorf("%s at %d (-want +got):\n%s", step.name, step.at, diff)
		}
	}
	for _, at := range []int{-1, 7} {
		if _, err := f.addRule("x", at); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("at %d: %v, want ErrNotFound", at, err)
		}
	}
	if _, err := f.addRule("[", 0); !errors.Is(err, store.ErrPatterns) {
		t.Errorf("a bad pattern: %v", err)
	}
	f.check(f.db.DeleteRetentionRule(t.Context(), ids["d"]))
	if err := f.db.DeleteRetentionRule(t.Context(), ids["d"]); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	if diff := cmp.Diff([]string{"c", "a", "b", "e"}, f.order()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRulesAddedAtOnce(t *testing.T) {
	f := newFixture(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := f.addRule(fmt.Sprint(i), i%2); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(f.order()); n != 8 {
		t.Errorf("%d rules, want 8", n)
	}
}
