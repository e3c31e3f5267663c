package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonEncoder writes values as JSON, one a line. All that commands print as JSON goes
// through it: on a terminal it escapes what a terminal would act on; elsewhere bytes are
// those of encoding/json.
func jsonEncoder(w io.Writer) *json.Encoder { return jsonEncoderTo(w, isTerminal(w)) }

// jsonEncoderTo is jsonEncoder where w does not tell whether it ends at a terminal.
func jsonEncoderTo(w io.Writer, terminal bool) *json.Encoder {
	if terminal {
		w = terminalJSON{w}
	}
	return json.NewEncoder(w)
}

// printJSONLines prints each row as a line.
func printJSONLines[T any](w io.Writer, rows []T) error {
	out := jsonEncoder(w)
	for _, row := range rows {
		if err := out.Encode(row); err != nil {
			return err
		}
	}
	return nil
}

// terminalJSON passes JSON on that means the same and holds nothing but printable
// characters, spaces, tabs and newlines. encoding/json escapes the control characters of
// ASCII, but for DEL, and the line separators of Unicode; not its control characters, nor
// what is invisible or reorders text. Each Write is of whole values, as an Encoder's is.
type terminalJSON struct{ w io.Writer }

func (t terminalJSON) Write(p []byte) (int, error) {
	if _, err := t.w.Write(appendPrintableJSON(make([]byte, 0, len(p)), p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// appendPrintableJSON appends JSON with its unprintable characters escaped. They can only
// be in strings, where \u stands for them; bytes that are not UTF-8 mean U+FFFD there.
func appendPrintableJSON(to, p []byte) []byte {
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		switch {
		case r == utf8.RuneError && n == 1:
			to = append(to, `\ufffd`...)
		case strconv.IsPrint(r), r == '\n', r == '\t':
			to = append(to, p[:n]...)
		default:
			to = appendEscape(to, r)
		}
		p = p[n:]
	}
	return to
}

// appendEscape appends \uXXXX, and two of them for what UTF-16 has two units for.
func appendEscape(to []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return fmt.Appendf(to, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(to, `\u%04x`, r)
}
