package joblog

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// plainText is text that a table takes and that a person sees: valid UTF-8 without escape
// sequences, other control characters, and characters that are invisible or change the
// direction, cut after maxBytes bytes. It is one line. Where something invisible stood
// between two spaces, one is left.
func plainText(b []byte, maxBytes int) string {
	if len(b) <= maxBytes && isPlain(b) {
		return string(b)
	}
	s := strings.ToValidUTF8(string(b[:min(len(b), 4*maxBytes)]), "\ufffd")
	var out strings.Builder
	for endless, gap := false, false; len(s) > 0 && out.Len() < maxBytes; {
		if n := escapeLen(s, &endless); n > 0 {
			s = s[n:]
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		switch {
		case isInvisible(r):
			gap = true
			continue
		case r == ' ' && gap && strings.HasSuffix(out.String(), " "):
			continue
		}
		gap = false
		out.WriteRune(r)
	}
	if out.Len() > maxBytes {
		return strings.ToValidUTF8(out.String()[:maxBytes], "")
	}
	return out.String()
}

// isPlain tells whether text is of visible ASCII characters, spaces and tabs, as almost
// all is.
func isPlain(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c > '~' {
			return false
		}
	}
	return true
}

// isInvisible tells whether nobody sees a character, but for what it does to others:
// controls, marks of direction, joiners, fillers, tags and variation selectors.
func isInvisible(r rune) bool {
	switch {
	case r == '\t':
		return false
	case r < ' ', r >= 0x7f && r < 0xa0:
		return true
	case r < 0xa0:
		return false
	}
	return unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) ||
		unicode.In(r, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// escapeLen is how many bytes of s are an escape sequence that it begins with (ECMA-48);
// 0: none. Each of them begins with an escape character, or with one character that stands
// for it and the next one.
//
// A sequence that holds a text ends with ST or with BEL. One without its end loses its
// beginning alone: what follows is not hidden. endless must point to the same variable for
// all of a text: it notes that there is no such end any more, so that it is not looked for
// again.
func escapeLen(s string, endless *bool) int {
	var introducer rune
	var n int
	switch r, size := utf8.DecodeRuneInString(s); {
	case r >= 0x80 && r < 0xa0:
		introducer, n = r-0x40, size
	case r == 0x1b && len(s) > 1:
		introducer, n = rune(s[1]), 2
	default:
		return 0
	}
	switch {
	case introducer == '[':
		n = skip(s, skip(s, n, '0', '?'), ' ', '/')
		return n + oneOf(s[n:], '@', '~')
	case strings.ContainsRune("]PX^_", introducer):
		if end := stringEnd(s[n:], endless); end > 0 {
			return n + end
		}
		return n
	case introducer >= ' ' && introducer <= '/':
		n = skip(s, n, ' ', '/')
		return n + oneOf(s[n:], '0', '~')
	case introducer >= '0' && introducer <= '~':
		return n
	}
	return 0
}

// skip returns the first place from n on with a byte that is not from first to last.
func skip(s string, n int, first, last byte) int {
	for n < len(s) && s[n] >= first && s[n] <= last {
		n++
	}
	return n
}

// oneOf is 1 if s begins with a byte from first to last.
func oneOf(s string, first, last byte) int { return min(1, skip(s, 0, first, last)) }

// stringEnd is where the end of a sequence that holds a text ends; 0: it has none.
func stringEnd(s string, endless *bool) int {
	if *endless {
		return 0
	}
	for i, r := range s {
		switch {
		case r == 0x07:
			return i + 1
		case r == 0x9c:
			return i + utf8.RuneLen(r)
		case r == 0x1b && strings.HasPrefix(s[i:], "\x1b\\"):
			return i + 2
		}
	}
	*endless = true
	return 0
}
