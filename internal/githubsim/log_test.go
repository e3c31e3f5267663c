package githubsim

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func drawStyle(t *rapid.T) LogStyle {
	flag := func(name string) bool { return rapid.Bool().Draw(t, name) }
	st := LogStyle{
		CRLF: flag("CRLF"), ANSI: flag("ANSI"), HugeLine: flag("HugeLine"), NoFinalNewline: flag("NoFinalNewline"),
		NULBytes: flag("NULBytes"), InvalidUTF8: flag("InvalidUTF8"), UntimestampedLines: flag("UntimestampedLines"),
	}
	if flag("own steps") {
		st.Steps = inventedSteps(time.Unix(1_775_000_000, 0), 0)[:rapid.IntRange(0, 6).Draw(t, "steps")]
	}
	return st
}

// TestLogSizeAndSameness: any seed, size and style gives exactly that many
// bytes, and the same ones by every way of reading.
func TestLogSizeAndSameness(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var (
			seed  = rapid.Uint64().Draw(t, "seed")
			style = drawStyle(t)
			size  = rapid.OneOf(
				rapid.Int64Range(0, 10_000),
				rapid.Int64Range(0, 10_000),
				rapid.Int64Range(hugeLine-10_000, hugeLine+20_000)).Draw(t, "size")
		)
		l := GeneratedLog(seed, size, style)
		text := l.Bytes()
		if int64(len(text)) != size || l.Size() != size {
			t.Fatalf("%d bytes, Size %d, want %d", len(text), l.Size(), size)
		}
		again := GeneratedLog(seed, size, style)
		inPieces := make([]byte, size)
		if _, err := io.ReadFull(iotest.HalfReader(again.Reader()), inPieces); size > 0 && err != nil || !bytes.Equal(text, inPieces) {
			t.Fatal("Read and WriteTo differ", err)
		}
		if again.SHA256() != sha256.Sum256(text) || again.md5() != md5.Sum(text) {
			t.Fatal("digest")
		}
		ends := bytes.HasSuffix(text, []byte(again.c.plan.eol()))
		if size > 5000 && ends == style.NoFinalNewline {
			t.Fatalf("ends with %q", text[size-10:])
		}
	})
}

// TestLogSizeNearPages has sizes at which a page, its BOM and the end meet.
func TestLogSizeNearPages(t *testing.T) {
	for size := int64(pageSize); size < pageSize+3000; size += 97 {
		if n, err := io.Copy(io.Discard, GeneratedLog(uint64(size), size, LogStyle{}).Reader()); n != size || err != nil {
			t.Fatalf("%d bytes of %d, %v", n, size, err)
		}
	}
}

func TestLogsDiffer(t *testing.T) {
	a, b := GeneratedLog(1, 1<<16, LogStyle{}), GeneratedLog(2, 1<<16, LogStyle{})
	if a.SHA256() == b.SHA256() {
		t.Error("two seeds, one log")
	}
}

func TestZeroAndEmptyLogs(t *testing.T) {
	var zero Log
	if zero.Exists() || zero.Size() != 0 || len(zero.Bytes()) != 0 || zero.SHA256() != sha256.Sum256(nil) {
		t.Error("the zero Log has something")
	}
	if b, err := io.ReadAll(zero.Reader()); len(b) != 0 || err != nil {
		t.Error(b, err)
	}
	for _, l := range []Log{TextLog(nil), GeneratedLog(1, 0, LogStyle{}), GeneratedLog(1, -1, LogStyle{})} {
		if !l.Exists() || l.Size() != 0 || len(l.Bytes()) != 0 {
			t.Error("an empty log is a log")
		}
	}
}

var stamped = regexp.MustCompile(`^(\x{feff})?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z `)

// TestPlainLog looks at a log of three pages line by line.
func TestPlainLog(t *testing.T) {
	text := string(GeneratedLog(5, 5<<20, LogStyle{}).Bytes())
	var (
		last  string
		pages []int // where the BOMs are
		at    int
	)
	for line := range strings.Lines(text) {
		if !stamped.MatchString(line) || !strings.HasSuffix(line, "\n") || strings.HasSuffix(line, "\r\n") {
			t.Fatalf("line %.80q", line)
		}
		if strings.HasPrefix(line, bom) {
			pages = append(pages, at)
			line = strings.TrimPrefix(line, bom)
			at += len(bom)
		}
		if line[:28] < last {
			t.Fatalf("time goes back from %s to %s", last, line[:28])
		}
		last = line[:28]
		at += len(line)
	}
	if len(pages) != 3 || pages[0] != 0 || pages[1] < pageSize || pages[1] > pageSize+300 {
		t.Errorf("pages begin at %v", pages)
	}
	if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		t.Error("not plain")
	}
	for _, want := range []string{
		"Z Current runner version: '2.317.0'\n",
		"Z ##[group]Operating System\n", "Z ##[group]Runner Image\n", "Z ##[group]GITHUB_TOKEN Permissions\n", "Z Contents: read\n",
		"Z Secret source: Actions\n", "Z Prepare workflow directory\n", "Z Getting action download info\n",
		"Z Complete job name: test (ubuntu-latest)\n",
		"Z ##[group]Run make build\n", "Z \x1b[36;1mmake build\x1b[0m\n", "Z ##[group]Run go test ./...\n",
		"Z ##[warning]", "Z ##[error]", "Z Post job cleanup.\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	if !strings.HasPrefix(text, bom+"2024-07-08T16:48:09.") {
		t.Errorf("begins with %q", text[:40])
	}
	if !regexp.MustCompile(`Z Download action repository 'actions/checkout@v4' \(SHA:[0-9a-f]{40}\)\n`).MatchString(text) {
		t.Error("no action")
	}
	if !strings.HasSuffix(text, "Z Cleaning up orphan processes\n") {
		t.Errorf("ends with %q", text[len(text)-60:])
	}
}

func TestStyles(t *testing.T) {
	const size = 1 << 20
	longest := func(s string) (n int) {
		for l := range strings.Lines(s) {
			n = max(n, len(l))
		}
		return n
	}
	for name, c := range map[string]struct {
		style LogStyle
		has   func(string) bool
	}{
		"CRLF":               {LogStyle{CRLF: true}, func(s string) bool { return strings.Count(s, "\n") == strings.Count(s, "\r\n") }},
		"ANSI":               {LogStyle{ANSI: true}, func(s string) bool { return strings.Contains(s, "\x1b[33m") }},
		"HugeLine":           {LogStyle{HugeLine: true}, func(s string) bool { return longest(s) > hugeLine }},
		"NULBytes":           {LogStyle{NULBytes: true}, func(s string) bool { return strings.Contains(s, "\x00") }},
		"InvalidUTF8":        {LogStyle{InvalidUTF8: true}, func(s string) bool { return !utf8.ValidString(s) }},
		"UntimestampedLines": {LogStyle{UntimestampedLines: true}, func(s string) bool { return regexp.MustCompile(`\n[^2]`).MatchString(s) }},
		"RunnerName":         {LogStyle{RunnerName: "hangar-01"}, func(s string) bool { return strings.Contains(s, "Z Machine name: 'hangar-01'\n") }},
		"reusable workflow":  {LogStyle{JobName: "Deploy / apply"}, func(s string) bool { return strings.Contains(s, "Z Uses: acme/rocket/.github/workflows/deploy.yml@") }},
	} {
		if !c.has(string(GeneratedLog(1, size, c.style).Bytes())) {
			t.Errorf("%s: not so", name)
		}
		c.style = LogStyle{}
		if name != "CRLF" && c.has(string(GeneratedLog(1, size, c.style).Bytes())) {
			t.Errorf("%s: so without it", name)
		}
	}
}

// TestLogFollowsSteps: each step that ran has its group, within its time.
func TestLogFollowsSteps(t *testing.T) {
	var (
		begin   = time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC)
		failure = "failure"
		skipped = "skipped"
		steps   = inventedSteps(begin, 0)
	)
	steps[3].Conclusion = &failure
	steps[4].Conclusion = &skipped
	text := string(GeneratedLog(1, 200_000, LogStyle{Steps: steps}).Bytes())
	for _, st := range steps[1:4] {
		_, rest, ok := strings.Cut(text, "Z ##[group]"+st.Name+"\n")
		if !ok {
			t.Fatalf("no %s", st.Name)
		}
		at, err := time.Parse(time.RFC3339, rest[:28])
		if err != nil || at.Before(*st.StartedAt) || at.After(*st.CompletedAt) {
			t.Errorf("%s: %v not within %v and %v", st.Name, at, st.StartedAt, st.CompletedAt)
		}
	}
	if !strings.Contains(text, "Z ##[error]Process completed with exit code 1.\n") || strings.Contains(text, "Post job cleanup.") {
		t.Error("the end of the steps is not told")
	}
}

// TestLogCompressesLikeALog keeps benchmarks honest: real build logs shrink five
// to ten times.
func TestLogCompressesLikeALog(t *testing.T) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	l := GeneratedLog(1, 1<<20, LogStyle{})
	io.Copy(z, l.Reader())
	z.Close()
	if ratio := float64(l.Size()) / float64(out.Len()); ratio < 4 || ratio > 15 {
		t.Errorf("shrinks %.1f times", ratio)
	}
}
