package ngram

import (
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// ngramQuery says which n-grams a frame must hold for a pattern to match in it. It is a
// tree of AND and OR: ("memdu" AND "mdump") OR ("emdum" AND "dump.") of the text memdump.
// with its full stop. The zero value fits every frame.
type ngramQuery struct {
	or     bool // any of hashes and subs is enough; false: all of them are needed
	never  bool // no frame fits: the expression matches nothing
	hashes []uint32
	subs   []ngramQuery
}

// restricts reports whether there are frames that the query rules out.
func (q ngramQuery) restricts() bool { return q.never || len(q.hashes) > 0 || len(q.subs) > 0 }

// mayMatch reports whether the frame with this filter fits the query.
func (q ngramQuery) mayMatch(f BloomFilter) bool {
	if q.never {
		return false
	}
	for _, h := range q.hashes {
		if f.has(h) == q.or {
			return q.or
		}
	}
	for _, sub := range q.subs {
		if sub.mayMatch(f) == q.or {
			return q.or
		}
	}
	return !q.or
}

// and adds a condition to a query that needs all of its own.
func (q *ngramQuery) and(more ngramQuery) {
	if more.restricts() {
		q.subs = append(q.subs, more)
	}
}

// queryBuilder makes the n-gram query of an expression.
type queryBuilder struct {
	nonASCIIFold bool // the frame has letters beyond ASCII that are k or s, if case does not count
}

// query returns what a frame must hold for the expression to match in it.
func (b queryBuilder) query(re *syntax.Regexp) ngramQuery {
	if exact := b.exactSet(re); exact != nil {
		return exact.query()
	}
	switch re.Op {
	case syntax.OpNoMatch:
		return ngramQuery{never: true}
	case syntax.OpLiteral:
		var q ngramQuery
		for part := range strings.FieldsFuncSeq(string(re.Rune), b.inexact(re)) {
			q.and(exactSet{part}.query())
		}
		return q
	case syntax.OpCapture, syntax.OpPlus:
		return b.query(re.Sub[0])
	case syntax.OpAlternate:
		return b.alternateQuery(re.Sub)
	case syntax.OpConcat:
		return b.concatQuery(re.Sub)
	}
	return ngramQuery{}
}

// alternateQuery returns the query of a|b: any one of the alternatives' queries. It is
// empty if the query of one alternative is.
func (b queryBuilder) alternateQuery(subs []*syntax.Regexp) ngramQuery {
	q := ngramQuery{or: true}
	for _, sub := range subs {
		need := b.query(sub)
		if !need.restricts() {
			return ngramQuery{}
		}
		q.subs = append(q.subs, need)
	}
	return q
}

// concatQuery returns the query of a concatenation: all of its parts' queries. Neighbours
// with exact sets are joined first, because n-grams may begin in one and end in another.
func (b queryBuilder) concatQuery(subs []*syntax.Regexp) (q ngramQuery) {
	joined := exactSet{""}
	for _, sub := range subs {
		exact := b.exactSet(sub)
		if longer := joined.cross(exact); longer != nil {
			joined = longer
			continue
		}
		q.and(joined.query())
		if joined = exact; exact == nil {
			q.and(b.query(sub))
			joined = exactSet{""}
		}
	}
	q.and(joined.query())
	return q
}

// inexact reports whether a filter may have a character of a literal as other bytes: one
// that stands for an invalid byte, or, if case does not count, one with a case that is
// not in ASCII.
func (b queryBuilder) inexact(re *syntax.Regexp) func(rune) bool {
	return func(c rune) bool {
		if re.Flags&syntax.FoldCase == 0 {
			return c == utf8.RuneError
		}
		return c >= utf8.RuneSelf || b.nonASCIIFold && strings.ContainsRune("kKsS", c)
	}
}
