package pages

import (
	"fmt"
	"html/template"
	"strings"
	"unicode"
	"unicode/utf8"

	terminal "github.com/buildkite/terminal-to-html/v3"

	"github.com/jobvault/jobvault/archive/joblog"
)

const (
	// maxText is how many bytes of a line are shown; lines of hundreds of kilobytes exist.
	maxText = 8 << 10
	// maxColours is how often a line changes its colour: each change costs the page
	// ten times its length.
	maxColours = 100
)

// withoutKind is a line's text as it is shown beside its kind: without escape sequences but
// those of colours, and in its last state. Searches look at the same text.
func withoutKind(text []byte) []byte {
	_, rest := joblog.Line{Text: text}.Kind()
	return joblog.ColouredText(text)[len(text)-len(rest):]
}

// lineHTML shows a text: its colours as such, and every other thing that a
// terminal would obey, or that would hide or turn text around, as a sign that can
// be seen. Of a text longer than maxText, it shows the beginning.
func lineHTML(text []byte) template.HTML {
	cut := ""
	if len(text) > maxText {
		cut = fmt.Sprintf(`<span class="cut">… %d bytes more, see the raw log</span>`, len(text)-maxText)
		text = text[:maxText]
	}
	shown, coloured := harmless(string(text))
	if !coloured {
		return template.HTML(template.HTMLEscapeString(shown) + cut) //nolint:gosec // escaped
	}
	// What it is given holds no escape but those of colours; it escapes the rest.
	return template.HTML(strings.TrimSuffix(terminal.Render([]byte(shown)), "\n") + cut) //nolint:gosec // as said
}

// harmless leaves colours alone, and makes every other control character visible. It is
// for pages, and escapes no HTML. Terminals, tables and errors have functions of their
// own: docs/design.md#security lists them.
func harmless(s string) (shown string, coloured bool) {
	plain := true
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] >= 0x7f {
			plain = false
			break
		}
	}
	if plain {
		return s, false
	}
	var b strings.Builder
	for changes := 0; len(s) > 0; {
		if n := joblog.ColourSize(s); n > 0 {
			if changes++; changes <= maxColours {
				b.WriteString(s[:n])
			} else if changes == maxColours+1 {
				b.WriteString("\x1b[0m")
			}
			coloured = true
			s = s[n:]
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		s = s[n:]
		switch {
		case r == '\t' || unicode.IsPrint(r) || unicode.Is(unicode.Variation_Selector, r):
			b.WriteRune(r)
		case r == '\u200d' || r == '\ufeff' && b.Len() == 0: // joins emoji; begins a file
			b.WriteRune(r)
		case r < ' ':
			b.WriteRune('\u2400' + r)
		case r == 0x7f:
			b.WriteRune('\u2421')
		case unicode.IsSpace(r):
			b.WriteRune(' ')
		default:
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		}
	}
	return b.String(), coloured
}
