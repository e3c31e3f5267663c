package search_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/archive/ngram"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/lookup/search"
	"github.com/jobvault/jobvault/store"
)

// heard is what a search told.
type heard struct {
	found  []search.Match
	faults []search.Fault
	stop   func(search.Match) bool
}

func (h *heard) Matches(found []search.Match, _ bool) error {
	for _, f := range found {
		h.found = append(h.found, f)
		if h.stop != nil && h.stop(f) {
			return archive.ErrStop
		}
	}
	return nil
}

func (h *heard) Fault(f search.Fault)  { h.faults = append(h.faults, f) }
func (h *heard) Progress(search.Stats) {}

func searchVault(t *testing.T, v *testenv.Vault, q search.Query, expr string, o ngram.PatternOptions) (heard, search.Stats) {
	t.Helper()
	p, err := ngram.ParsePattern(expr, o)
	v.Check(err)
	q.Pattern = p
	if q.Parallel == 0 {
		q.Parallel = 4
	}
	var h heard
	sum, err := search.Run(t.Context(), lookup.Logs{DB: v.DB, Archive: v.Archive}, q, &h, nil)
	v.Check(err)
	return h, sum
}

// ripeLog has all that makes a log hard to search: several frames, lines across their
// borders and one longer than a frame, line ends of both kinds, colours, text that is
// not ASCII, lines without a timestamp, and no newline at the end.
func ripeLog() []byte {
	r := rand.New(rand.NewPCG(1, 2))
	words := []string{"error", "Error:", "kiss", "KISS", "ﬁle", "Straße", "É", "é", "a.b", "a+b", "foo(bar)", "x86_64", "2024", "\x1b[31mred\x1b[0m", "docker", "pull", "ki\x1b[1mss", "10 %\r20 %", "err\bo"}
	var b bytes.Buffer
	b.WriteString("\ufeff")
	for i := range 8_000 {
		stamp := fmt.Sprintf("2024-07-08T16:%02d:%02d.%07dZ ", i/60%60, i%60, i)
		switch i % 97 {
		case 13:
			stamp = ""
		case 29:
			stamp = "2024-99-08T16:48:09.3750041Z "
		}
		b.WriteString(stamp)
		for range r.IntN(14) {
			b.WriteString(words[r.IntN(len(words))] + " ")
		}
		fmt.Fprintf(&b, "%08x", r.Uint32())
		switch i {
		case 3_000:
			b.WriteString(strings.Repeat("long ", 300_000) + "needle-at-the-end")
		case 5_555:
			b.WriteString(" memdump.py needle")
		case 6_000: // of which frames see parts only
			b.WriteString(strings.Repeat("wide ", 300_000) + "\x1b[1mneedle-\x1b[0mat-the-end")
		}
		if i%41 == 0 {
			b.WriteByte('\r')
		}
		if i < 7_999 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

// The lines that are found, counts, and context are GNU grep's own, in the text that is
// seen and in the bytes, with the filters and without.
func TestSearchFindsWhatGrepFinds(t *testing.T) {
	t.Parallel()
	grep := testenv.Program(t, "GNU grep")
	v := testenv.NewVault(t)
	v.Record(v.Facts(1))
	raw := ripeLog()
	v.Log(1, raw)
	var seen, asIs bytes.Buffer
	for line := range bytes.Lines(raw) {
		text := joblog.ParseLine(line).Text
		asIs.Write(append(text[:len(text):len(text)], '\n'))
		seen.Write(append(joblog.AppendVisible(nil, text), '\n'))
	}
	dir := t.TempDir()
	v.Check(os.WriteFile(filepath.Join(dir, "seen.txt"), seen.Bytes(), 0o600))
	v.Check(os.WriteFile(filepath.Join(dir, "raw.txt"), asIs.Bytes(), 0o600))

	patterns := []struct {
		expr  string
		fixed bool
	}{
		{"needle", true}, {"needle-at-the-end$", false}, {"memdump\\.py", false}, {"error", true}, {"a.b", true}, {"a.b", false}, {"foo(bar)", true}, {"foo\\(bar\\)", false},
		{"kiss|pull [a-f0-9]+$", false}, {"^[0-9a-f]{8}$", false}, {"(docker ){3}", false}, {"Straße", true}, {"é", false}, {"^$", false}, {"not there at all", true},
		{"\\bred\\b", false}, {"[[:digit:]]{3}[[:alpha:]]$", false}, {"x86_64 .*docker.*Error:", false}, {"error\ndocker", true}, {"", false}, {".*", false}, {"(a|b)+\\+b", false},
		{"2024-07-08T", true}, {"2024-99", true}, {"\x1b[31mred", true}, {"needle-at-the-end", true}, {"10 %", true}, {"kiss", true}, {"20 %.*red$", false}, {"error", true},
	}
	flags := [][]string{{}, {"-i"}, {"-v"}, {"-c"}, {"-c", "-v"}, {"-i", "-v"}, {"-m3"}, {"-A2"}, {"-B3"}, {"-A1", "-B2"}, {"-C2", "-m5"}, {"-B4", "-i"}}
	for i, p := range patterns {
		if i == 6 {
			flags = flags[:3] // the rest goes the same way
		}
		for j, fs := range flags {
			args := append([]string{"-a", "-n"}, fs...)
			if p.fixed {
				args = append(args, "-F")
			} else {
				args = append(args, "-E")
			}
			q, o := search.Query{}, ngram.PatternOptions{Fixed: p.fixed}
			for _, f := range fs {
				n, _ := strconv.ParseInt(f[2:], 10, 64)
				switch f[:2] {
				case "-i":
					o.IgnoreCase = true
				case "-v":
					o.Inverse = true
				case "-c":
					q.CountOnly = true
				case "-m":
					q.MaxCount = n
				case "-A":
					q.After = n
				case "-B":
					q.Before = n
				case "-C":
					q.Before, q.After = n, n
				}
			}
			for file, show := range map[string]func([]byte) []byte{"seen.txt": joblog.VisibleText, "raw.txt": bytes.Clone} {
				if j > 2 && file == "raw.txt" {
					continue // likewise
				}
				want := grepOutput(t, grep, append(args, "--", p.expr, filepath.Join(dir, file)))
				o.Raw = file == "raw.txt"
				for _, unfiltered := range []bool{false, true} {
					q.Unfiltered = unfiltered
					h, _ := searchVault(t, v, q, p.expr, o)
					if diff := cmp.Diff(want, printed(h.found, q.CountOnly, show)); diff != "" {
						t.Fatalf("grep %q %s, unfiltered %v: (-grep +ours)\n%.2000s", args, file, unfiltered, diff)
					}
				}
			}
		}
	}
}

var grepped = regexp.MustCompile(`^(\d+)([:-])((?s).*)$`)

// grepOutput are the lines that grep prints: number, sign, and a beginning.
func grepOutput(t *testing.T, grep string, args []string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), grep, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		err = nil
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSuffix(line, "\n")
		if m := grepped.FindStringSubmatch(line); m != nil {
			lines = append(lines, m[1]+m[2]+m[3][:min(len(m[3]), 100)])
		} else if line != "--" && line != "0" {
			lines = append(lines, line)
		}
	}
	return lines
}

// printed is what grep would print, of lines as they are shown.
func printed(found []search.Match, count bool, show func([]byte) []byte) []string {
	lines := []string{}
	for _, f := range found {
		if count {
			lines = append(lines, strconv.FormatInt(f.Count, 10))
			continue
		}
		sign, text := ":", show([]byte(f.Text))
		if f.Context {
			sign = "-"
		}
		lines = append(lines, fmt.Sprintf("%d%s%s", f.Line, sign, text[:min(len(text), 100)]))
	}
	return lines
}

func TestSearchSelectsJobsAndStepsAndSkipsFrames(t *testing.T) {
	t.Parallel()
	v := testenv.NewVault(t)
	line := "2024-07-08T16:48:09.3750041Z go: downloading example.com/module v1.2.3\n"
	large := bytes.Repeat([]byte(line), 100_000)
	needle := []byte("2024-07-08T16:48:10.0000000Z password=hunter2\n")
	for id := int64(1); id <= 20; id++ {
		f := v.Facts(id, "Set up job", "Run make test", "Post")
		if id%2 == 0 {
			f.Labels = []string{"self-hosted"}
		}
		v.Record(f)
		raw := large
		if id == 7 || id == 8 {
			raw = append(bytes.Clone(large), needle...)
		}
		v.Log(id, raw, store.StepLines{Number: 1, First: 1, Last: 1000}, store.StepLines{Number: 2, First: 1001, Last: 100_000}, store.StepLines{Number: 3, First: 100_001, Last: 100_001})
	}
	v.Record(v.Facts(21)) // pending

	h, sum := searchVault(t, v, search.Query{}, "password=hunter2", ngram.PatternOptions{})
	if len(h.found) != 2 || h.found[0].JobID != 8 || h.found[1].JobID != 7 || !sum.Complete || sum.Logs != 20 || sum.Matched != 2 {
		t.Errorf("found %+v, %+v", h.found, sum)
	}
	if got := h.found[0]; got.Line != 100_001 || *got.Step != 3 || *got.StepName != "Post" || got.Text != "password=hunter2" || got.Time != "2024-07-08T16:48:10.0000000Z" || got.Repository != "acme/rocket" {
		t.Errorf("found %+v", got)
	}
	if share := float64(sum.ReadBytes) / float64(sum.RawBytes); share > 0.05 {
		t.Errorf("%.0f %% was read", 100*share)
	}
	h, _ = searchVault(t, v, search.Query{Jobs: store.JobFilter{Label: "self-hosted"}}, "password=hunter2", ngram.PatternOptions{})
	if len(h.found) != 1 || h.found[0].JobID != 8 {
		t.Errorf("by label: %+v", h.found)
	}
	for step, want := range map[string]int{"make": 0, "post": 2, "3": 2, "2": 0, "9": 0} {
		if h, _ := searchVault(t, v, search.Query{Step: step}, "password=hunter2", ngram.PatternOptions{}); len(h.found) != want {
			t.Errorf("in step %s: %+v", step, h.found)
		}
	}
	_, sum = searchVault(t, v, search.Query{Step: "1", CountOnly: true}, "downloading", ngram.PatternOptions{})
	if sum.Lines != 20*1000 || sum.ReadBytes > 20<<21 {
		t.Errorf("in step 1: %+v", sum)
	}
}

func TestSearchThatIsStoppedSaysWhereItGoesOn(t *testing.T) {
	t.Parallel()
	v := testenv.NewVault(t)
	for id := int64(1); id <= 30; id++ {
		v.Record(v.Facts(id))
		v.Log(id, []byte("2024-07-08T16:48:09.3750041Z found here\n"))
	}
	p, err := ngram.ParsePattern("found", ngram.PatternOptions{})
	v.Check(err)
	logs := lookup.Logs{DB: v.DB, Archive: v.Archive}
	var ids []int64
	q := search.Query{Pattern: p, Parallel: 8}
	for {
		h := heard{stop: func(f search.Match) bool { return f.JobID%7 == 0 }}
		sum, err := search.Run(t.Context(), logs, q, &h, nil)
		v.Check(err)
		for _, f := range h.found {
			ids = append(ids, f.JobID)
		}
		if sum.Complete {
			break
		}
		q.Jobs.After = sum.Next
	}
	for i, id := range ids {
		if id != int64(30-i) {
			t.Fatalf("jobs in the order %v", ids)
		}
	}
	if len(ids) != 30 {
		t.Errorf("%d jobs", len(ids))
	}

	ctx, cancel := context.WithCancel(t.Context())
	h := heard{stop: func(f search.Match) bool {
		if f.JobID == 20 {
			cancel()
		}
		return false
	}}
	sum, err := search.Run(ctx, logs, search.Query{Pattern: p, Parallel: 8}, &h, nil)
	if !errors.Is(err, context.Canceled) || sum.Complete || len(h.found) < 11 || sum.Next == nil {
		t.Errorf("cancelled: %v, %+v, %d found", err, sum, len(h.found))
	}
}

func TestSearchTellsOfLogsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	v := testenv.NewVault(t)
	raw := bytes.Repeat([]byte("2024-07-08T16:48:09.3750041Z some text of no interest\n"), 40_000)
	for id := int64(1); id <= 4; id++ {
		v.Record(v.Facts(id))
		v.Log(id, append(bytes.Clone(raw), []byte("2024-07-08T16:48:10.3750041Z needle\n")...))
	}
	key := func(id int64) archive.JobKey {
		return archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: id}
	}
	bucket := v.Archive.Bucket()
	v.Check(bucket.Remove(t.Context(), key(1).Log()))
	v.Check(bucket.Remove(t.Context(), key(2).Filter())) // no filters: read whole
	_, err := bucket.Replace(t.Context(), key(3).Filter(), strings.NewReader("jobvault filters 1\nand nonsense"))
	v.Check(err)
	h, sum := searchVault(t, v, search.Query{}, "needle", ngram.PatternOptions{})
	if len(h.found) != 3 || len(h.faults) != 1 || h.faults[0].JobID != 1 || sum.Faults != 1 || sum.Logs != 4 {
		t.Errorf("found %d, faults %v, %+v", len(h.found), h.faults, sum)
	}
}

func TestPatternsThatRE2DoesNotHaveAreExplained(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		`(a)\1`: `\1: RE2 has no references to groups`, `(?=a)`: `(?=: RE2 has no such group; it looks neither ahead nor behind`, `a(`: "missing closing )",
		`a{1001}`: "invalid repeat count", strings.Repeat("a", 5000): "a pattern of 5000 bytes: at most 4096",
	} {
		if _, err := ngram.ParsePattern(expr, ngram.PatternOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: %v, want %s", expr, err, want)
		}
	}
}

// An engine that goes back would be at it for ever.
func TestPatternsThatExplodeElsewhereEnd(t *testing.T) {
	t.Parallel()
	v := testenv.NewVault(t)
	v.Record(v.Facts(1))
	v.Log(1, []byte("2024-07-08T16:48:09.3750041Z "+strings.Repeat("a", 50_000)+"\n"))
	for _, expr := range []string{`(a+)+$b`, `(a|a)*b`, `(a*)*b`, `(.*){5}b`, `(a?){50}a{50}b`} {
		if h, _ := searchVault(t, v, search.Query{}, expr, ngram.PatternOptions{}); len(h.found) != 0 {
			t.Errorf("%s: found %d", expr, len(h.found))
		}
	}
}
