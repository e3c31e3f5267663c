package githubsim

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Features are in what a Gitea answers like GitHub, or unlike other Giteas. The zero value
// is the one whose traffic was recorded: it lists 30 a page whatever per_page says, and
// knows neither created nor filter=all, nor ETags.
type Features struct {
	Created   bool // runs are listed by the filter created, all that it finds
	PerPage   bool // per_page is read as limit is
	FilterAll bool // filter=all lists the jobs of all attempts
	ETag      bool // answers have one, and If-None-Match is heeded
	RunTimes  bool // runs have created_at and updated_at
	NoLinks   bool // no Link header, as of 1.24: pages are there all the same
	MaxPage   int  // the most that a page has; 0: 50
}

// SetFeatures changes a Gitea while it runs, as an upgrade does.
func (s *Server) SetFeatures(f Features) { s.features.Store(&f) }

// has are a server's features: GitHub's, unless it is a Gitea.
func (s *Server) has() Features {
	if !s.o.Gitea {
		return Features{Created: true, PerPage: true, FilterAll: true, ETag: true, RunTimes: true, MaxPage: 100}
	}
	return *s.features.Load()
}

// defaultPage is how many a page has if nothing is said.
const defaultPage = 30

// perPage is how many a page has that is asked for. What cannot be read counts as not
// given.
func (s *Server) perPage(r *http.Request) int {
	names, most := []string{"per_page"}, 100
	if s.o.Gitea {
		names, most = []string{"limit"}, 50
		if s.has().PerPage {
			names = append(names, "per_page")
		}
	}
	if s.has().MaxPage > 0 {
		most = s.has().MaxPage
	}
	for _, name := range names {
		if size, err := strconv.Atoi(r.URL.Query().Get(name)); err == nil && size > 0 {
			return min(size, most)
		}
	}
	return min(defaultPage, most)
}

// setGiteaLinks is setLink with the relations in Gitea's order. It counts all beside.
func (p page) setGiteaLinks(h http.Header, target string, r *http.Request, total int, f Features) {
	h.Set("X-Total-Count", strconv.Itoa(total))
	if f.NoLinks {
		return
	}
	var links []string
	if p.number < p.last {
		links = append(links, linkTo(target, r, "next", p.number+1), linkTo(target, r, "last", p.last))
	}
	if p.number > 1 {
		links = append(links, linkTo(target, r, "first", 1), linkTo(target, r, "prev", min(p.number-1, p.last)))
	}
	if len(links) > 0 {
		h.Set("Link", strings.Join(links, ","))
	}
}

// inGiteasOrder are runs by their ids, the newest first.
func inGiteasOrder(runs []*run) []*run {
	sorted := slices.Clone(runs)
	slices.SortFunc(sorted, func(a, b *run) int { return cmp.Compare(b.first.RunID, a.first.RunID) })
	return sorted
}

// setGiteaHeaders are what every answer of a Gitea has.
func setGiteaHeaders(h http.Header) {
	h.Set("Cache-Control", "max-age=0, private, must-revalidate, no-transform")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "SAMEORIGIN")
}

// giteaError is an error in Gitea's form.
func giteaError(message string) object {
	return object{{"message", message}, {"url", giteaHost + "/api/swagger"}}
}
