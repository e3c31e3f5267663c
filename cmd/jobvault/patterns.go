package main

import (
	"path"
	"strings"

	"github.com/jobvault/jobvault/ingest"
)

// patterns say which repositories are archived. The last pattern that fits
// decides; one that begins with '!' excludes.
type patterns []pattern

type pattern struct {
	exclude bool
	glob    string
}

// parsePatterns reads patterns such as "acme/*,!acme/secret". "*" alone is every
// repository. A list of exclusions only begins with every repository.
func parsePatterns(s string) (patterns, error) {
	var ps patterns
	for text := range strings.SplitSeq(s, ",") {
		text = strings.ToLower(strings.TrimSpace(text))
		glob, exclude := strings.CutPrefix(text, "!")
		if glob == "*" {
			glob = "*/*"
		}
		if _, err := path.Match(glob, ""); err != nil || strings.Count(glob, "/") != 1 {
			return nil, badSetting("JOBVAULT_REPOSITORIES", s, "want patterns such as acme/*,!acme/secret")
		}
		if exclude && len(ps) == 0 {
			ps = append(ps, pattern{glob: "*/*"})
		}
		ps = append(ps, pattern{exclude: exclude, glob: glob})
	}
	return ps, nil
}

// named are the repositories and owners that the patterns name outright. What an
// exclusion names is left out when it is matched.
func (ps patterns) named() ingest.Named {
	var n ingest.Named
	for _, p := range ps {
		owner, name, _ := strings.Cut(p.glob, "/")
		switch {
		case p.exclude || strings.ContainsAny(owner, `*?[\`):
		case name == "*":
			n.Owners = append(n.Owners, owner)
		case !strings.ContainsAny(name, `*?[\`):
			n.Repositories = append(n.Repositories, p.glob)
		}
	}
	return n
}

// match tells whether the repository OWNER/NAME is archived.
func (ps patterns) match(fullName string) bool {
	fullName = strings.ToLower(fullName)
	selected := false
	for _, p := range ps {
		if ok, _ := path.Match(p.glob, fullName); ok {
			selected = !p.exclude
		}
	}
	return selected
}
