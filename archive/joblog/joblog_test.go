package joblog_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/internal/testenv"
)

func TestParseLine(t *testing.T) {
	at := time.Date(2024, 7, 8, 16, 48, 9, 375004100, time.UTC)
	for in, want := range map[string]joblog.Line{
		"":                                       {Text: []byte("")},
		"abc":                                    {Text: []byte("abc")},
		"2024-07-08T16:48:09.3750041Z message\n": {Time: at, Text: []byte("message")},
		"2024-07-08T16:48:09.3750041Z message\r\n":             {Time: at, Text: []byte("message")},
		"\ufeff2024-07-08T16:48:09.3750041Z ##[group]Run x\n":  {Time: at, Text: []byte("##[group]Run x")},
		"2024-07-08T16:48:09.3750041Z":                         {Time: at, Text: []byte("")},
		"2024-07-08T16:48:09.3750041Z \n":                      {Time: at, Text: []byte("")},
		"2024-07-08T16:48:09.3750041Z   indented":              {Time: at, Text: []byte("  indented")},
		"2024-07-08T16:48:09.375Z three digits\n":              {Text: []byte("2024-07-08T16:48:09.375Z three digits")},
		"2024-13-08T16:48:09.3750041Z no such month":           {Text: []byte("2024-13-08T16:48:09.3750041Z no such month")},
		" 2024-07-08T16:48:09.3750041Z not at the start\n":     {Text: []byte(" 2024-07-08T16:48:09.3750041Z not at the start")},
		"2024-07-08T16:48:09.3750041Z a\x00b\xff\x1b[31mred\n": {Time: at, Text: []byte("a\x00b\xff\x1b[31mred")},
	} {
		if diff := cmp.Diff(want, joblog.ParseLine([]byte(in))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
	}
}

// A line is its parts, whatever it holds.
func FuzzParseLine(f *testing.F) {
	f.Add([]byte("2024-07-08T16:48:09.3750041Z ##[error]x\r\n"))
	f.Add([]byte("\ufeff2024-07-08T16:48:09.3750041Z"))
	f.Add([]byte("\xff\x00\n\n"))
	f.Add([]byte("0000-01-01T00:00:00,0000000Z"))
	f.Add([]byte("0000-01-01T00:00:00.+000000Z"))
	f.Add([]byte("0001-01-01T00:00:00.0000000Z a"))
	f.Add([]byte("2024-02-30T24:00:61.0000000Z a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l := joblog.ParseLine(b)
		if !bytes.Contains(b, l.Text) {
			t.Errorf("%q is not part of %q", l.Text, b)
		}
		if l.Time.IsZero() && len(b)-len(l.Text) > len("\ufeff\r\n") {
			t.Errorf("%d bytes of %q are lost", len(b)-len(l.Text), b)
		}
		if !l.Time.IsZero() && !bytes.Contains(b, []byte(l.Time.Format("2006-01-02T15:04:05.0000000Z"))) {
			t.Errorf("time %v is not in %q", l.Time, b)
		}
		stamp, text := joblog.SplitLine(b)
		if !bytes.Equal(text, l.Text) || (len(stamp) > 0) == l.Time.IsZero() {
			t.Errorf("%q is cut into %q and %q", b, stamp, text)
		}
	})
}

func index(pieces ...[]byte) *joblog.Index {
	x := joblog.NewIndexer()
	for _, p := range pieces {
		x.Add(p)
	}
	return x.Finish()
}

// Where the log is cut into pieces must not matter.
func TestIndexDoesNotDependOnPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var log []byte
		for range rapid.IntRange(0, 30).Draw(t, "lines") {
			log = append(log, rapid.SampledFrom([]string{
				"2024-07-08T16:48:09.3750041Z ##[group]Run make\n", "2024-07-08T16:48:10.0000000Z Post job cleanup.\n",
				"\ufeff2024-07-08T16:48:11.0000000Z text\r\n", "no stamp\n", "\n", strings.Repeat("x", 200), "2024-07-08T16:48:12.0",
			}).Draw(t, "line")...)
		}
		cuts := rapid.SliceOfN(rapid.IntRange(0, len(log)), 0, 10).Draw(t, "cuts")
		sort.Ints(cuts)
		var pieces [][]byte
		last := 0
		for _, c := range append(cuts, len(log)) {
			pieces = append(pieces, log[last:c])
			last = c
		}
		if diff := cmp.Diff(index(log), index(pieces...)); diff != "" {
			t.Errorf("whole (-) and in pieces (+):\n%s", diff)
		}
	})
}

func TestIndexIsBounded(t *testing.T) {
	x := joblog.NewIndexer()
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 150_000 {
		x.Add([]byte(at.Format("2006-01-02T15:04:05.0000000Z ") + "##[group]Run x\n"))
		at = at.Add(time.Second)
	}
	got := x.Finish()
	if got.Lines != 150_000 || len(got.Seconds) > 100_000 || len(got.Marks) > 40_000 || !got.MarksCut {
		t.Errorf("%d lines, %d seconds, %d marks", got.Lines, len(got.Seconds), len(got.Marks))
	}
}

// A step's mark is found beside those of a script that prints a million of them.
func TestMarksAreKeptBesideAMillion(t *testing.T) {
	x := joblog.NewIndexer()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	print := func(after time.Duration, text string) {
		x.Add([]byte(at.Add(after).Format(stamp) + text + "\n"))
	}
	print(0, "Current runner version: '2.337.0'")
	print(time.Second, "##[group]Run make")
	for i := range 1_000_000 {
		print(2*time.Second+time.Duration(i)*100*time.Microsecond, "##[group]Run things")
	}
	print(110*time.Second, "##[group]Run make test")
	print(111*time.Second, "Cleaning up orphan processes")
	var steps []joblog.Step
	for i, s := range []struct {
		name     string
		from, to int
	}{{"Set up job", 0, 1}, {"Run make", 1, 110}, {"Test", 110, 111}, {"Complete job", 111, 111}} {
		steps = append(steps, joblog.Step{Number: int64(i), Name: s.name, Conclusion: "success", StartedAt: at.Add(time.Duration(s.from) * time.Second), CompletedAt: at.Add(time.Duration(s.to) * time.Second)})
	}
	if got := told(joblog.AlignSteps(x.Finish(), steps)); got != "0:1-1 1:2-1000002 2:1000003-1000003 3:1000004-1000004" {
		t.Errorf("steps: %s", got)
	}
}

func TestAlignSteps(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, "2024-07-08T16:48:"+s+"Z")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	log := `2024-07-08T16:48:09.1000000Z Current runner version: '2.317.0'
2024-07-08T16:48:09.9000000Z Complete job name: build
2024-07-08T16:48:10.1000000Z ##[group]Run actions/checkout@v4
2024-07-08T16:48:10.2000000Z output without a stamp follows
second line of it
2024-07-08T16:48:10.9000000Z ##[group]Run make
2024-07-08T16:48:20.0000000Z built
2024-07-08T16:48:21.0000000Z Post job cleanup.
2024-07-08T16:48:21.5000000Z Cleaning up orphan processes
`
	steps := []joblog.Step{
		{Number: 30, StartedAt: at("21")}, // listed out of order, numbers with gaps
		{Number: 1, StartedAt: at("09")},
		{Number: 2, StartedAt: at("10")},
		{Number: 3, StartedAt: at("10")},
		{Number: 29, StartedAt: at("21")},
	}
	want := []joblog.Range{
		{Number: 1, First: 1, Last: 2, Certainty: joblog.Estimated}, {Number: 2, First: 3, Last: 5, Certainty: joblog.Estimated}, {Number: 3, First: 6, Last: 7, Certainty: joblog.Estimated},
		{Number: 29, First: 8, Last: 8, Certainty: joblog.Estimated}, {Number: 30, First: 9, Last: 9, Certainty: joblog.Estimated},
	}
	if diff := cmp.Diff(want, joblog.AlignSteps(index([]byte(log)), steps)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := joblog.AlignSteps(index(nil), steps); got != nil {
		t.Errorf("steps of an empty log: %v", got)
	}
	if got := joblog.AlignSteps(index([]byte("no\nstamps\n")), steps); told(got) != "1,2,3,29,30:1-2s" {
		t.Errorf("steps of a log without stamps: %v, want them to share all lines", got)
	}
}

// Measured against a real log that its server also gave cut by step.
func TestEstimateAgainstGroundTruth(t *testing.T) {
	z, err := zip.OpenReader(filepath.Join(testenv.Corpus(t), "logs", "gato-x-run_log.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	stepFile := regexp.MustCompile(`/(\d+)_.*\.txt$`)
	var whole []byte
	truth := make(map[int64][]byte)
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if m := stepFile.FindStringSubmatch(f.Name); m != nil {
			n, err := strconv.ParseInt(m[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			truth[n] = b
		} else if strings.HasPrefix(f.Name, "0_") {
			whole = b
		}
	}
	var steps []joblog.Step
	var expect []int64 // step of each line
	var numbers []int64
	for n := range truth {
		numbers = append(numbers, n)
	}
	sort.Slice(numbers, func(i, j int) bool { return numbers[i] < numbers[j] })
	for _, n := range numbers {
		first := joblog.ParseLine(truth[n][:bytes.IndexByte(truth[n], '\n')])
		steps = append(steps, joblog.Step{Number: n, StartedAt: first.Time.Truncate(time.Second)})
		for range bytes.Count(truth[n], []byte("\n")) {
			expect = append(expect, n)
		}
	}
	x := index(whole)
	// Lines of the whole log that stand before the first step's file.
	lead := int(x.Lines) - len(expect)
	right := 0
	for _, r := range joblog.AlignSteps(x, steps) {
		for line := r.First; line <= r.Last; line++ {
			if i := int(line) - 1 - lead; i < 0 && r.Number == numbers[0] || i >= 0 && expect[i] == r.Number {
				right++
			}
		}
	}
	share := float64(right) / float64(x.Lines)
	fmt.Printf("lines put into the right step: %d of %d, %.2f %%\n", right, x.Lines, 100*share)
	if share < 1 {
		t.Errorf("%.2f %% of the lines are in the right step, want all", 100*share)
	}
}

func TestKind(t *testing.T) {
	for in, want := range map[string]struct {
		kind joblog.Kind
		text string
	}{
		"##[group]Run make":          {joblog.Group, "Run make"},
		"##[endgroup]":               {joblog.EndGroup, ""},
		"##[error]it broke":          {joblog.Error, "it broke"},
		"##[warning]":                {joblog.Warning, ""},
		"##[section]Starting: x":     {joblog.Section, "Starting: x"},
		"[command]/usr/bin/git init": {joblog.Command, "/usr/bin/git init"},
		"::group::Gitea's":           {joblog.Group, "Gitea's"},
		"::endgroup::":               {joblog.EndGroup, ""},
		"::error::a command":         {joblog.Plain, "::error::a command"},
		"##[ERROR]x":                 {joblog.Plain, "##[ERROR]x"},
		"##[what]x":                  {joblog.Plain, "##[what]x"},
		"##[":                        {joblog.Plain, "##["},
		"##[error":                   {joblog.Plain, "##[error"},
		"[":                          {joblog.Plain, "["},
		"::":                         {joblog.Plain, "::"},
		":::":                        {joblog.Plain, ":::"},
		"::group:":                   {joblog.Plain, "::group:"},
		"":                           {joblog.Plain, ""},
		" ##[error]indented":         {joblog.Plain, " ##[error]indented"},
	} {
		kind, text := joblog.Line{Text: []byte(in)}.Kind()
		if kind != want.kind || string(text) != want.text {
			t.Errorf("%q: %q, %q", in, kind, text)
		}
	}
}

// Thousands of errors, as of a compiler, leave room for other marks.
func TestRepeatedErrorsAreFewMarks(t *testing.T) {
	t.Parallel()
	x := index([]byte(strings.Repeat("2026-11-20T10:00:00.0000000Z ##[error]x\n", 10_000) + "2026-11-20T10:00:01.0000000Z ok\n2026-11-20T10:00:01.0000000Z ##[error]y\n"))
	if n := len(x.Marks); n != 52 || x.MarksCut || x.FirstError != 1 {
		t.Errorf("%d marks, some cut: %v; the first error at line %d", n, x.MarksCut, x.FirstError)
	}
}
