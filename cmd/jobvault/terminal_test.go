package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

func toTerminal(pieces ...string) string {
	var out bytes.Buffer
	w := &terminalWriter{w: &out}
	for _, p := range pieces {
		_, _ = w.Write([]byte(p))
	}
	_ = w.flush()
	return out.String()
}

func TestTerminalShowsTextAndColoursOnly(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext\n":                       "plain\ttext\n",
		"\x1b[31mred\x1b[0m\n":                "\x1b[31mred\x1b[0m\n",
		"\x1b[38;5;196mmany\x1b[m\n":          "\x1b[38;5;196mmany\x1b[m\n",
		"\x1b[2Jcleared\n":                    "␛[2Jcleared\n",
		"\x1b]0;title\x07\n":                  "␛]0;title␇\n",
		"\x1b[6n":                             "␛[6n",
		"\x1bPq#0;2;0;0;0\x1b\\":              "␛Pq#0;2;0;0;0␛\\",
		"overwrite\rthis\r\n":                 "overwritethis\n",
		"\u009b31mC1\n":                       "\ufffd31mC1\n",
		"bad \xff\xc3 bytes\n":                "bad \ufffd\ufffd bytes\n",
		"\ufefftext \u202eevil\u2066\u200f\n": "text evil\n",
		"日本語 🚀\n":                             "日本語 🚀\n",
		"👩\u200d🚀 hid\u200b\u2060\U000e0041den\u2028\n": "👩\u200d🚀 hidden\ufffd\n",
		"ends in the middle \x1b[3":                     "ends in the middle ␛[3",
		"ends in the middle \xe6\x97":                   "ends in the middle \ufffd\ufffd",
	} {
		if got := toTerminal(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

// However the log is cut into pieces, and whatever is in it, what reaches the
// terminal is the same, and holds no control but newline, tab and colours.
func FuzzTerminal(f *testing.F) {
	f.Add("\x1b[31mred\x1b[0m \x1b]0;x\x07 日本 \xff", 5)
	f.Add(strings.Repeat("\x1b", 50), 3)
	colours := regexp.MustCompile(`\x1b\[[0-9;:]*m`)
	f.Fuzz(func(t *testing.T, in string, cut int) {
		whole := toTerminal(in)
		if cut = min(max(cut, 0), len(in)); toTerminal(in[:cut], in[cut:]) != whole {
			t.Errorf("%q cut at %d is shown otherwise", in, cut)
		}
		for _, r := range colours.ReplaceAllString(whole, "") {
			if r < 0x20 && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
				t.Errorf("%q lets %U through", in, r)
			}
		}
	})
}
