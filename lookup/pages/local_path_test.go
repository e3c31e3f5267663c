package pages

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/growth"
)

// FuzzLocalPath: where somebody is sent after signing in is this site, whatever was
// asked for.
func FuzzLocalPath(f *testing.F) {
	for _, s := range []string{"/jobs?x=1", "//evil.example", `/\evil.example`, "https://evil.example", "/../x", "javascript:alert(1)", "/%2f%2fevil.example", "/\t/evil.example", "/a\nb", "?x", "%2f", "%2f/evil.example", ""} {
		f.Add(s)
	}
	here := &url.URL{Scheme: "https", Host: "jobvault.example", Path: "/sign-in"}
	f.Fuzz(func(t *testing.T, s string) {
		defer growth.Within(t, time.Now(), len(s))
		path := localPath(s)
		to, err := here.Parse(path)
		if err != nil || to.Host != here.Host || to.Scheme != here.Scheme || !strings.HasPrefix(path, "/") || len(path) > 1 && strings.ContainsAny(path[1:2], `/\`) ||
			strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("%q leads to %q", s, path)
		}
	})
}

// Showing a line takes time in proportion to it, whatever a terminal would make of it.
func TestLinesAreShownInLinearTime(t *testing.T) {
	for _, unit := range []string{"\x1b", "\x1b[", "\x1b[1;", "\x1b[31m", "\x1b[38;5;1m", "<", "&", "\u202e", "\xff", "\x1b]", "\r", "\b", "👩‍👩‍👧"} {
		growth.Linear(t, maxText, func(n int) func() {
			text := []byte(strings.Repeat(unit, n/len(unit)))
			return func() {
				_, _ = harmless(string(text))
				lineHTML(text)
			}
		})
	}
}
