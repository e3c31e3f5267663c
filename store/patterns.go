package store

import (
	"errors"
	"path"
	"strings"
)

// Patterns select names. The last pattern that matches a name decides; one that begins
// with '!' excludes.
type Patterns []pattern

type pattern struct {
	exclude bool
	glob    string
}

// everything is the pattern of every name; path.Match's '*' stops at a '/'.
const everything = "*"

// ErrPatterns says that patterns cannot be read.
var ErrPatterns = errors.New("want patterns such as release/*,!release/old")

// ErrRepositoryPatterns says that patterns of repositories cannot be read.
var ErrRepositoryPatterns = errors.New("want patterns such as acme/*,!acme/secret")

// ParsePatterns reads patterns such as "release/*,!release/old". "*" alone matches every
// name; within a pattern it does not match '/'. A list that only excludes selects all
// other names.
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

// ParseRepositories reads patterns of OWNER/NAME, such as "acme/*,!acme/secret", in lower
// case, for MatchRepository. "*" alone matches every repository.
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

// Match says whether the patterns select a name, whose case counts.
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

// MatchRepository says whether patterns of ParseRepositories select OWNER/NAME, whose
// case does not count.
func (ps Patterns) MatchRepository(fullName string) bool { return ps.Match(strings.ToLower(fullName)) }

// Named returns the owners of whom the patterns select everything, and the repositories
// that they select by their whole name. Exclusions are not applied: match the results.
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
