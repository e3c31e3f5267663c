package ngram

import (
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// ngramQuery says which grams a frame must hold for a pattern to match in it: all of
// them, or some of them. The zero one says nothing.
type ngramQuery struct {
	or     bool // one of all that follows is enough
	never  bool // nothing matches
	hashes []uint32
	subs   []ngramQuery
}

// restricts tells whether there are frames that it rules out.
func (n ngramQuery) restricts() bool { return n.never || len(n.hashes) > 0 || len(n.subs) > 0 }

func (n ngramQuery) mayMatch(f BloomFilter) bool {
	if n.never {
		return false
	}
	for _, h := range n.hashes {
		if f.has(h) == n.or {
			return n.or
		}
	}
	for _, sub := range n.subs {
		if sub.mayMatch(f) == n.or {
			return n.or
		}
	}
	return !n.or
}

// queryBuilder finds what an expression needs.
type queryBuilder struct {
	nonASCIIFold bool // k and s, if case does not count, may be other letters too
}

// query is what every match query the expression needs.
func (r queryBuilder) query(re *syntax.Regexp) ngramQuery {
	if texts := r.exactSet(re); texts != nil {
		return setQuery(texts)
	}
	switch re.Op {
	case syntax.OpNoMatch:
		return ngramQuery{never: true}
	case syntax.OpLiteral:
		var n ngramQuery
		for text := range strings.FieldsFuncSeq(string(re.Rune), r.inexact(re)) {
			n.add(setQuery([]string{text}))
		}
		return n
	case syntax.OpCapture, syntax.OpPlus:
		return r.query(re.Sub[0])
	case syntax.OpAlternate:
		n := ngramQuery{or: true}
		for _, sub := range re.Sub {
			need := r.query(sub)
			if !need.restricts() {
				return ngramQuery{}
			}
			n.subs = append(n.subs, need)
		}
		return n
	case syntax.OpConcat:
		return r.concatQuery(re.Sub)
	}
	return ngramQuery{}
}

// concatQuery is what expressions that follow each other need. Those that match but few
// texts are put together.
func (r queryBuilder) concatQuery(subs []*syntax.Regexp) (n ngramQuery) {
	texts := []string{""}
	for _, sub := range subs {
		more := r.exactSet(sub)
		joined := join(texts, more)
		if joined != nil {
			texts = joined
			continue
		}
		n.add(setQuery(texts))
		if texts = more; more == nil {
			n.add(r.query(sub))
			texts = []string{""}
		}
	}
	n.add(setQuery(texts))
	return n
}

// add adds what is needed too.
func (n *ngramQuery) add(more ngramQuery) {
	if more.restricts() {
		n.subs = append(n.subs, more)
	}
}

// maxExact bounds how many texts are told apart.
const maxExact = 16

// exactSet are the only texts that the expression matches; nil, if they are not few.
func (r queryBuilder) exactSet(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return []string{""}
	case syntax.OpLiteral:
		if text := string(re.Rune); !strings.ContainsFunc(text, r.inexact(re)) {
			return []string{text}
		}
	case syntax.OpCharClass:
		var texts []string
		for i := 0; i < len(re.Rune); i += 2 {
			for c := re.Rune[i]; c <= re.Rune[i+1]; c++ {
				if len(texts) == maxExact || c == utf8.RuneError {
					return nil
				}
				texts = append(texts, string(c))
			}
		}
		return texts
	case syntax.OpCapture:
		return r.exactSet(re.Sub[0])
	case syntax.OpQuest:
		if texts := r.exactSet(re.Sub[0]); texts != nil && len(texts) < maxExact {
			return append([]string{""}, texts...)
		}
	case syntax.OpAlternate:
		var texts []string
		for _, sub := range re.Sub {
			more := r.exactSet(sub)
			if more == nil || len(texts)+len(more) > maxExact {
				return nil
			}
			texts = append(texts, more...)
		}
		return texts
	case syntax.OpConcat:
		texts := []string{""}
		for _, sub := range re.Sub {
			if texts = join(texts, r.exactSet(sub)); texts == nil {
				return nil
			}
		}
		return texts
	}
	return nil
}

// inexact tells the characters of a literal that may be other bytes: one that stands for
// what is none, and, if case does not count, letters whose other case is not in ASCII.
func (r queryBuilder) inexact(re *syntax.Regexp) func(rune) bool {
	return func(c rune) bool {
		if re.Flags&syntax.FoldCase == 0 {
			return c == utf8.RuneError
		}
		return c >= utf8.RuneSelf || r.nonASCIIFold && strings.ContainsRune("kKsS", c)
	}
}

// join are the texts of one list with those of another after them; nil, if they are
// not few.
func join(texts, more []string) []string {
	if len(more) == 0 || len(texts)*len(more) > maxExact {
		return nil
	}
	joined := make([]string, 0, len(texts)*len(more))
	for _, a := range texts {
		for _, b := range more {
			joined = append(joined, a+b)
		}
	}
	return joined
}

// setQuery is that one of the texts is there, with its grams at even places, or those
// at odd ones.
func setQuery(texts []string) ngramQuery {
	n := ngramQuery{or: true}
	for _, text := range texts {
		if len(text) < ngramBytes+1 {
			return ngramQuery{}
		}
		var even, odd ngramQuery
		for i := range len(text) - ngramBytes + 1 {
			half := &even
			if i%2 == 1 {
				half = &odd
			}
			half.hashes = append(half.hashes, hashNgram(ngramOf(text[i:])))
		}
		n.subs = append(n.subs, even, odd)
	}
	return n
}
