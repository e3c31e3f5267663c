package githubsim

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// page is the slice of a list that a request asks for.
type page struct {
	number, last int
	from, to     int // indexes
}

// pageOf reads page and per_page, or what a Gitea has instead: 30 by default, 100 at most,
// and what cannot be read counts as not given.
func (s *Server) pageOf(r *http.Request, total int) page {
	size := s.perPage(r)
	number, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || number < 1 {
		number = 1
	}
	last := max(1, (total+size-1)/size)
	from := total
	if number <= last {
		from = (number - 1) * size
	}
	return page{number: number, last: last, from: from, to: min(total, from+size)}
}

// linkTo is one link of a Link header. target is the list's URL without its query, which
// is kept.
func linkTo(target string, r *http.Request, rel string, number int) string {
	q, _ := url.ParseQuery(r.URL.RawQuery)
	q.Set("page", strconv.Itoa(number))
	return fmt.Sprintf("<%s?%s>; rel=%q", target, q.Encode(), rel)
}

// setLinks tells of a list's other pages, of total in all. A Gitea's are as they were asked
// for.
func (s *Server) setLinks(c *call, p page, target string, total int) {
	if s.o.Gitea {
		p.setGiteaLinks(c.w.Header(), s.urlOf(c.r), c.r, total, s.has())
		return
	}
	p.setLink(c.w.Header(), target, c.r)
}

// setLink sets the Link header with the relations in GitHub's order.
func (p page) setLink(h http.Header, target string, r *http.Request) {
	var links []string
	add := func(rel string, number int) { links = append(links, linkTo(target, r, rel, number)) }
	if p.number > 1 {
		add("prev", min(p.number-1, p.last))
	}
	if p.number < p.last {
		add("next", p.number+1)
		add("last", p.last)
	}
	if p.number > 1 {
		add("first", 1)
	}
	if len(links) > 0 {
		h.Set("Link", strings.Join(links, ", "))
	}
}
