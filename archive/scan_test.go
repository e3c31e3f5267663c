package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
)

// checkScans wants ranges of lines to be visited, also such as are not there.
func checkScans(t *testing.T, a *archive.Archive, _ *countingBucket, log archive.Log, raw []byte) {
	n, lines := log.Lines, bytes.Split(raw, []byte("\n"))
	for _, r := range [][2]int64{{1, n}, {0, n + 5}, {1, 1}, {n, n}, {n / 2, n/2 + 100}, {n + 1, n + 2}, {3, 2}} {
		checkScan(t, a, log, lines, r[0], r[1])
	}
}

func TestScanAnyLines(t *testing.T) {
	t.Parallel()
	a := newArchive(t, buckettest.Open(t, "file://"+t.TempDir()), 1<<40)
	var job int64
	rapid.Check(t, func(rt *rapid.T) {
		var raw []byte
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, 700_000), 0, 8).Draw(rt, "line lengths") {
			raw = append(append(raw, bytes.Repeat([]byte("x"), n)...), '\n')
		}
		raw = append(raw, rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(rt, "tail")...)
		job++
		log := putLog(t, a, archive.JobKey{JobID: job}, raw)
		first := rapid.Int64Range(-1, log.Lines+1).Draw(rt, "first")
		checkScan(t, a, log, bytes.Split(raw, []byte("\n")), first, rapid.Int64Range(first, log.Lines+2).Draw(rt, "last"))
	})
}

// checkScan wants the lines first to last of those that a simple cut gives.
func checkScan(t *testing.T, a *archive.Archive, log archive.Log, lines [][]byte, first, last int64) {
	t.Helper()
	next := max(first, 1)
	err := a.ScanLines(t.Context(), log.LogLayout, first, last, func(n int64, line []byte) error {
		if n != next || n > last {
			return fmt.Errorf("line %d comes, want %d of %d", n, next, last)
		}
		want := lines[n-1]
		if !bytes.Equal(line, want[:min(len(want), archive.MaxLine)]) {
			return fmt.Errorf("line %d has %d bytes, want %d", n, len(line), len(want))
		}
		next++
		return nil
	})
	if want := max(min(last, log.Lines)+1, max(first, 1)); err != nil || next != want {
		t.Errorf("lines %d-%d of %d end before %d, want %d: %v", first, last, log.Lines, next, want, err)
	}
}

func TestScanEnds(t *testing.T) {
	t.Parallel()
	a := newArchive(t, buckettest.Open(t, "file://"+t.TempDir()), 1<<40)
	log := putLog(t, a, key, text(5<<20))
	broken := errors.New("broken")
	for returned, want := range map[error]error{archive.ErrStop: nil, fmt.Errorf("found: %w", archive.ErrStop): nil, broken: broken} {
		var seen int64
		err := a.ScanLines(t.Context(), log.LogLayout, 1, log.Lines, func(n int64, _ []byte) error {
			if seen = n; n == 1000 {
				return returned
			}
			return nil
		})
		if !errors.Is(err, want) || seen != 1000 {
			t.Errorf("%v: ended at line %d with %v, want %v", returned, seen, err, want)
		}
	}
}

// A line may be longer than memory: what is held of it does not grow with it.
func TestScanHugeLine(t *testing.T) {
	t.Parallel()
	a := newArchive(t, buckettest.Open(t, "file://"+t.TempDir()), 1<<40)
	const huge = 16 << 20
	log, err := a.PutLog(t.Context(), key, io.MultiReader(strings.NewReader("before\n"), io.LimitReader(endless{}, huge), strings.NewReader("\nafter")))
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int
	err = a.ScanLines(t.Context(), log.LogLayout, 1, 3, func(_ int64, line []byte) error {
		if cap(line) > 2*archive.MaxLine {
			t.Errorf("%d bytes are held", cap(line))
		}
		sizes = append(sizes, len(line))
		return nil
	})
	if got := fmt.Sprint(sizes); err != nil || got != fmt.Sprint([]int{6, archive.MaxLine, 5}) {
		t.Errorf("lines of %s bytes, %v", got, err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, "jobvault "), nil }
