package store_test

import (
	"testing"

	"github.com/jobvault/jobvault/store"
)

func TestRepositoryPatterns(t *testing.T) {
	for _, c := range []struct {
		patterns string
		yes, no  []string
	}{
		{"*", []string{"acme/rocket", "a/b"}, nil},
		{"acme/*", []string{"acme/rocket", "ACME/x"}, []string{"other/rocket", "acme-labs/x"}},
		{"acme/*,!acme/secret", []string{"acme/rocket"}, []string{"acme/secret", "Acme/Secret"}},
		{"!acme/secret*", []string{"acme/rocket", "x/y"}, []string{"acme/secret-2"}},
		{"acme/*, !acme/*-private, acme/not-so-private", []string{"acme/x", "acme/not-so-private"}, []string{"acme/very-private"}},
		{"acme/rocket", []string{"acme/rocket"}, []string{"acme/rocket2"}},
	} {
		ps, err := store.ParseRepositories(c.patterns)
		if err != nil {
			t.Errorf("%q: %v", c.patterns, err)
		}
		for _, name := range c.yes {
			if !ps.MatchRepository(name) {
				t.Errorf("%q does not select %s", c.patterns, name)
			}
		}
		for _, name := range c.no {
			if ps.MatchRepository(name) {
				t.Errorf("%q selects %s", c.patterns, name)
			}
		}
	}
	for _, bad := range []string{"", "acme", "acme/a/b", "acme/[", "acme/*,", "!"} {
		if _, err := store.ParseRepositories(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// Names of branches have slashes, and names of workflows anything.
func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		patterns string
		yes, no  []string
	}{
		{"*", []string{"main", "release/1.0", ""}, nil},
		{"main", []string{"main"}, []string{"Main", "main2", ""}},
		{"release/*", []string{"release/1.0"}, []string{"release", "release/1/2", "main"}},
		{"!main", []string{"release/1.0", "Main", ""}, []string{"main"}},
		{"!release/*, release/1.0", []string{"main", "release/1.0"}, []string{"release/2.0"}},
		{"success,failure", []string{"success", "failure"}, []string{"cancelled", ""}},
		{"CI / build?", []string{"CI / build2"}, []string{"CI / build"}},
	} {
		ps, err := store.ParsePatterns(c.patterns)
		if err != nil {
			t.Errorf("%q: %v", c.patterns, err)
		}
		for _, name := range c.yes {
			if !ps.Match(name) {
				t.Errorf("%q does not select %q", c.patterns, name)
			}
		}
		for _, name := range c.no {
			if ps.Match(name) {
				t.Errorf("%q selects %q", c.patterns, name)
			}
		}
	}
	for _, bad := range []string{"", "a,", "!", "[", "a,!["} {
		if _, err := store.ParsePatterns(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
