package main

import (
	"bytes"
	"io"
	"regexp"
	"slices"
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

// longestSequence is how much of a cut sequence is waited for.
const longestSequence = 36

func (t *terminalWriter) Write(p []byte) (int, error) {
	in := slices.Concat(t.rest, p)
	var out bytes.Buffer
	i := 0
	for i < len(in) {
		if cut(in[i:]) {
			break
		}
		if c := colour.Find(in[i:]); c != nil {
			out.Write(c)
			i += len(c)
			continue
		}
		r, n := utf8.DecodeRune(in[i:])
		out.WriteString(picture(r, in[i]))
		i += n
	}
	t.rest = append([]byte(nil), in[i:]...)
	if _, err := t.w.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// cut tells whether b may be the beginning of something longer.
func cut(b []byte) bool {
	if b[0] == 0x1b && len(b) < longestSequence && bytes.IndexByte(b, '\n') < 0 && !bytes.ContainsAny(b[1:], "m\x1b") {
		return true
	}
	return !utf8.FullRune(b)
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
	case r == utf8.RuneError && b >= 0x80, r >= 0x80 && r < 0xa0:
		return "\ufffd"
	case r == 0xfeff, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x61c:
		return "" // byte order marks, and marks that reorder text
	}
	return string(r)
}
