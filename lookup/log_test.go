package lookup_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

func strangeLogs() map[string][]byte {
	return map[string][]byte{
		"empty":            nil,
		"one newline":      []byte("\n"),
		"no final newline": []byte("a\nb"),
		"CRLF":             []byte("a\r\nb\r\n"),
		"byte order mark":  []byte("\ufeffa\nb\n"),
		"no text":          []byte("\x00\xff\xfe\n\xc3\n"),
		"a long line":      []byte("a\n" + strings.Repeat("x", 3<<20) + "\nb\n"),
		"many lines":       manyLines(40_000),
	}
}

func (f *fixture) copy(job int64, p lookup.Selection) ([]byte, error) {
	var b bytes.Buffer
	log, err := f.logs.Find(f.t.Context(), job)
	if err == nil {
		err = f.logs.Copy(f.t.Context(), &b, log, p)
	}
	return b.Bytes(), err
}

func (f *fixture) whole(job int64) ([]byte, error) { return f.copy(job, lookup.Selection{}) }

func (f *fixture) lines(job, first, last int64) (string, error) {
	b, err := f.copy(job, lookup.Selection{First: first, Last: last})
	return string(b), err
}

func (f *fixture) step(job, number int64) (string, error) {
	b, err := f.copy(job, lookup.Selection{Step: &number})
	return string(b), err
}

func TestWholeLogIsWhatGitHubSent(t *testing.T) {
	f := newFixture(t)
	var id int64
	for name, raw := range strangeLogs() {
		id++
		f.job(id)
		f.archive(id, raw)
		got, err := f.whole(id)
		f.check(err)
		if !bytes.Equal(got, raw) {
			t.Errorf("%s: %d bytes, want %d as sent", name, len(got), len(raw))
		}
	}
}

func TestLinesAreExactlyThoseAskedFor(t *testing.T) {
	f := newFixture(t)
	var id int64
	for name, raw := range strangeLogs() {
		id++
		f.job(id)
		log := f.archive(id, raw)
		n := log.Lines
		for _, c := range [][2]int64{
			{1, n}, {1, 1}, {n, n}, {2, 3}, {n / 2, n/2 + 10}, {0, 2}, {-5, 1}, {n - 1, n + 100}, {n + 1, n + 5}, {3, 2}, {1, math.MaxInt64},
			{math.MinInt64, math.MaxInt64},
		} {
			got, err := f.lines(id, c[0], c[1])
			f.check(err)
			if want := cut(raw, int(c[0]), int(c[1])); got != want {
				t.Errorf("%s, lines %d to %d: %d bytes, want %d", name, c[0], c[1], len(got), len(want))
			}
		}
	}
}

func TestAnyLinesOfALargeLog(t *testing.T) {
	f := newFixture(t)
	raw := manyLines(60_000)
	f.job(3)
	if log := f.archive(3, raw); len(log.FrameLines) < 4 {
		t.Fatalf("the log has %d frames only", len(log.FrameLines))
	}
	rapid.Check(t, func(rt *rapid.T) {
		first := rapid.IntRange(1, 60_010).Draw(rt, "first")
		last := first + rapid.IntRange(-1, 20_000).Draw(rt, "more")
		got, err := f.lines(3, int64(first), int64(last))
		f.check(err)
		if got != cut(raw, first, last) {
			rt.Errorf("lines %d to %d are not right", first, last)
		}
	})
}

func TestAStepIsItsLines(t *testing.T) {
	f := newFixture(t)
	raw := manyLines(30_000)
	f.job(3, "set up", "build", "skipped")
	f.archive(3, raw, store.StepLines{Number: 1, First: 1, Last: 9}, store.StepLines{Number: 2, First: 10, Last: 30_000})
	for number, want := range map[int64]string{1: cut(raw, 1, 9), 2: cut(raw, 10, 30_000)} {
		got, err := f.step(3, number)
		f.check(err)
		if got != want {
			t.Errorf("step %d has %d bytes, want %d", number, len(got), len(want))
		}
	}
}

func TestAStepWithoutLinesSaysSo(t *testing.T) {
	f := newFixture(t)
	f.job(3, "set up", "it's skipped")
	f.archive(3, []byte("a\nb\n"), store.StepLines{Number: 1, First: 1, Last: 2})
	got, err := f.step(3, 2)
	if err == nil || got != "" {
		t.Fatalf("got %q, %v", got, err)
	}
	for _, part := range []string{"job 3", "step 2", "it's skipped", "no lines"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
	// There is such a step, and there is a log.
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, lookup.ErrNoLog) {
		t.Errorf("taken for another error: %v", err)
	}
}

func TestAnUnknownStepIsNotFound(t *testing.T) {
	f := newFixture(t)
	f.job(3, "set up")
	f.job(4, "set up", "of another job")
	f.archive(3, []byte("a\n"), store.StepLines{Number: 1, First: 1, Last: 1})
	for _, number := range []int64{2, 0, -1} {
		got, err := f.step(3, number)
		if !errors.Is(err, lookup.ErrNoStep) || errors.Is(err, lookup.ErrNoLog) || got != "" {
			t.Errorf("step %d: %q, %v", number, got, err)
		}
		if !strings.Contains(fmt.Sprint(err), fmt.Sprintf("no step %d", number)) {
			t.Errorf("step %d: %v", number, err)
		}
	}
}

// each reads a job in the three ways.
func (f *fixture) each(job int64, want func(how, got string, err error)) {
	f.t.Helper()
	whole, err := f.whole(job)
	want("whole", string(whole), err)
	lines, err := f.lines(job, 1, 10)
	want("lines", lines, err)
	step, err := f.step(job, 1)
	want("step", step, err)
}

func TestAnUnknownJobIsNotFound(t *testing.T) {
	f := newFixture(t)
	f.each(99, func(how, got string, err error) {
		if !errors.Is(err, store.ErrNotFound) || errors.Is(err, lookup.ErrNoLog) || got != "" {
			t.Errorf("%s: %q, %v", how, got, err)
		}
	})
}

func TestNoLogSaysTheStateAndWhy(t *testing.T) {
	f := newFixture(t)
	var id int64
	for _, state := range []string{store.LogPending, store.LogNone, store.LogExpired, store.LogMissing, store.LogDenied, store.LogRemoved} {
		for _, reason := range []string{"", "GitHub said: Gone"} {
			id++
			f.job(id, "set up")
			f.settle(store.Settlement{JobID: id, State: state, Reason: reason, HTTPStatus: 410, Asked: true})
			want := fmt.Sprintf("job %d: %v; it is %s", id, lookup.ErrNoLog, state)
			if state == store.LogRemoved {
				want += " since 2024-07-08T16:48:09Z"
			}
			if reason != "" {
				want += ": " + reason
			}
			f.each(id, func(how, got string, err error) {
				if !errors.Is(err, lookup.ErrNoLog) || errors.Is(err, store.ErrNotFound) || got != "" {
					t.Errorf("%s of one that is %s: %q, %v", how, state, got, err)
				} else if err.Error() != want {
					t.Errorf("%s: %v, want %s", how, err, want)
				}
			})
		}
	}
}

// If the ledger has a log and the bucket does not, the answer is an error, and not "no
// log".
func TestALogThatIsGoneFromTheBucketIsAnError(t *testing.T) {
	f := newFixture(t)
	f.job(3, "set up")
	f.archive(3, []byte("a\n"), store.StepLines{Number: 1, First: 1, Last: 1})
	empty, err := bucket.Open(testenv.FileBucketURL(t))
	f.check(err)
	f.logs.Archive, err = archive.New(empty, 1<<40)
	f.check(err)
	f.each(3, func(how, got string, err error) {
		if !errors.Is(err, bucket.ErrNotFound) || errors.Is(err, store.ErrNotFound) || errors.Is(err, lookup.ErrNoLog) || got != "" {
			t.Errorf("%s: %q, %v", how, got, err)
		}
	})
}

// full takes no byte.
type full struct{}

var errFull = errors.New("disk full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestAWriterThatFailsIsTheError(t *testing.T) {
	f := newFixture(t)
	f.job(3, "set up")
	f.archive(3, []byte("a\nb\n"), store.StepLines{Number: 1, First: 1, Last: 2})
	log, err := f.logs.Find(t.Context(), 3)
	f.check(err)
	for _, p := range []lookup.Selection{{}, {First: 1, Last: 2}, {Step: new(int64(1))}} {
		if err := f.logs.Copy(t.Context(), full{}, log, p); !errors.Is(err, errFull) {
			t.Errorf("%s: %v", p, err)
		}
	}
}

func TestParseLines(t *testing.T) {
	for in, want := range map[string]lookup.Selection{"7": {First: 7, Last: 7}, "7-9": {First: 7, Last: 9}, "7-": {First: 7, Last: math.MaxInt64}} {
		if p, err := lookup.ParseSelection(in); err != nil || p != want {
			t.Errorf("%q is %v, %v", in, p, err)
		}
	}
	for _, bad := range []string{"", "0", "-5", "a", "1-2-3", "5-4", "1-x", "-", "99999999999999999999"} {
		if _, err := lookup.ParseSelection(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
