package ngram

import (
	"bytes"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/archive/joblog"
	"pgregory.net/rapid"
)

// makeFilters cuts a log into frames of a size.
func makeFilters(log []byte, frame int) []BloomFilter {
	var m FilterBuilder
	for len(log) > 0 {
		n := min(frame, len(log))
		m.Add(log[:n])
		log = log[n:]
	}
	return m.Finish()
}

// controls are what a terminal acts on, whole and cut.
var controls = []string{"\x1b[31m", "\x1b[0m", "\x1b[K", "\x1b[1K", "\r", "\b", "\x1b[2D", "\x1b[9G", "\x1b]8;;abcabc\a", "\x1b]0;kissa\x1b\\", "\x1b", "\x1b[", "\x1b]8;;abca", "\x1b[A", "\xe2\x84\x1b[m\xaa"}

// Whatever is in a line is found with the filter of the frame that the line begins in: in
// what is seen of it, or in its bytes.
func TestFiltersMissNothing(t *testing.T) {
	t.Parallel()
	word := rapid.OneOf(rapid.StringMatching(`[a-cKkſsS\x{212a}É\n 0-1]{0,12}`), rapid.SampledFrom(controls))
	patterns := []string{
		`abc`, `ABC`, `a(b|c)+`, `(?i)kiss`, `(ab|bc)c*a`, `[ab]{3}`, `^a`, `a$`, `abc|cba|É`, `.`, `\d+ a`, `(?i)é`, ``, `a.b`, `(?i)\x{212a}a`, `[^a]bc`,
		`abcabc`, `abcab`, `abca`, `abca(bc|cb)ab`, `ABca|aabb(c|b)`, `(?i)kissa`, `(?i)aSKi`, `a(bc|cb)a?b`, `[ab]c(a)b+`, `aabb.*ccaa`, `(abcd|abce)?aabc`,
		`\x{FFFD}`, `a\x{FFFD}`, `ab\x{FFFD}caa`, `(a|b)?cab`, `\bcab\b`, `09.3750`, `Z abcabc`, `abcabc`,
		`\x1b\[31m`, `abc.{0,5}abc`, `8;;abc`, `^$`, `\x1b\[.mabc`, `^abc.*abc$`,
	}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(word).Draw(t, "words"), "")
		stamp := rapid.SampledFrom([]string{"", "2024-07-08T16:48:09.3750041Z ", "2024-07-31T16:48:09.3750041Z ", "2024-07-08T16:48:09.3750041Z", "2024-99-08T16:48:09.3750041Z abcabc"}).Draw(t, "stamp")
		log := []byte(stamp + strings.ReplaceAll(text, "\n", "\n"+stamp))
		if rapid.Bool().Draw(t, "invalid") {
			log = append(log, 'a', 0xff, 0xc5)
		}
		frame := rapid.IntRange(1, 100).Draw(t, "frame")
		expr := rapid.SampledFrom(patterns).Draw(t, "pattern")
		o := PatternOptions{IgnoreCase: rapid.Bool().Draw(t, "ignore case"), Inverse: rapid.Bool().Draw(t, "inverse"), Raw: rapid.Bool().Draw(t, "raw")}
		p, err := ParsePattern(expr, o)
		if err != nil {
			t.Fatal(err)
		}
		if o.IgnoreCase {
			expr = "(?i)" + expr
		}
		re := regexp.MustCompile(expr)
		filters := makeFilters(log, frame)
		if want := min((len(log)+frame-1)/frame, MaxFilters); len(filters) != want {
			t.Fatalf("%d filters of %d frames", len(filters), want)
		}
		var want []string
		at := 0
		for line := range bytes.Lines(log) {
			f := BloomFilter{Bits: []byte{0xff}} // which a frame without is like
			if at/frame < len(filters)-1 || len(filters) < MaxFilters {
				f = filters[at/frame]
			}
			text := joblog.ParseLine(line).Text
			if !o.Raw {
				text = joblog.VisibleText(text)
			}
			if seen := joblog.VisibleText(joblog.ParseLine(line).Text); f.Plain && string(seen) != string(joblog.ParseLine(line).Text) {
				t.Fatalf("frame %d is plain, and of %q is seen %q", at/frame, line, seen)
			}
			if re.Match(text) != o.Inverse {
				want = append(want, string(bytes.TrimSuffix(line, []byte("\n"))))
				if !p.MayBeIn(f) {
					t.Fatalf("%q is not found in frame %d", line, at/frame)
				}
			}
			at += len(line)
		}
		var got []string
		all := true
		for _, f := range filters {
			all = all && (f.Plain || len(f.Bits) == 0)
		}
		_ = p.Each(log, all && len(filters) < MaxFilters, func(start, end int) error {
			got = append(got, string(log[start:end]))
			return nil
		})
		if strings.Join(got, "|") != strings.Join(want, "|") || len(got) != len(want) {
			t.Fatalf("lines %q, want %q", got, want)
		}
		for i, f := range filters {
			if within := i > 0 && log[i*frame-1] != '\n'; f.StartsMidLine != within {
				t.Fatalf("frame %d within a line: %v", i, f.StartsMidLine)
			}
		}
	})
}

func TestFiltersSayNoToMostThatIsNotThere(t *testing.T) {
	t.Parallel()
	log := bytes.Repeat([]byte("2024-07-08T16:48:09.3750041Z go: downloading example.com/module v1.2.3\n"), 10_000)
	f := makeFilters(log, len(log))[0]
	for word, want := range map[string]bool{"downloading": true, "DOWNLOADING": true, "compromised": false, "memdump.py": false, "e5": true, "load": true} {
		p, err := ParsePattern(word, PatternOptions{Fixed: true, IgnoreCase: true})
		if err != nil {
			t.Fatal(err)
		}
		if p.MayBeIn(f) != want {
			t.Errorf("%s may be there: %v", word, !want)
		}
	}
	if share := float64(len(f.Bits)) / float64(len(log)); share > 1./filterShare {
		t.Errorf("the filter has %.1f %% of the log", 100*share)
	}
}

func TestLowerIsThatOfASCII(t *testing.T) {
	t.Parallel()
	all := make([]byte, 256+3)
	for i := range all {
		all[i] = byte(i)
	}
	want := bytes.Map(func(r rune) rune { return r }, nil)
	for _, c := range all {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		want = append(want, c)
	}
	if got := appendLower(nil, all); !bytes.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// A line that is too long to be put together is found, in whatever frame it ends.
func TestFiltersOfLongLines(t *testing.T) {
	t.Parallel()
	const frame = 100_000
	plain := strings.Repeat("some text of a long line ", 12_000)
	for name, c := range map[string]struct {
		log      string
		anything bool // its filter may say of anything that it is there
	}{
		"plain":             {plain + "\r\n", false},
		"coloured, short":   {plain[:frame-50] + "\nmem\x1b[31m" + plain[:100] + "\bdump\n", false},
		"coloured":          {"\x1b[31m" + plain + "mem\x1b[mdump\n", true},
		"coloured at last":  {plain + "mem\x1b[mdump\n", true},
		"written over":      {plain + "\rmem\x1b[mdump", true},
		"within one frame":  {plain[:frame-1000] + "\x1b[mmem\x1b[mdump\n" + plain, false},
		"no end, no escape": {plain, false},
	} {
		filters := makeFilters([]byte(c.log), frame)
		for i, line := range strings.SplitAfter(c.log, "\n") {
			if line == "" {
				continue
			}
			at := strings.Index(c.log, line) / frame
			text := string(joblog.VisibleText([]byte(strings.TrimRight(line, "\r\n"))))
			for _, part := range []string{text[:10], text[len(text)-10:]} {
				if p := fixed(t, part); !p.MayBeIn(filters[at]) {
					t.Errorf("%s: %q of line %d is not found in frame %d", name, part, i, at)
				}
			}
		}
		if got := fixed(t, "not there at all").MayBeIn(filters[0]); got != c.anything {
			t.Errorf("%s: anything may be there: %v", name, got)
		}
	}
}

func fixed(t *testing.T, text string) *Pattern {
	t.Helper()
	p, err := ParsePattern(text, PatternOptions{Fixed: true})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Where the time goes while a log is archived, and what is seen of coloured lines costs.
func BenchmarkFilterBuilder(b *testing.B) {
	for name, line := range benchmarkLines {
		b.Run(name, func(b *testing.B) {
			frame := bytes.Repeat([]byte(line), 1<<20/len(line))
			b.SetBytes(int64(len(frame)))
			var m FilterBuilder
			for b.Loop() {
				m.filters = m.filters[:0]
				m.Add(frame)
			}
		})
	}
}

var benchmarkLines = map[string]string{
	"plain":    "2024-07-08T16:48:09.3750041Z go: downloading example.com/module v1.2.3\n",
	"CRLF":     "2024-07-08T16:48:09.3750041Z go: downloading example.com/module v1.2.3\r\n",
	"coloured": "2024-07-08T16:48:09.3750041Z \x1b[36;1mgo: downloading\x1b[0m example.com/module v1.2.3\n",
	"progress": "2024-07-08T16:48:09.3750041Z go: downloading 1 %\rgo: downloading 2 %\rgo: downloading 3 %\n",
}

// How fast lines are looked for, of which there are none.
func BenchmarkEach(b *testing.B) {
	for name, line := range benchmarkLines {
		b.Run(name, func(b *testing.B) {
			block := bytes.Repeat([]byte(line), 1<<20/len(line))
			p, err := ParsePattern("not there", PatternOptions{Fixed: true})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(block)))
			for b.Loop() {
				_ = p.Each(block, false, func(_, _ int) error { return nil })
			}
		})
	}
}

// The worked example of the package's comment.
func TestQueryOfTheExample(t *testing.T) {
	t.Parallel()
	all := func(ngrams ...string) (q ngramQuery) {
		for _, n := range ngrams {
			q.hashes = append(q.hashes, hashNgram(ngramOf(n)))
		}
		return q
	}
	want := ngramQuery{or: true, subs: []ngramQuery{
		all("memdu", "mdump", "ump.p"), all("emdum", "dump.", "mp.py"),
		all("memdu", "mdump", "ump.s"), all("emdum", "dump.", "mp.sh"),
	}}
	p, err := ParsePattern(`memdump\.(py|sh)`, PatternOptions{})
	if err != nil || !reflect.DeepEqual(p.query, want) {
		t.Errorf("query %+v, want %+v: %v", p.query, want, err)
	}
	if got := string(bytes.Join(p.literals.list, []byte(" "))); got != "memdump." {
		t.Errorf("literals %q", got)
	}
}
