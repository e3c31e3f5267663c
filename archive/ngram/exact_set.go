package ngram

import (
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// exactSet are the only texts that an expression matches: "abd" and "acd" of a[bc]d. It
// is nil if there are more than maxExact of them, or they are not known.
type exactSet []string

// maxExact bounds an exactSet.
const maxExact = 16

// exactSet finds the texts that the expression matches.
func (b queryBuilder) exactSet(re *syntax.Regexp) exactSet {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return exactSet{""}
	case syntax.OpLiteral:
		if text := string(re.Rune); !strings.ContainsFunc(text, b.inexact(re)) {
			return exactSet{text}
		}
		return nil
	case syntax.OpCharClass:
		return exactClass(re.Rune)
	case syntax.OpCapture:
		return b.exactSet(re.Sub[0])
	case syntax.OpQuest:
		return exactSet{""}.union(b.exactSet(re.Sub[0]))
	case syntax.OpAlternate:
		return b.combine(re.Sub, exactSet.union)
	case syntax.OpConcat:
		return b.combine(re.Sub, exactSet.cross)
	}
	return nil
}

// combine combines the sets of expressions, at least one, by an operation on two sets.
func (b queryBuilder) combine(subs []*syntax.Regexp, with func(exactSet, exactSet) exactSet) exactSet {
	all := b.exactSet(subs[0])
	for _, sub := range subs[1:] {
		if all == nil {
			return nil
		}
		all = with(all, b.exactSet(sub))
	}
	return all
}

// exactClass returns the characters of a class, which is given as pairs of the first and
// the last character of a range.
func exactClass(ranges []rune) exactSet {
	var all exactSet
	for i := 0; i < len(ranges); i += 2 {
		for c := ranges[i]; c <= ranges[i+1]; c++ {
			if len(all) == maxExact || c == utf8.RuneError {
				return nil
			}
			all = append(all, string(c))
		}
	}
	return all
}

// union returns the texts of both sets.
func (s exactSet) union(other exactSet) exactSet {
	if s == nil || other == nil || len(s)+len(other) > maxExact {
		return nil
	}
	return append(s[:len(s):len(s)], other...)
}

// cross returns each text of one set followed by each text of the other.
func (s exactSet) cross(other exactSet) exactSet {
	if s == nil || other == nil || len(s)*len(other) > maxExact {
		return nil
	}
	all := make(exactSet, 0, len(s)*len(other))
	for _, first := range s {
		for _, second := range other {
			all = append(all, first+second)
		}
	}
	return all
}

// query requires that one of the texts is there. Of a text, a filter has the n-grams at
// even places or those at odd ones, depending on where in its line it begins. A text that
// is too short to have both may be anywhere.
func (s exactSet) query() ngramQuery {
	q := ngramQuery{or: true}
	for _, text := range s {
		if len(text) < ngramBytes+1 {
			return ngramQuery{}
		}
		var places [2]ngramQuery
		for i := range len(text) - ngramBytes + 1 {
			p := &places[i%2]
			p.hashes = append(p.hashes, hashNgram(ngramOf(text[i:])))
		}
		q.subs = append(q.subs, places[0], places[1])
	}
	return q
}
