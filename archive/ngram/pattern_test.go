package ngram

import (
	"regexp/syntax"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/internal/growth"
)

// An expression that becomes too large is refused before it is compiled, however
// short it is as it is written.
func TestPatternsAreBoundedWithTheirRepetitions(t *testing.T) {
	for _, c := range []struct {
		pattern string
		fits    bool
	}{
		{"(?:" + strings.Repeat(".", maxProgram/100) + "){99}", true},
		{"(?:" + strings.Repeat(".", maxProgram/100) + "){100}", true},
		{"(?:" + strings.Repeat(".", maxProgram/100) + "){100}.", false},
		{"(?:" + strings.Repeat("[ab]?", 500) + "){1,900}x", false},
		{strings.Repeat(`\pL{0,1000}`, 300), false},
		{`(a{1,30}){1,33}`, true},
		{strings.Repeat("a", maxPattern), true},
		{strings.Repeat("a", maxPattern+1), false},
		{strings.Repeat("(", 990) + strings.Repeat(")", 990), true},
		{`\b\w{5,500}@\w{5,400}\b`, true},
		{`(?i)error|warning|fatal|panic`, true},
	} {
		begun := time.Now()
		p, err := ParsePattern(c.pattern, PatternOptions{})
		if (err == nil) != c.fits {
			t.Errorf("%.40s: %v", c.pattern, err)
		}
		if err == nil {
			p.Match([]byte(strings.Repeat("ab", 50)))
		}
		growth.Within(t, begun, len(c.pattern))
	}
}

// What is told of an expression's size is near what it is compiled to.
func TestProgramSizeIsThatOfTheProgram(t *testing.T) {
	for _, pattern := range []string{"a", "abc", "a|b|cd", "(a?b?){500}", "[a-z]{3,40}x*", `(?i)k+(s|t){2,}`, "((a{2}){3}){4}", `\b(foo|bar)\b`, "a{0}", "()*"} {
		tree, err := syntax.Parse(pattern, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		size := programSize(tree)
		program, err := syntax.Compile(tree.Simplify())
		if err != nil {
			t.Fatal(err)
		}
		// Captures, jumps and the frame of it come to that; no more than twice as much.
		if n := len(program.Inst); n > 2*size+8 || size > 2*n+8 {
			t.Errorf("%s: told %d, compiled to %d", pattern, size, n)
		}
	}
}

// FuzzPattern: whatever somebody searches for is refused or matched, in time.
func FuzzPattern(f *testing.F) {
	for _, s := range []string{"a{1000}", "(a|b)*c", "(?i)[^k]{0,500}s", "x{2}{3}", "(", "\\1", "(?=a)", "a\nb", "\\pL+", "\xff", "\\12", "c\\r", "3\\n2026"} {
		f.Add(s, false, false)
		f.Add(s, true, true)
	}
	text := []byte(strings.Repeat("2026-03-01T12:00:00.0000000Z the quick brown fox: abk xyz \xff é 123\n2026-03-01T12:00:00.0000000Z abc\r\n", 10))
	f.Fuzz(func(t *testing.T, s string, fixed, ignoreCase bool) {
		defer growth.Within(t, time.Now(), len(s)+len(text))
		p, err := ParsePattern(s, PatternOptions{Fixed: fixed, IgnoreCase: ignoreCase})
		if err != nil {
			if len(err.Error()) > 2*maxPattern {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if err := p.Each(text, false, func(start, end int) error {
			if _, line := joblog.SplitLine(text[start:end]); !p.Match(line) {
				t.Errorf("%q found %q, which it does not match", s, line)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
}
