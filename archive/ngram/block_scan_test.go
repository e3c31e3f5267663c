package ngram

import (
	"bytes"
	"regexp"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/archive/joblog"
)

// Lines are found by what is seen of them, wherever colours and other controls part what is
// looked for, or hold it.
func TestLinesAreFoundAsTheyAreSeen(t *testing.T) {
	t.Parallel()
	parts := []string{
		"a", "b", "ab", "m", "31m", "0", "[", ";", " ", "é", "\xc3", "\xa9", "\x1b[31m", "\x1b[0m", "\x1b[m", "\x1b[1;36m", "\x1b[", "\x1b", "\r", "\b", "\x1b[2K", "\x1b[3D",
		"\x1b]0;ab\a", "\x1b[31", "A", "k", "\u212a", "\r\n", "\n", "\n2024-07-08T16:48:09.3750041Z ", "\n\ufeff2024-07-08T16:48:09.3750041Z ab", "\n2024-99-08T16:48:09.3750041Z b",
	}
	words := []string{"ab", "ba", "b\n", "a", "m", "1m", "31mab", "0m", "[", "\x1b[31mab", "a\x1b[0m", " a", "Z a", "é", "abab", "k", "a[b]", "(ab|ba)m", "a.b", "^ab", "b$", "ab\nm0"}
	rapid.Check(t, func(t *rapid.T) {
		var block []byte
		for _, part := range rapid.SliceOfN(rapid.SampledFrom(parts), 1, 60).Draw(t, "parts") {
			block = append(block, part...)
		}
		o := PatternOptions{IgnoreCase: rapid.Bool().Draw(t, "ignore case"), Inverse: rapid.Bool().Draw(t, "inverse"), Raw: rapid.Bool().Draw(t, "raw")}
		word := rapid.SampledFrom(words).Draw(t, "word")
		o.Fixed = regexp.QuoteMeta(word) != word && rapid.Bool().Draw(t, "fixed")
		p, err := ParsePattern(word, o)
		if err != nil {
			t.Skip()
		}
		var got, want []string
		_ = p.Each(block, func(start, end int) error {
			got = append(got, string(block[start:end]))
			return nil
		})
		for line := range bytes.Lines(block) {
			line = bytes.TrimSuffix(line, []byte("\n"))
			text := joblog.ParseLine(line).Text
			if !o.Raw {
				text = joblog.VisibleText(text)
			}
			if p.Match(text) {
				want = append(want, string(line))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q in %q: lines %q, want %q", word, block, got, want)
		}
	})
}
