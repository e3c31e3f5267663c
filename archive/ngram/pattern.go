// Package ngram says which frames of a log a pattern cannot match in, and finds the lines
// that match in the others.
//
// When a log is archived, each of its frames gets a small bloom filter of its n-grams, runs
// of five bytes in lower case. When it is searched, the pattern becomes a query of n-grams
// that every match needs. The expression memdump\.(py|sh) matches two texts, and its query is
//
//	"memdu" AND "mdump" AND "ump.p"  OR  "emdum" AND "dump." AND "mp.py"    of memdump.py
//	OR
//	"memdu" AND "mdump" AND "ump.s"  OR  "emdum" AND "dump." AND "mp.sh"    of memdump.sh
//
// with two ways for each text, as a filter has only the n-grams at even places of a line.
// Frames whose filter does not fit the query are not read: in a log of 40 frames with
// "memdump.py" in frame 7, that one is, and about two more, as a bloom filter may say yes
// to what is not there. In the frames that are read, the literal "memdump.", which every
// match has, is looked for, and the expression is matched only in lines that have it.
// See docs/design.md#search.
package ngram

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// Pattern is what the lines of logs are searched for. A line is looked at without its
// timestamp, byte order mark and line end, and as people see it: at the VisibleText of its
// text, as package joblog gives these. With PatternOptions.Raw it is the text itself.
type Pattern struct {
	re        *regexp.Regexp
	literal   []byte            // the text to find, if the pattern is nothing else
	plain     bool              // literal is set, and has no ESC, unless bytes are looked at
	literals  *requiredLiterals // nil: no text has to be in the lines that match
	query     ngramQuery        // of the frames in which those lines begin
	foldQuery ngramQuery        // the same for frames with a NonASCIIFold
	inverse   bool
	raw       bool
}

// PatternOptions say how a pattern is read. The zero value stands for a case-sensitive
// expression, and selects the lines that match.
type PatternOptions struct {
	Fixed      bool // the pattern is a literal text, not an expression
	IgnoreCase bool // letters match both of their cases, and what Unicode folds to them
	Inverse    bool // the lines that do not match are wanted
	Raw        bool // lines are looked at with their escape sequences and all that was written over
}

// maxPattern bounds a pattern, in bytes.
const maxPattern = 4096

// maxProgram bounds what an expression becomes when it is matched, in instructions:
// (a?b?){500} has 2,000. Each may have to be looked at for each byte of a text, so that
// without a bound ten characters could keep a processor busy for minutes with one line.
const maxProgram = 5000

// ParsePattern reads an expression in the syntax of RE2, which takes time in
// proportion to the text and to the expression's own size with its repetitions, which
// is bounded. Of one with several lines, each is an alternative.
func ParsePattern(s string, o PatternOptions) (*Pattern, error) {
	if len(s) > maxPattern {
		return nil, fmt.Errorf("a pattern of %d bytes: at most %d", len(s), maxPattern)
	}
	alternatives := strings.Split(s, "\n")
	for i, a := range alternatives {
		if o.Fixed {
			a = regexp.QuoteMeta(a)
		} else if _, err := syntax.Parse(a, syntax.Perl); err != nil {
			return nil, explain(err)
		}
		alternatives[i] = "(?:" + a + ")"
	}
	s = strings.Join(alternatives, "|")
	if o.IgnoreCase {
		s = "(?i)" + s
	}
	tree, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return nil, explain(err)
	}
	if programSize(tree) > maxProgram {
		return nil, fmt.Errorf("with its repetitions the pattern has more than %d parts", maxProgram)
	}
	p := &Pattern{inverse: o.Inverse, raw: o.Raw}
	if p.re, err = regexp.Compile(s); err != nil {
		return nil, explain(err)
	}
	tree = tree.Simplify()
	if !o.Inverse {
		p.literals = requiredLiteralsOf(tree)
		p.query, p.foldQuery = queryBuilder{}.query(tree), queryBuilder{nonASCIIFold: true}.query(tree)
	}
	if tree.Op == syntax.OpLiteral && tree.Flags&syntax.FoldCase == 0 && !slices.Contains(tree.Rune, utf8.RuneError) {
		p.literal = []byte(string(tree.Rune))
		p.plain = p.raw || !slices.Contains(tree.Rune, 0x1b)
	}
	return p, nil
}

// programSize estimates how many instructions an expression compiles to; any result above
// maxProgram just means too many. It does not compile the expression, because that might
// take long.
func programSize(re *syntax.Regexp) int {
	size := 1
	switch re.Op {
	case syntax.OpLiteral:
		size = len(re.Rune)
	case syntax.OpConcat, syntax.OpAlternate:
		size = 0
	}
	for _, sub := range re.Sub {
		if size += programSize(sub); size > maxProgram {
			return size
		}
	}
	if re.Op == syntax.OpRepeat {
		size = (size - 1) * max(re.Min, re.Max, 1) // which are 1000 at most
	}
	return size
}

// explain says what is wrong with an expression, and what RE2 does not have.
func explain(err error) error {
	var e *syntax.Error
	if !errors.As(err, &e) {
		return err
	}
	switch {
	case e.Code == syntax.ErrInvalidEscape && len(e.Expr) == 2 && e.Expr[1] >= '1' && e.Expr[1] <= '9':
		return fmt.Errorf("%s: RE2 has no references to groups", e.Expr)
	case e.Code == syntax.ErrInvalidPerlOp && strings.HasPrefix(e.Expr, "(?"):
		return fmt.Errorf("%s: RE2 has no such group; it looks neither ahead nor behind", e.Expr)
	}
	return fmt.Errorf("%s: %s", e.Code, e.Expr)
}

// Match reports whether a line is wanted of which this is looked at.
func (p *Pattern) Match(text []byte) bool {
	if p.literal != nil {
		return bytes.Contains(text, p.literal) != p.inverse
	}
	return p.re.Match(text) != p.inverse
}

// Raw reports whether the bytes of lines are looked at, instead of their visible text.
func (p *Pattern) Raw() bool { return p.raw }

// Find returns where in what is looked at of a line the pattern matches: at most limit
// pairs of start and end, all if limit is negative, and none if the pattern is inverse.
func (p *Pattern) Find(text []byte, limit int) [][]int {
	if p.inverse {
		return nil
	}
	return p.re.FindAllIndex(text, limit)
}

// Selective reports whether MayBeIn can rule out any frame.
func (p *Pattern) Selective() bool { return p.query.restricts() }

// MayBeIn reports whether the pattern may match a line that begins in the frame with this
// filter. It is never false for a frame with a match.
func (p *Pattern) MayBeIn(f BloomFilter) bool {
	switch {
	case len(f.Bits) == 0:
		return false
	case f.RawOnly && !p.raw:
		return true
	case f.NonASCIIFold:
		return p.foldQuery.mayMatch(f)
	}
	return p.query.mayMatch(f)
}
