package ngram

import (
	"bytes"
	"encoding/binary"
	"regexp/syntax"
	"strings"
	"sync"
	"unicode/utf8"
)

// requiredLiterals are texts of which at least one is in every line that a pattern
// matches: "error" and "panic" of (error|panic): .*. Looking for them is much faster than
// matching every line.
type requiredLiterals struct {
	list  [][]byte
	fold  bool                 // they are in lower case, and match upper-case ASCII letters too
	pairs [1 << 16 / 64]uint64 // a bit for each two bytes that are neighbours in one of them
}

// maxLiterals bounds them: with more, matching every line is as fast.
const maxLiterals = 4

// requiredLiteralsOf returns the required literals of an expression; nil if there are
// none, or too many.
func requiredLiteralsOf(tree *syntax.Regexp) *requiredLiterals {
	some, fold := needed(tree)
	if len(some) == 0 || len(some) > maxLiterals {
		return nil
	}
	t := &requiredLiterals{fold: fold}
	for _, s := range some {
		if fold {
			s = strings.Map(lowerASCII, s)
		}
		t.list = append(t.list, []byte(s))
		for i := range len(s) - 1 {
			pair := pairOf(s[i], s[i+1])
			t.pairs[pair/64] |= 1 << (pair % 64)
		}
	}
	return t
}

func pairOf(a, b byte) uint { return uint(a)<<8 | uint(b) }

// needed returns texts of which each match of the expression contains at least one; none
// if nothing is known. fold says that some of them are to be found in either case.
func needed(re *syntax.Regexp) (some []string, fold bool) {
	switch re.Op {
	case syntax.OpLiteral:
		if s := literal(re); s != "" {
			return []string{s}, re.Flags&syntax.FoldCase != 0
		}
	case syntax.OpCapture, syntax.OpPlus:
		return needed(re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if more, f := needed(sub); minLength(more) > minLength(some) {
				some, fold = more, f
			}
		}
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			more, f := needed(sub)
			if len(more) == 0 {
				return nil, false
			}
			some, fold = append(some, more...), fold || f
		}
	}
	return some, fold
}

// literal is the longest part of a literal that is found by comparing bytes, with
// ASCII letters of either case if case does not count: K and S are also other letters
// then, and so may be any that is not ASCII.
func literal(re *syntax.Regexp) string {
	whole := string(re.Rune)
	apart := func(r rune) bool { return r == utf8.RuneError }
	if re.Flags&syntax.FoldCase != 0 {
		apart = func(r rune) bool { return r >= utf8.RuneSelf || strings.ContainsRune("kKsS", r) }
	}
	longest := ""
	for part := range strings.FieldsFuncSeq(whole, apart) {
		if len(part) > len(longest) {
			longest = part
		}
	}
	return longest
}

func minLength(ss []string) int {
	n := 0
	for i, s := range ss {
		if i == 0 || len(s) < n {
			n = len(s)
		}
	}
	return n
}

func lowerASCII(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}

// literalScan looks for literals in a block.
type literalScan struct {
	*requiredLiterals
	block []byte
	lower *[]byte // of the pool
	hits  [maxLiterals]int
}

// lowered keeps the memory for blocks in lower case.
var lowered = sync.Pool{New: func() any { return new([]byte) }}

func (t *requiredLiterals) scan(block []byte) *literalScan {
	s := &literalScan{requiredLiterals: t, block: block}
	if t.fold {
		s.lower = lowered.Get().(*[]byte)
		*s.lower = appendLower((*s.lower)[:0], block)
		s.block = *s.lower
	}
	for i := range t.list {
		s.hits[i] = -1
	}
	return s
}

// next returns where the first literal begins at or after an offset; -1: nowhere. Offsets
// must not decrease from call to call.
func (s *literalScan) next(at int) int {
	first := -1
	for i, text := range s.list {
		if s.hits[i] < at {
			s.hits[i] = len(s.block)
			if n := bytes.Index(s.block[at:], text); n >= 0 {
				s.hits[i] = at + n
			}
		}
		if s.hits[i] < len(s.block) && (first < 0 || s.hits[i] < first) {
			first = s.hits[i]
		}
	}
	return first
}

// joined reports whether a literal might have the bytes before and after a part of the block
// as neighbours.
func (s *literalScan) joined(from, to int) bool {
	if from == 0 || to == len(s.block) {
		return false
	}
	pair := pairOf(s.block[from-1], s.block[to])
	return s.pairs[pair/64]&(1<<(pair%64)) != 0
}

func (s *literalScan) end() {
	if s.lower != nil {
		lowered.Put(s.lower)
	}
}

// appendLower appends p with its ASCII letters in lower case.
func appendLower(to, p []byte) []byte {
	i := 0
	for ; i+8 <= len(p); i += 8 {
		to = binary.LittleEndian.AppendUint64(to, lower(binary.LittleEndian.Uint64(p[i:])))
	}
	for _, c := range p[i:] {
		to = append(to, byte(lower(uint64(c))))
	}
	return to
}
