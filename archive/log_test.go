package archive_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

var key = archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 3, JobID: 4}

func newArchive(t testing.TB, b bucket.Bucket, limit int64) *archive.Archive {
	t.Helper()
	a, err := archive.New(b, limit)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// strangeLogs are logs that have broken others. They are made once, and not to be changed.
var strangeLogs = sync.OnceValue(func() map[string][]byte {
	stamp := "2024-07-08T16:48:09.3750041Z "
	var many bytes.Buffer
	for i := range 60_000 {
		fmt.Fprintf(&many, "%sline %d of many, with some text to fill the frames\n", stamp, i+1)
	}
	return map[string][]byte{
		"empty":             nil,
		"one newline":       []byte("\n"),
		"no final newline":  []byte(stamp + "a\n" + stamp + "b"),
		"CRLF":              []byte(stamp + "a\r\n" + stamp + "b\r\n"),
		"byte order marks":  []byte("\ufeff" + stamp + "a\n\ufeff" + stamp + "b\n"),
		"NUL bytes":         []byte(stamp + "a\x00b\n\x00\x00\n"),
		"invalid UTF-8":     []byte(stamp + "\xff\xfe\x80\n\xc3\n"),
		"450 KB line":       []byte(stamp + strings.Repeat("x", 450<<10) + "\n" + stamp + "next\n"),
		"5 MB line":         []byte("a\nb\n" + strings.Repeat("long ", 1<<20) + "\nc\nd"),
		"line ends a frame": append(bytes.Repeat([]byte("x"), 1<<20-1), "\nsecond frame\n"...),
		"frame of newlines": bytes.Repeat([]byte("\n"), 2<<20),
		"many lines":        many.Bytes(),
	}
})

func putLog(t testing.TB, a *archive.Archive, key archive.JobKey, raw []byte) archive.Log {
	t.Helper()
	// In pieces of odd sizes, as a network gives them.
	log, err := a.PutLog(t.Context(), key, iotest.HalfReader(bytes.NewReader(raw)))
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func readLog(t testing.TB, a *archive.Archive, key string) []byte {
	t.Helper()
	r, err := a.OpenLog(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// checkComesBack wants a log to come back to the byte, and described as it was when put.
func checkComesBack(t *testing.T, a *archive.Archive, b *countingBucket, log archive.Log, raw []byte) {
	if log.RawBytes != int64(len(raw)) || log.SHA256 != sha256.Sum256(raw) || log.Lines != countLines(raw) || log.Truncated {
		t.Errorf("described as %d bytes, %d lines, truncated %v", log.RawBytes, log.Lines, log.Truncated)
	}
	if got := readLog(t, a, log.Key); !bytes.Equal(got, raw) {
		t.Errorf("%d bytes came back as %d others", len(raw), len(got))
	}
	if n, err := b.Size(t.Context(), log.Key); err != nil || n != log.StoredBytes {
		t.Errorf("%d bytes stored, %d recorded (%v)", n, log.StoredBytes, err)
	}
	k, _, _ := archive.ParseKey(log.Key)
	back, err := a.Describe(t.Context(), k.Log())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(log, back, cmpopts.IgnoreUnexported(joblog.Indexer{})); diff != "" {
		t.Errorf("described otherwise when read back (-put +read):\n%s", diff)
	}
}

func TestCorpusLogsComeBackExactly(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join(testenv.Corpus(t), "logs", "*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no logs in the corpus: %v", err)
	}
	a := newArchive(t, buckettest.Open(t, "file://"+t.TempDir()), 1<<40)
	for i, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		log := putLog(t, a, archive.JobKey{RepositoryID: 1, RunID: 1, RunAttempt: 1, JobID: int64(i)}, raw)
		if !bytes.Equal(readLog(t, a, log.Key), raw) {
			t.Errorf("%s came back changed", path)
		}
	}
}

// Anyone must be able to read a log without jobvault.
func TestLogIsOrdinaryZstandard(t *testing.T) {
	t.Parallel()
	zstd := testenv.Program(t, "zstd")
	dir := t.TempDir()
	a := newArchive(t, buckettest.Open(t, "file://"+dir), 1<<40)
	var job int64
	for name, raw := range strangeLogs() {
		job++
		log := putLog(t, a, archive.JobKey{JobID: job}, raw)
		out, err := exec.CommandContext(t.Context(), zstd, "-dc", filepath.Join(dir, log.Key)).Output()
		if err != nil || !bytes.Equal(out, raw) {
			t.Errorf("%s: zstd -dc gives %d bytes, want %d (%v)", name, len(out), len(raw), err)
		}
	}
}

func TestLogIsCutAtTheLimit(t *testing.T) {
	t.Parallel()
	raw := buckettest.Noise(3 << 20)
	for _, c := range []struct {
		limit     int64
		truncated bool
	}{{1, true}, {1 << 20, true}, {1<<20 + 5, true}, {3<<20 - 1, true}, {3 << 20, false}, {3<<20 + 1, false}} {
		a := newArchive(t, buckettest.Open(t, "file://"+t.TempDir()), c.limit)
		log := putLog(t, a, key, raw)
		want := raw[:min(c.limit, int64(len(raw)))]
		if log.Truncated != c.truncated || log.RawBytes != int64(len(want)) || log.SHA256 != sha256.Sum256(want) {
			t.Errorf("limit %d: %d bytes, truncated %v", c.limit, log.RawBytes, log.Truncated)
		}
		if !bytes.Equal(readLog(t, a, log.Key), want) {
			t.Errorf("limit %d: came back changed", c.limit)
		}
	}
}

func TestFailedLogLeavesNothing(t *testing.T) {
	t.Parallel()
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		for _, broken := range []error{errors.New("connection reset"), io.ErrUnexpectedEOF} {
			failLog(t, newArchive(t, b, 1<<40), broken)
		}
		a := newArchive(t, b, 1<<40)
		full := putLog(t, a, key, []byte("whole\n"))
		if _, err := a.PutLog(t.Context(), key, strings.NewReader("less")); !errors.Is(err, bucket.ErrExists) {
			t.Errorf("second log: %v, want ErrExists", err)
		}
		if got := readLog(t, a, full.Key); string(got) != "whole\n" {
			t.Errorf("the log was replaced by %q", got)
		}
	})
}

// failLog puts logs whose source fails after a while.
func failLog(t *testing.T, a *archive.Archive, broken error) {
	t.Helper()
	for _, n := range []int{0, 100, 1 << 20, 2 * inParts} {
		r := io.MultiReader(bytes.NewReader(buckettest.Noise(n)), iotest.ErrReader(broken))
		if _, err := a.PutLog(t.Context(), key, r); !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v, want %v", n, err, broken)
		}
		if has, err := a.HasLog(t.Context(), key); has || err != nil {
			t.Errorf("after %d bytes: a log is there (%v)", n, err)
		}
	}
}

// checkLineRanges wants ranges of lines, also such as are not there.
func checkLineRanges(t *testing.T, a *archive.Archive, _ *countingBucket, log archive.Log, raw []byte) {
	n, lines := log.Lines, bytes.SplitAfter(raw, []byte("\n"))
	for _, r := range [][2]int64{{1, n}, {1, 1}, {n, n}, {n / 2, n/2 + 2}, {2, 3}, {0, 2}, {n - 1, n + 10}, {n + 1, n + 5}, {5, 4}, {-3, -1}} {
		checkLines(t, a, log, lines, r[0], r[1])
	}
}

func TestAnyLines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := buckettest.Open(t, "file://"+dir)
	a := newArchive(t, b, 1<<40)
	var job int64
	rapid.Check(t, func(rt *rapid.T) {
		var raw []byte
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, 400_000), 0, 12).Draw(rt, "line lengths") {
			raw = append(append(raw, buckettest.Noise(n)...), '\n')
		}
		raw = append(raw, rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(rt, "tail")...)
		job++
		log := putLog(t, a, archive.JobKey{JobID: job}, raw)
		first := rapid.Int64Range(-1, log.Lines+1).Draw(rt, "first")
		checkLines(t, a, log, bytes.SplitAfter(raw, []byte("\n")), first, rapid.Int64Range(first, log.Lines+2).Draw(rt, "last"))
	})
}

// checkLines wants the lines first to last of those that a simple cut gives.
func checkLines(t *testing.T, a *archive.Archive, log archive.Log, lines [][]byte, first, last int64) {
	t.Helper()
	var want []byte
	if from, to := max(first, 1), min(last, int64(len(lines))); from <= to {
		want = bytes.Join(lines[from-1:to], nil)
	}
	got := bytes.NewBuffer(make([]byte, 0, len(want)))
	ref := archive.LogLayout{Key: log.Key, StoredBytes: log.StoredBytes, Lines: log.Lines, FrameLines: log.FrameLines, FrameOffsets: log.FrameOffsets}
	if err := a.CopyLines(t.Context(), got, ref, first, last); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("lines %d-%d of %d have %d bytes, want %d", first, last, log.Lines, got.Len(), len(want))
	}
}

func countLines(raw []byte) int64 {
	n := int64(bytes.Count(raw, []byte("\n")))
	if len(raw) > 0 && raw[len(raw)-1] != '\n' {
		n++
	}
	return n
}

// An object that is not what was put must never pass for it.
func TestDescribeFindsDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := newArchive(t, buckettest.Open(t, "file://"+dir), 1<<40)
	log := putLog(t, a, key, strangeLogs()["many lines"])
	path := filepath.Join(dir, log.Key)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole)
	flipped[len(whole)/3] ^= 1
	for name, damaged := range map[string][]byte{
		"cut short": whole[:len(whole)-10], "cut in half": whole[:len(whole)/2], "empty": {}, "a bit flipped": flipped,
		"something appended": append(bytes.Clone(whole), whole...), "no log at all": []byte("<html>503</html>"),
	} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if back, err := a.Describe(t.Context(), key.Log()); err == nil && back.SHA256 == log.SHA256 {
			t.Errorf("%s: not noticed", name)
		}
	}
}

func TestDetailsAreKeptOnce(t *testing.T) {
	t.Parallel()
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		a := newArchive(t, b, 1)
		for _, raw := range []string{`{"id":4}`, `{"id":4,"later":true}`} {
			kept, err := a.PutDetails(t.Context(), key, []byte(raw))
			if err != nil || string(kept) != `{"id":4}` {
				t.Errorf("kept %s, %v; want the first", kept, err)
			}
		}
		for _, state := range []string{"missing", "expired"} {
			if _, err := a.PutSettled(t.Context(), key, archive.Settled{State: state}); err != nil {
				t.Error(err)
			}
		}
		if got := buckettest.Get(t, b, key.Settled(), 0, -1); !strings.Contains(string(got), "missing") {
			t.Errorf("settled.json is %s", got)
		}
	})
}
