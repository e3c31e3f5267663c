package joblog

import (
	"regexp/syntax"

	"github.com/google/codesearch/index"
)

// gramNeed says which runs of three bytes a frame must hold for a pattern to match in
// it: all of them, or some of them. The zero one says nothing.
type gramNeed struct {
	some   bool // one of all that follows is enough
	never  bool // nothing matches
	hashes []uint32
	needs  []gramNeed
}

// gramsOf finds them in an expression.
func gramsOf(tree *syntax.Regexp) gramNeed {
	if hasInvalid(tree) { // which matches other bytes than its own
		return gramNeed{}
	}
	return needOf(index.RegexpQuery(tree))
}

func needOf(q *index.Query) gramNeed {
	n := gramNeed{some: q.Op == index.QOr, never: q.Op == index.QNone}
	if q.Op == index.QAll {
		return n
	}
	for _, gram := range q.Trigram {
		v := uint64(gram[0]) | uint64(gram[1])<<8 | uint64(gram[2])<<16
		n.hashes = append(n.hashes, hashGram(uint32(lower(v))))
	}
	for _, sub := range q.Sub {
		n.needs = append(n.needs, needOf(sub))
	}
	return n
}

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
