package store

import (
	"errors"
	"path"
	"strings"
)

// Patterns select names. The last one that fits decides; one that begins with '!'
// excludes.
type Patterns []pattern

type pattern struct {
	exclude bool
	glob    string
}

// everything is the pattern of every name; path.Match's '*' stops at a '/'.
const everything = "*"

// ErrPatterns says that patterns cannot be read.
var ErrPatterns = errors.New("want patterns such as release/*,!release/old")

// ErrRepositoryPatterns says so of those of repositories.
var ErrRepositoryPatterns = errors.New("want patterns such as acme/*,!acme/secret")

// ParsePatterns reads patterns such as "release/*,!release/old". "*" alone is every
// name; within a pattern it stops at a '/'. A list of exclusions only begins with
// every name.
func ParsePatterns(s string) (Patterns, error) {
	var ps Patterns
	for text := range strings.SplitSeq(s, ",") {
		glob, exclude := strings.CutPrefix(strings.TrimSpace(text), "!")
		if _, err := path.Match(glob, ""); err != nil || glob == "" {
			return nil, ErrPatterns
		}
		if exclude && len(ps) == 0 {
			ps = append(ps, pattern{glob: everything})
		}
		ps = append(ps, pattern{exclude: exclude, glob: glob})
	}
	return ps, nil
}

// ParseRepositories reads patterns of OWNER/NAME, such as "acme/*,!acme/secret", and
// makes them lower case: names are matched so. "*" alone is every repository.
func ParseRepositories(s string) (Patterns, error) {
	ps, err := ParsePatterns(strings.ToLower(s))
	if err != nil {
		return nil, ErrRepositoryPatterns
	}
	for _, p := range ps {
		if p.glob != everything && strings.Count(p.glob, "/") != 1 {
			return nil, ErrRepositoryPatterns
		}
	}
	return ps, nil
}

// Match tells whether the patterns select a name as it is.
func (ps Patterns) Match(name string) bool {
	selected := false
	for _, p := range ps {
		ok := p.glob == everything
		if !ok {
			ok, _ = path.Match(p.glob, name)
		}
		if ok {
			selected = !p.exclude
		}
	}
	return selected
}

// MatchRepository tells whether patterns of ParseRepositories select OWNER/NAME.
func (ps Patterns) MatchRepository(fullName string) bool { return ps.Match(strings.ToLower(fullName)) }

// Named are the owners of whom the patterns name everything, and the repositories
// that they name outright. What an exclusion names is left out when it is matched.
func (ps Patterns) Named() (owners, repositories []string) {
	for _, p := range ps {
		owner, name, _ := strings.Cut(p.glob, "/")
		switch {
		case p.exclude || strings.ContainsAny(owner, `*?[\`):
		case name == "*":
			owners = append(owners, owner)
		case !strings.ContainsAny(name, `*?[\`):
			repositories = append(repositories, p.glob)
		}
	}
	return owners, repositories
}
