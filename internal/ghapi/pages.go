package ghapi

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
)

// maxPages bounds a listing whose Link header never ends.
const maxPages = 10_000

// pages asks for one page of a listing after the other. It follows the Link
// header, and never infers the last page from its size: some servers ignore
// per_page. Where there is no such header at all, it goes by number. Every page is
// decoded into a P of its own.
func pages[P any](ctx context.Context, c *Client, op string, first request) iter.Seq2[page[P], error] {
	return func(yield func(page[P], error) bool) {
		r, t := first, turner{first: first.path}
		for range maxPages {
			p := page[P]{}
			a, err := c.ask(ctx, op, r, &p.body)
			if err != nil {
				yield(page[P]{}, err)
				return
			}
			p.answer = a
			if l, ok := any(p.body).(counted); ok && !a.unchanged && !l.isList() {
				yield(page[P]{}, &Error{Class: Transient, Op: op, Status: http.StatusOK, Message: "the answer is no list"})
				return
			}
			if !a.unchanged { // whose links lead to what the caller has
				if p.next, err = nextPage(a.header, c.rest.BaseURL); err != nil {
					yield(page[P]{}, &Error{Class: Transient, Op: op, Status: http.StatusOK, Message: err.Error()})
					return
				}
				p.next = t.turn(p.header, p.next, p.body)
				c.pageSize.learn(p.body, p.next != "")
			}
			if !yield(p, nil) || p.next == "" {
				return
			}
			r = request{path: p.next}
		}
		yield(page[P]{}, &Error{Class: Transient, Op: op, Status: http.StatusOK, Message: "the listing does not end"})
	}
}

// page is one page of a listing.
type page[P any] struct {
	answer
	body P
	next string // path of the next page; empty: there is none
}

// counted is a page that says how many items it has, and all pages together.
type counted interface {
	count() (here, total int)
	isList() bool // false for an object of JSON that is something else: it has no items, and says nothing of how many there are
}

// orZero is a number, 0 if it is not told.
func orZero(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

// turner finds the next page of a listing for a server that sends no Link header and has
// pages all the same: Gitea before it sent one (1.24).
type turner struct {
	first  string // path of the first page
	pages  int
	items  int
	linked bool // there was a Link header
}

// turn returns the path of the page after one that was read: the one linked to, or the one
// with the next number while there are more items by the server's count.
func (t *turner) turn(h http.Header, linked string, body any) string {
	here, total := 0, 0
	if c, ok := body.(counted); ok {
		here, total = c.count()
	}
	t.pages++
	t.items += here
	t.linked = t.linked || h.Get("Link") != ""
	if linked != "" || t.linked || fromGitHub(h) || here == 0 || t.items >= total {
		return linked
	}
	separator := "?"
	if strings.Contains(t.first, "?") {
		separator = "&"
	}
	return t.first + separator + "page=" + strconv.Itoa(t.pages+1)
}

// fromGitHub tells an answer of GitHub's, which links to every page that there is.
func fromGitHub(h http.Header) bool { return h.Get("X-GitHub-Request-Id") != "" }

// maxPerPage is what is asked for: the most that GitHub gives.
const maxPerPage = 100

// pageSize knows how a server is asked for pages of a size. That GitHub's per_page is not
// enough is learned from any listing, and costs nothing; what else a server may read
// instead is sent beside it, so that one that is upgraded is asked right too.
type pageSize struct {
	limit atomic.Bool // also say limit, as Gitea reads it
}

// ask adds the size to a query.
func (s *pageSize) ask(q url.Values) string {
	if q == nil {
		q = url.Values{}
	}
	q.Set("per_page", strconv.Itoa(maxPerPage))
	if s.limit.Load() {
		q.Set("limit", strconv.Itoa(maxPerPage))
	}
	return q.Encode()
}

// learn notes a page with fewer items than were asked for, and more to come.
func (s *pageSize) learn(body any, more bool) {
	if c, ok := body.(counted); ok && more {
		if here, _ := c.count(); here > 0 && here < maxPerPage {
			s.limit.Store(true)
		}
	}
}
