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

// pageOf reads page and per_page: 30 by default, 100 at most, and what cannot be
// read counts as not given.
func pageOf(r *http.Request, total int) page {
	size := perPage(r)
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

func perPage(r *http.Request) int {
	name := "per_page"
	if strings.HasPrefix(r.RequestURI, "/api/v1/") {
		name = "limit" // of a Gitea
	}
	size, err := strconv.Atoi(r.URL.Query().Get(name))
	if err != nil || size < 1 {
		return 30
	}
	return min(size, 100)
}

// setLink sets the Link header with the relations in GitHub's order. target is
// the list's URL without its query, which is kept.
func (p page) setLink(h http.Header, target string, r *http.Request) {
	var links []string
	add := func(rel string, number int) {
		q, _ := url.ParseQuery(r.URL.RawQuery)
		q.Set("page", strconv.Itoa(number))
		links = append(links, fmt.Sprintf("<%s?%s>; rel=%q", target, q.Encode(), rel))
	}
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
