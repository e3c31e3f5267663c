package main

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"unicode"
	"unicode/utf8"
)

// terminalWriter lets a log's text and colours through to a terminal, and shows
// every other control character as a picture: a log is hostile text, which
// could move the cursor, set the title or make the terminal answer.
type terminalWriter struct {
	w    io.Writer
	rest []byte // the beginning of a line, or of a sequence, that is cut
}

// colour is a Select Graphic Rendition sequence, whole.
var colour = regexp.MustCompile(`^\x1b\[[0-9;:]{0,32}m`)

func (t *terminalWriter) Write(p []byte) (int, error) {
	in := slices.Concat(t.rest, p)
	n := len(in)
	for i := max(0, n-maxSequenceBytes); i < n; i++ {
		if cut(in[i:]) {
			n = i
			break
		}
	}
	t.rest = slices.Clone(in[n:])
	return len(p), t.show(in[:n])
}

// flush shows what was held back because it might go on.
func (t *terminalWriter) flush() error {
	rest := t.rest
	t.rest = nil
	return t.show(rest)
}

func (t *terminalWriter) show(in []byte) error {
	var out bytes.Buffer
	for len(in) > 0 {
		if c := colour.Find(in); c != nil {
			out.Write(c)
			in = in[len(c):]
			continue
		}
		r, n := utf8.DecodeRune(in)
		out.WriteString(picture(r, in[0]))
		in = in[n:]
	}
	_, err := t.w.Write(out.Bytes())
	return err
}

// partial is the beginning of a colour, and no more.
var partial = regexp.MustCompile(`^\x1b(\[[0-9;:]{0,32})?$`)

// maxSequenceBytes is the length of the longest colour.
const maxSequenceBytes = 36

// cut tells whether all of b is the beginning of a colour or of a character.
func cut(b []byte) bool {
	return partial.Match(b) || !utf8.FullRune(b) && utf8.RuneStart(b[0])
}

// picture is how a character is shown.
func picture(r rune, b byte) string {
	switch {
	case r == '\n' || r == '\t':
		return string(r)
	case r == '\r':
		return ""
	case r < 0x20: // Unicode has pictures of the control characters
		return string(rune(0x2400) + r)
	case r == 0x7f:
		return "\u2421"
	case r == utf8.RuneError && b >= 0x80, r >= 0x80 && r < 0xa0, r == '\u2028', r == '\u2029':
		return "\ufffd"
	case r == '\u200c', r == '\u200d': // they join letters and emoji
		return string(r)
	case unicode.Is(unicode.Cf, r):
		return "" // byte order marks, and marks that reorder text or are not seen
	}
	return string(r)
}
