package ngram

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/archive/joblog"
)

// isPlain reports whether no line has a control.
func isPlain(lines []byte) bool {
	for line := range bytes.Lines(lines) {
		if bytes.ContainsAny(joblog.ParseLine(line).Text, "\x1b\b\r") {
			return false
		}
	}
	return true
}

// Lines are found by what is seen of them, wherever colours and other controls part what is
// looked for, or hold it.
func TestLinesAreFoundAsTheyAreSeen(t *testing.T) {
	t.Parallel()
	parts := []string{
		"a", "b", "ab", "b\x1b[31ma", "a\x1b[0m\x1b[1mb", "\xc3\x1b[m\xa9", "m", "31m", "0", "[", ";", " ", "é", "\xc3", "\xa9", "\x1b[31m", "\x1b[0m", "\x1b[m", "\x1b[1;36m", "\x1b[", "\x1b", "\r", "\b", "\x1b[2K", "\x1b[3D",
		"\x1b]0;ab\a", "\x1b[31", "A", "k", "\u212a", "\r\n", "\n", "\n2024-07-08T16:48:09.3750041Z ", "\n\ufeff2024-07-08T16:48:09.3750041Z ab", "\n2024-99-08T16:48:09.3750041Z b",
	}
	var patterns []*Pattern
	for _, word := range []string{"ab", "ba", "a", "m", "1m", "31mab", "0m", "[", "\x1b[31mab", "a\x1b[0m", " a", "Z a", "é", "abab", "k", "a[b]", "(ab|ba)m", "^ab", "b$", "ab\nm0"} {
		for _, o := range []PatternOptions{{}, {Fixed: true}, {IgnoreCase: true}, {Inverse: true}, {Fixed: true, Raw: true}} {
			if p, err := ParsePattern(word, o); err == nil { // [ is no expression
				patterns = append(patterns, p)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		block := []byte(rapid.SampledFrom([]string{"", "2024-07-08T16:48:09.3750041Z xyz "}).Draw(t, "begin"))
		for _, part := range rapid.SliceOfN(rapid.SampledFrom(parts), 1, 30).Draw(t, "parts") {
			block = append(block, part...)
		}
		plain := isPlain(block)
		for _, p := range patterns {
			var got, want []string
			_ = p.Each(block, plain, func(start, end int) error {
				got = append(got, string(block[start:end]))
				return nil
			})
			for line := range bytes.Lines(block) {
				line = bytes.TrimSuffix(line, []byte("\n"))
				text := joblog.ParseLine(line).Text
				if !p.Raw() {
					text = joblog.VisibleText(text)
				}
				if p.Match(text) {
					want = append(want, string(line))
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%q, raw %t, inverse %t, in %q: lines %q, want %q", p.re, p.raw, p.inverse, block, got, want)
			}
		}
	})
}
