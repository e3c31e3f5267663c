package pages

import (
	"html"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/archive/joblog"
)

// Whatever a line holds, what is shown of it is text and the library's own spans,
// and moves, hides or turns nothing.
func FuzzHTML(f *testing.F) {
	for _, s := range []string{
		"plain", "<script>alert(1)</script>", "\x1b[31mred\x1b[0m", "\x1b[38;5;200mx", "\x1b]0;t\x07", "\x1b[2J\x1b[10A", "\x1b_bk;t=1\x07",
		"\x1b]1337;File=inline=1:PHN2Zz4=\x07", "\x1b]8;;javascript:alert(1)\x07x\x1b]8;;\x07", "a\u202eb\u200b\ufeff", "\xff\xfe\x00", "\u009b31mx", "\ufeff\tx",
		"👩‍👩‍👧 ❤️", "\x1b[1;31;4mx\x1b[;;;m", "\x1b[" + strings.Repeat("1;", 40) + "m",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		shown := string(lineHTML(b))
		for _, r := range shown {
			if r != '\t' && r != '\ufeff' && r != '\u200d' && !unicode.IsPrint(r) && !unicode.Is(unicode.Variation_Selector, r) {
				t.Fatalf("%q shows %U: %q", b, r, shown)
			}
		}
		// No tag but those that colours are made of.
		rest := shown
		for {
			at := strings.IndexByte(rest, '<')
			if at < 0 {
				break
			}
			rest = rest[at:]
			switch {
			case strings.HasPrefix(rest, `<span class="term-`), strings.HasPrefix(rest, "</span>"), strings.HasPrefix(rest, `<span class="cut">`):
			default:
				t.Fatalf("%q has a tag: %q", b, rest)
			}
			rest = rest[1:]
		}
	})
}

// The text that a page has of a line is the line's visible text without its kind, with
// signs for characters that are not seen: what a search looks at.
func TestPagesShowTheVisibleText(t *testing.T) {
	t.Parallel()
	piece := rapid.OneOf(rapid.StringMatching(`[a-c <>&]{1,5}`), rapid.SampledFrom([]string{
		"\x1b[31m", "\x1b[0m", "\x1b[38;5;9m", "\x1b[38:5:9m", "\x1b[K", "\x1b[2K", "\x1b[3D", "\x1b[20G", "\x1b[A", "\x1b[H", "\r", "\b", "\x1b]8;;https://e.org\a", "\x1b]8;;\x1b\\", "\x1b]0;t",
		"\x1b", "\x1b[", "\x1bP1\x1b\\", "\x1b_bk;t=1\a", "\x1b]1337;File=inline=1:PHN2Zz4=\a", "\x00", "\u202e", "\xff", "é", "👩\u200d🚀", "##[error]", "##[group]", "[command]", "::group::", "\t",
	}))
	tags := regexp.MustCompile(`<[^>]*>`)
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(strings.Join(rapid.SliceOfN(piece, 0, 30).Draw(t, "pieces"), ""))
		_, rest := joblog.Line{Text: text}.Kind()
		want, _ := harmless(string(joblog.VisibleText(text)[len(text)-len(rest):]))
		got := html.UnescapeString(tags.ReplaceAllString(string(lineHTML(withoutKind(text))), ""))
		// Of a coloured line the renderer drops spaces at the end, and an empty one it makes a no-break space.
		if strings.TrimRight(strings.TrimSuffix(got, "\u00a0"), " \t") != strings.TrimRight(want, " \t") {
			t.Fatalf("%q shows %q, want %q", text, got, want)
		}
	})
}
