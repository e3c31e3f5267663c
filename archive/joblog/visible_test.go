package joblog

import (
	"bytes"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	terminal "github.com/buildkite/terminal-to-html/v3"
	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/internal/growth"
)

func TestVisibleText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain\tand é": "plain\tand é", "": "", "\x1b[0m": "",
		"\x1b[36;1mmake\x1b[0m test":                      "make test",
		"mem\x1b[31mdump\x1b[38:2::1:2:3m.py":             "memdump.py",
		"\x1b]8;;https://e.org\x1b\\link\x1b]8;;\a broke": "link broke",
		"\x1b]0;a title\atext":                            "text",
		"\x1bP1$r0m\x1b\\a\x1b_bk;t=1\ab\x1b^x\x1b\\c":    "abc",
		"\x1b(Ba\x1b=b\x1b#8c\x1b[?25hd\x1b[>4;2me":       "abcde",
		"10 %\r20 %\rdone":                                "done",
		"downloading\rdone":                               "doneloading",
		"downloading\r\x1b[Kdone":                         "done",
		"\x1b[2K\x1b[1G1 of 2\x1b[2K\x1b[1G2 of 2":        "2 of 2",
		"abc\b\bx":                                "axc",
		"\b\b\rx":                                 "x",
		"ends\r":                                  "ends",
		"name\x1b[40Gvalue":                       "name value",
		"abcdef\x1b[3D\x1b[1Kx":                   "xef",
		"abcdef\x1b[1;1H\x1b[Jx":                  "abcdef x",
		"one\x1b[1A\x1b[2Ktwo":                    "one two",
		"\x1b[1A\x1b[2Kprogress":                  "progress",
		"a\x1b7bc\x1b8x":                          "axc",
		"a\x1b[sbc\x1b[B\x1b[ux":                  "abc x",
		"##[error]first\rlast!":                   "##[error]last!",
		"##[error]\x1b[2K\x1b[1Gx":                "##[error]x",
		"\x1b[31m##[error]x\x1b[0m":               "##[error]x",
		"a\x1b":                                   "a",
		"a\x1b\x1b[mb":                            "ab",
		"a\x1b[3\x00mb":                           "a[3\x00mb",
		"a\x1b]8;;hidden":                         "a]8;;hidden",
		"a\x1b]8;;hid\x1b[mden\a":                 "a]8;;hidden\a",
		"\xe2\x1b[m\x84\xaa\rx":                   "x", // one character
		"zero\u200bwidth\u202e\x00":               "zero\u200bwidth\u202e\x00",
		strings.Repeat("a", maxColumns+1) + "\rb": strings.Repeat("a", maxColumns) + "b",
	} {
		if got := VisibleText([]byte(text)); string(got) != want {
			t.Errorf("%q shows %q, want %q", text, got, want)
		}
		if got := AppendVisible([]byte("before "), []byte(text)); string(got) != "before "+want {
			t.Errorf("%q is appended as %q", text, got)
		}
	}
}

func TestColouredText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"\x1b[36;1mmake\x1b[0m\x1b[K test": "\x1b[36;1mmake\x1b[0m test",
		"\x1b[2K\r\x1b[31mred\x1b]0;t\a":   "\x1b[31mred",
		"\x1b[31mred\rb":                   "bed",
		"\x1b[38:5:1mx\x1b[?1mx":           "xx",
	} {
		if got := ColouredText([]byte(text)); string(got) != want {
			t.Errorf("%q shows %q, want %q", text, got, want)
		}
	}
}

func TestVisiblePart(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"plain": true, "": true, "\x1b[31m\x1b[1mred\x1b[0m": true, "##[error]red\x1b[m": true, "\x1b[31m##[error]red": true, "\x1b[0m": true,
		"##[error]\x1b[31mred": false, "a\x1b[1mb": false, "a\rb": false, "a\bb\x1b[m": false, "\x1b[1ma\x1b[K": false,
	} {
		if _, ok := VisiblePart([]byte(text)); ok != want {
			t.Errorf("%q: %v", text, ok)
		}
	}
}

// anyText makes texts of pieces that terminals act on.
func anyText(pieces ...string) *rapid.Generator[string] {
	some := rapid.OneOf(rapid.SampledFrom(pieces), rapid.StringMatching(`[a-e ]{1,6}`))
	return rapid.Map(rapid.SliceOfN(some, 0, 30), func(s []string) string { return strings.Join(s, "") })
}

var (
	// agreed are the sequences that the renderer of pages obeys as this does.
	agreed = []string{
		"\r", "\b", "\x1b[m", "\x1b[1;31m", "\x1b[38;5;200m", "\x1b[K", "\x1b[0K", "\x1b[1K", "\x1b[2K", "\x1b[J", "\x1b[1J", "\x1b[2J", "\x1b[D", "\x1b[3D", "\x1b[C", "\x1b[7C",
		"\x1b[G", "\x1b[4G", "\x1b[300G", "\x1b7", "\x1b8", "\x1b]8;;https://e.org\a", "\x1b]8;;\x1b\\", "\x1b(B", "\x1b=", "\x1b[?25h", "\x1b[?1049l", "é", "👩", "\t", "<&>",
	}
	// others are those of which it does something else, or nothing.
	others = []string{
		"\x1b", "\x1b[", "\x1b]", "\x1b]0;t", "\x1b[A", "\x1b[2B", "\x1b[E", "\x1b[H", "\x1b[2;5H", "\x1bM", "\x1bc", "\x1b[38:5:1m", "\x1b[>c", "\x1b[3", "\x1bP", "\x1b\\", "\a", "\x1b[s", "\x1b[u",
		"\xe2", "\x84", "\xaa", "\xff", "\x00", "\u009b", "\ufeff", "##[error]", "[command]", "::group::", ";", "m",
	}
	tags   = regexp.MustCompile(`<[^>]*>`)
	blanks = regexp.MustCompile(` +`)
)

// What the renderer makes of a line is the line's visible text, but for the spaces where
// columns were skipped.
func TestVisibleTextIsWhatTheRendererShows(t *testing.T) {
	t.Parallel()
	normal := func(s string) string { return strings.Trim(blanks.ReplaceAllString(s, " "), " \t") }
	rapid.Check(t, func(t *rapid.T) {
		text := anyText(agreed...).Draw(t, "text")
		screen, err := terminal.NewScreen(terminal.WithSize(maxColumns, 1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := screen.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll(html.UnescapeString(tags.ReplaceAllString(screen.AsHTML(), "")), "\u00a0", "")
		if got := string(VisibleText([]byte(text))); normal(got) != normal(want) {
			t.Fatalf("%q shows %q, the renderer %q", text, got, want)
		}
	})
}

var colours = regexp.MustCompile(`\x1b\[[0-9;:]*m`)

// checkVisible checks what holds of every text.
func checkVisible(t interface{ Fatalf(string, ...any) }, text []byte) {
	visible := VisibleText(text)
	if len(visible) > len(text) || bytes.ContainsAny(visible, "\x1b\r\b") {
		t.Fatalf("%q shows %q", text, visible)
	}
	if again := VisibleText(visible); !bytes.Equal(again, visible) {
		t.Fatalf("%q shows %q, which shows %q", text, visible, again)
	}
	if part, ok := VisiblePart(text); ok && !bytes.Equal(part, visible) {
		t.Fatalf("%q shows %q, as a part %q", text, visible, part)
	}
	coloured := ColouredText(text)
	if bare := colours.ReplaceAll(coloured, nil); !bytes.Equal(bare, visible) || len(coloured) > len(text) {
		t.Fatalf("%q shows %q, coloured %q", text, visible, coloured)
	}
}

func TestVisibleTextIsTextAndNoLonger(t *testing.T) {
	t.Parallel()
	pieces := anyText(append(agreed, others...)...)
	rapid.Check(t, func(t *rapid.T) { checkVisible(t, []byte(pieces.Draw(t, "text"))) })
}

func FuzzVisibleText(f *testing.F) {
	for _, s := range append(agreed, others...) {
		f.Add([]byte("##[error]before" + s + "after\x1b[9C" + s + "x"))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		defer growth.Within(t, time.Now(), len(text))
		checkVisible(t, text)
	})
}

// Whatever a line holds, it takes time in proportion to it.
func TestVisibleTextInLinearTime(t *testing.T) {
	for _, unit := range append([]string{"\x1b[999Cx\x1b[1K", "\rx\x1b[999C\x1b[1K", "\x1b[999Gx\x1b[2K", "\x1b]x\x1b\\", "\x1b[1;", "ab\b", "abc\rd"}, append(agreed, others...)...) {
		growth.Linear(t, 16<<10, func(n int) func() {
			text := []byte("x" + strings.Repeat(unit, n/len(unit)))
			return func() { ColouredText(text) }
		})
	}
}

// The longest ways from character to character take a few times as long as the shortest.
func TestMovesFarInBoundedTime(t *testing.T) {
	repeated := func(unit string) func() {
		text := []byte(strings.Repeat(unit, (2<<20)/len(unit)))
		return func() { VisibleText(text) }
	}
	for _, unit := range []string{"\x1b[;1024Hx", "\x1b[Bx", "\x1b[Ex", "\x1b[B\x1b[1024Gx\rx", "\x1b[2K\x1b[1024Gx\rx", "\x1b[1K\x1b[1024Gx", "\x1b[500Gx\x1b[J"} {
		growth.Ratio(t, 12, repeated("\x1b[Dx and text\b"), repeated(unit))
	}
}

func TestColumns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c columns
		var want [maxColumns]bool
		for range rapid.IntRange(0, 20).Draw(t, "changes") {
			from, to := rapid.IntRange(0, maxColumns).Draw(t, "from"), rapid.IntRange(0, maxColumns).Draw(t, "to")
			set := rapid.Bool().Draw(t, "set")
			if set {
				c.set(from, to)
			} else {
				c.clear(from, to)
			}
			for i := from; i < to; i++ {
				want[i] = set
			}
		}
		var got [maxColumns]bool
		for x := range c.all() {
			got[x] = true
		}
		if got != want {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

func TestControls(t *testing.T) {
	t.Parallel()
	block := []byte("plain\r\ncol\x1b[moured\r\nback\bspace\na\rb\nend\r")
	controls := NewControls(block)
	var found []byte
	for at := controls.Next(0); at < len(block); at = controls.Next(at + 1) {
		found = append(found, block[at-1], block[at])
	}
	if string(found) != "l\x1bk\ba\rd\r" {
		t.Errorf("found %q", found)
	}
}

func BenchmarkVisibleText(b *testing.B) {
	for name, text := range map[string]string{
		"plain":    "go: downloading example.com/module v1.2.3 and some more of it until the line is as long as lines are",
		"coloured": "\x1b[36;1mgo: downloading\x1b[0m example.com/module v1.2.3 and some more of it until the line is as long",
		"progress": strings.Repeat("go: downloading example.com/module v1.2.3\r", 10),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			line, buf := []byte(text), []byte(nil)
			for b.Loop() {
				if hasControls(line) {
					buf = AppendVisible(buf[:0], line)
				}
			}
		})
	}
}
