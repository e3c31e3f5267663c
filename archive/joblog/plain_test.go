package joblog

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestPlainText(t *testing.T) {
	for in, want := range map[string]string{
		"a\tünïcödé 漢字 🚀":                            "a\tünïcödé 漢字 🚀",
		"\x1b[1;31mred\x1b[0m \x1b[?25lx":            "red x",
		"\x1b[31mred\x1b[0m \x1b[2Kx":                "x",
		"progress 10%\rprogress 20%":                 "progress 20%",
		"broken\x1b[6D\x1b[Kit broke":                "it broke",
		"##[group]a\rb":                              "b#[group]a",
		"\x1b]8;;https://x\x07a\x1b]8;;\x07 b":       "a b",
		"\x1b]0;title\x1b\\a\x1bPq#1\x1b\\b":         "ab",
		"\x1bXsos\x1b\\a\x1b^pm\u009cb\x1b_apc\x07c": "a^pmbc",
		"\u009b31mred\u009d0;t\u009ca\u0090q\x1b\\b": "31mred0;taqb", // nor do pages obey these
		"\x1b(Ba\x1b#8b\x1bMc\x1b=d\x1b %Ge":         "ab cde",
		"\x1b]8;;never ends":                         "]8;;never ends",
		"\x1b[31":                                    "[31",
		"\x1b":                                       "",
		"a\x1b\x01b\x00\x7f\u0085c":                  "abc",
		"a\u202eb\u2066c\u200bd\ufeffe\u00adf":       "abcdef",
		"a\u2028b\u115fc\u3164d\ufe0fe\U000e0041f":   "abcdef",
		"a \u200b b\u200b c \u202e\u202c d":          "a b c d",
		"a  b":                                       "a  b",
		"\u0600":                                     "\u0600", // a sign that is seen
		"\xff\x1b[31mx":                              "\ufffdx",
		strings.Repeat("é", 20):                      strings.Repeat("é", 15),
		strings.Repeat("x", 40):                      strings.Repeat("x", 31),
		strings.Repeat("\x1b[0m", 7) + "x":           "x",
	} {
		if got := plainText([]byte(in), 31); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// Tables and pages have the same text of a message, but for what is not seen.
func TestPlainTextIsTheVisibleText(t *testing.T) {
	t.Parallel()
	piece := rapid.SampledFrom([]string{
		"a", "bc", " ", "é", "\x1b[31m", "\x1b[0m", "\x1b[K", "\x1b[2K", "\x1b[3D", "\x1b[9G", "\x1b[A", "\x1b7", "\x1b8", "\r", "\b", "\x1b]8;;x\a", "\x1b]8;;", "\x1b\\", "\x1b", "\u009b",
	})
	rapid.Check(t, func(t *rapid.T) {
		message := strings.Join(rapid.SliceOfN(piece, 0, 30).Draw(t, "pieces"), "")
		shown := VisibleText([]byte("##[error]" + message))[len("##[error]"):]
		if got, want := plainText([]byte(message), maxMessage), plainText(shown, maxMessage); got != want {
			t.Fatalf("%q: %q, and the page has %q", message, got, want)
		}
	})
}

func FuzzPlainText(f *testing.F) {
	for _, s := range []string{"\x1b[31mx", "\x1b]8;;x\x07y\x1b]8;;\x1b\\", "\u009d\u009c", "\x1b\x1b[", "a \u200b b", "\xff\xfe", "\x1b[\x1b]"} {
		f.Add(s, 10)
	}
	f.Fuzz(func(t *testing.T, s string, n int) {
		n = min(max(n, 1), 2000)
		got := plainText([]byte(s), n)
		if len(got) > n || !utf8.ValidString(got) {
			t.Errorf("%q: %q", s, got)
		}
		for _, r := range got {
			if r != '\t' && unicode.IsControl(r) || isInvisible(r) {
				t.Errorf("%q: %q has %U", s, got, r)
			}
		}
		if again := plainText([]byte(got), n); again != got {
			t.Errorf("%q becomes %q, and that %q", s, got, again)
		}
	})
}
