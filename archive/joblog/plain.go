package joblog

import (
	"strings"
	"unicode"
)

// plainText is text that a table takes and that a person sees: that of VisibleText, as valid
// UTF-8, without control characters, and characters that are invisible or change the
// direction, cut after maxBytes bytes. It is one line, and begins with no Kind. Where
// something invisible stood between two spaces, one is left.
func plainText(b []byte, maxBytes int) string {
	if len(b) <= maxBytes && isPlain(b) {
		return string(b)
	}
	visible := appendVisible(nil, b[:min(len(b), 4*maxBytes)], 0, false)
	var out strings.Builder
	gap := false
	for _, r := range strings.ToValidUTF8(string(visible), "\ufffd") {
		switch {
		case isInvisible(r):
			gap = true
			continue
		case r == ' ' && gap && strings.HasSuffix(out.String(), " "):
			continue
		}
		if out.Len() >= maxBytes {
			break
		}
		gap = false
		out.WriteRune(r)
	}
	return strings.ToValidUTF8(out.String()[:min(out.Len(), maxBytes)], "")
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
