package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// printableJSON is a value as a terminal gets it.
func printableJSON(t interface{ Fatal(...any) }, v any) string {
	var out bytes.Buffer
	if err := jsonEncoderTo(&out, true).Encode(v); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// actedOn is the first character in s, other than newlines and tabs, that a terminal may
// act on or not show; "" if there is none.
func actedOn(s string) string {
	for i, r := range s {
		if _, n := utf8.DecodeRuneInString(s[i:]); r == utf8.RuneError && n == 1 || r != '\n' && r != '\t' && !strconv.IsPrint(r) {
			return strconv.QuoteToASCII(s[i : i+n])
		}
	}
	return ""
}

func TestJSONOnATerminalEscapesWhatItWouldActOn(t *testing.T) {
	for in, want := range map[string]string{
		"plain \"text\" <b>&":  `"plain \"text\" \u003cb\u003e\u0026"`,
		"日本語 é 🚀":              `"日本語 é 🚀"`,
		"\x00\x07\b\t\n\r\x1b": `"\u0000\u0007\b\t\n\r\u001b"`,
		"\x7f":                 `"\u007f"`,
		"\u0080\u0085\u009b31m\u009d0;x\u009c\u009f": `"\u0080\u0085\u009b31m\u009d0;x\u009c\u009f"`,
		"\u00a0\u3000":                         `"\u00a0\u3000"`,
		"\u00ad\u200b\u200c\u200d\u2060\ufeff": `"\u00ad\u200b\u200c\u200d\u2060\ufeff"`,
		"\u061c\u200e\u200f":                   `"\u061c\u200e\u200f"`,
		"\u202a\u202b\u202c\u202d\u202e":       `"\u202a\u202b\u202c\u202d\u202e"`,
		"\u2066\u2067\u2068\u2069":             `"\u2066\u2067\u2068\u2069"`,
		"\u2028\u2029":                         `"\u2028\u2029"`,
		"\U000e0001\U000e0041\U0010ffff":       `"\udb40\udc01\udb40\udc41\udbff\udfff"`,
		"\ue000\ufdd0":                         `"\ue000\ufdd0"`,
		"bad \xff\xc3":                         `"bad \ufffd\ufffd"`,
		"literal \\u202e":                      `"literal \\u202e"`,
	} {
		if got := printableJSON(t, in); got != want+"\n" {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	// Bytes that are no UTF-8 only come from JSON that is passed on as it is.
	if got := printableJSON(t, json.RawMessage("\"a\xff\x9b\u202e\"")); got != `"a\ufffd\ufffd\u202e"`+"\n" {
		t.Errorf("raw bytes are %q", got)
	}
}

// hostileText are texts with what terminals act on.
func hostileText() *rapid.Generator[string] {
	acted := rapid.SampledFrom([]string{
		"\x00", "\x1b[2J", "\x1b]0;x\x07", "\x7f", "\u0085", "\u009b2J", "\u202e", "\u2066", "\u2028", "\u200b", "\ufeff", "\U000e0041", "\xff", "\xc2", "\\", "\"", "é", "🚀",
	})
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.OneOf(acted, rapid.String()), 0, 6).Draw(t, "parts"), "")
	})
}

// JSON for a terminal is the same value as JSON for a file, and has nothing on which a
// terminal acts.
func TestJSONOnATerminalMeansTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.MapOf(hostileText(), rapid.SliceOf(hostileText())).Draw(t, "value")
		var plain bytes.Buffer
		if err := jsonEncoderTo(&plain, false).Encode(v); err != nil {
			t.Fatal(err)
		}
		shown := printableJSON(t, v)
		if bad := actedOn(shown); bad != "" {
			t.Fatalf("%s reaches the terminal in %q", bad, shown)
		}
		var want, got map[string][]string
		if err := json.Unmarshal(plain.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(shown), &got); err != nil {
			t.Fatalf("%q: %v", shown, err)
		}
		if !reflect.DeepEqual(want, got) {
			t.Fatalf("%q means %q, want %q", shown, got, want)
		}
	})
}

// Commands have no other way to print JSON.
func TestOneWayToPrintJSON(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		switch {
		case strings.HasSuffix(file, "_test.go"):
		case file == "json.go", file == "service_http.go": // which answers over HTTP
		default:
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, way := range []string{"json.NewEncoder(", "json.Marshal", "json.Indent("} {
				if bytes.Contains(b, []byte(way)) {
					t.Errorf("%s has %s: want jsonEncoder", file, way)
				}
			}
		}
	}
}
