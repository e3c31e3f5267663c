package ngram

import (
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// gramNeed says which grams a frame must hold for a pattern to match in it: all of
// them, or some of them. The zero one says nothing.
type gramNeed struct {
	some   bool // one of all that follows is enough
	never  bool // nothing matches
	hashes []uint32
	needs  []gramNeed
}

// says tells whether there are frames that it rules out.
func (n gramNeed) says() bool { return n.never || len(n.hashes) > 0 || len(n.needs) > 0 }

func (n gramNeed) mayBeIn(f Filter) bool {
	if n.never {
		return false
	}
	for _, h := range n.hashes {
		if f.has(h) == n.some {
			return n.some
		}
	}
	for _, sub := range n.needs {
		if sub.mayBeIn(f) == n.some {
			return n.some
		}
	}
	return !n.some
}

// gramReader finds what an expression needs.
type gramReader struct {
	odd bool // k and s, if case does not count, may be other letters too
}

// of is what every match of the expression needs.
func (r gramReader) of(re *syntax.Regexp) gramNeed {
	if texts := r.exactly(re); texts != nil {
		return needOfTexts(texts)
	}
	switch re.Op {
	case syntax.OpNoMatch:
		return gramNeed{never: true}
	case syntax.OpLiteral:
		var n gramNeed
		for text := range strings.FieldsFuncSeq(string(re.Rune), r.apart(re)) {
			n.add(needOfTexts([]string{text}))
		}
		return n
	case syntax.OpCapture, syntax.OpPlus:
		return r.of(re.Sub[0])
	case syntax.OpAlternate:
		n := gramNeed{some: true}
		for _, sub := range re.Sub {
			need := r.of(sub)
			if !need.says() {
				return gramNeed{}
			}
			n.needs = append(n.needs, need)
		}
		return n
	case syntax.OpConcat:
		return r.ofConcat(re.Sub)
	}
	return gramNeed{}
}

// ofConcat is what expressions that follow each other need. Those that match but few
// texts are put together.
func (r gramReader) ofConcat(subs []*syntax.Regexp) (n gramNeed) {
	texts := []string{""}
	for _, sub := range subs {
		more := r.exactly(sub)
		joined := join(texts, more)
		if joined != nil {
			texts = joined
			continue
		}
		n.add(needOfTexts(texts))
		if texts = more; more == nil {
			n.add(r.of(sub))
			texts = []string{""}
		}
	}
	n.add(needOfTexts(texts))
	return n
}

// add adds what is needed too.
func (n *gramNeed) add(more gramNeed) {
	if more.says() {
		n.needs = append(n.needs, more)
	}
}

// mostExact bounds how many texts are told apart.
const mostExact = 16

// exactly are the only texts that the expression matches; nil, if they are not few.
func (r gramReader) exactly(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return []string{""}
	case syntax.OpLiteral:
		if text := string(re.Rune); !strings.ContainsFunc(text, r.apart(re)) {
			return []string{text}
		}
	case syntax.OpCharClass:
		var texts []string
		for i := 0; i < len(re.Rune); i += 2 {
			for c := re.Rune[i]; c <= re.Rune[i+1]; c++ {
				if len(texts) == mostExact || c == utf8.RuneError {
					return nil
				}
				texts = append(texts, string(c))
			}
		}
		return texts
	case syntax.OpCapture:
		return r.exactly(re.Sub[0])
	case syntax.OpQuest:
		if texts := r.exactly(re.Sub[0]); texts != nil && len(texts) < mostExact {
			return append([]string{""}, texts...)
		}
	case syntax.OpAlternate:
		var texts []string
		for _, sub := range re.Sub {
			more := r.exactly(sub)
			if more == nil || len(texts)+len(more) > mostExact {
				return nil
			}
			texts = append(texts, more...)
		}
		return texts
	case syntax.OpConcat:
		texts := []string{""}
		for _, sub := range re.Sub {
			if texts = join(texts, r.exactly(sub)); texts == nil {
				return nil
			}
		}
		return texts
	}
	return nil
}

// apart tells the characters of a literal that may be other bytes: one that stands for
// what is none, and, if case does not count, letters whose other case is not in ASCII.
func (r gramReader) apart(re *syntax.Regexp) func(rune) bool {
	return func(c rune) bool {
		if re.Flags&syntax.FoldCase == 0 {
			return c == utf8.RuneError
		}
		return c >= utf8.RuneSelf || r.odd && strings.ContainsRune("kKsS", c)
	}
}

// join are the texts of one list with those of another after them; nil, if they are
// not few.
func join(texts, more []string) []string {
	if len(more) == 0 || len(texts)*len(more) > mostExact {
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

// needOfTexts is that one of the texts is there, with its grams at even places, or those
// at odd ones.
func needOfTexts(texts []string) gramNeed {
	n := gramNeed{some: true}
	for _, text := range texts {
		if len(text) < gramBytes+1 {
			return gramNeed{}
		}
		var even, odd gramNeed
		for i := range len(text) - gramBytes + 1 {
			half := &even
			if i%2 == 1 {
				half = &odd
			}
			half.hashes = append(half.hashes, hashGram(gramOf(text[i:])))
		}
		n.needs = append(n.needs, even, odd)
	}
	return n
}
