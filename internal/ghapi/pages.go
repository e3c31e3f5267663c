package ghapi

import (
	"context"
	"iter"
	"net/http"
)

// maxPages bounds a listing whose Link header never ends.
const maxPages = 10_000

// pages asks for one page of a listing after the other. It follows the Link
// header, and never infers the last page from its size: some servers ignore
// per_page. Every page is decoded into a P of its own.
func pages[P any](ctx context.Context, c *Client, op string, first request) iter.Seq2[page[P], error] {
	return func(yield func(page[P], error) bool) {
		r := first
		for range maxPages {
			p := page[P]{}
			a, err := c.ask(ctx, op, r, &p.body)
			if err != nil {
				yield(page[P]{}, err)
				return
			}
			p.answer = a
			if !a.unchanged { // whose links lead to what the caller has
				if p.next, err = nextPage(a.header, c.rest.BaseURL); err != nil {
					yield(page[P]{}, &Error{Class: Transient, Op: op, Status: http.StatusOK, Message: err.Error()})
					return
				}
			}
			if !yield(p, nil) || p.next == "" {
				return
			}
			r = request{path: p.next}
		}
		yield(page[P]{}, &Error{Class: Transient, Op: op, Message: "the listing does not end"})
	}
}

// page is one page of a listing.
type page[P any] struct {
	answer
	body P
	next string // path of the next page; empty: there is none
}
