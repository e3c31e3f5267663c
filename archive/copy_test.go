package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
)

// countingBucket counts the requests for data.
type countingBucket struct {
	bucket.Bucket
	gets atomic.Int64
}

func (b *countingBucket) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	b.gets.Add(1)
	return b.Bucket.Get(ctx, key, offset, length)
}

// asked fails if there were more than a number of requests since it was last called.
func (b *countingBucket) asked(t testing.TB, what string, most int64) {
	t.Helper()
	if n := b.gets.Swap(0); n > most {
		t.Errorf("%s: %d requests, want at most %d", what, n, most)
	}
}

// readers are the ways to read a log.
var readers = map[string]func(t *testing.T, a *archive.Archive, b *countingBucket, log archive.Log, raw []byte){
	"comes back": checkComesBack, "whole": checkWhole, "lines": checkLineRanges, "bytes": checkByteRanges, "scan": checkScans,
	"one range": checkOneRange, "stored": checkStored, "verified": checkVerified,
}

// Strange logs, and a large ordinary one, are read in every way from each bucket. They
// are put once for all readers, each of which has an archive of its own: what one has
// read is not in the cache of another.
func TestReaders(t *testing.T) {
	t.Parallel()
	logs := maps.Clone(strangeLogs())
	logs["ordinary"] = text(6 << 20) // more frames than are decoded in advance
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		a := newArchive(t, b, 1<<40)
		var job int64
		for name, raw := range logs {
			job++
			log := putLog(t, a, archive.JobKey{RepositoryID: 1, RunID: 1, RunAttempt: 1, JobID: job}, raw)
			for way, check := range readers {
				t.Run(name+"/"+way, func(t *testing.T) {
					counting := &countingBucket{Bucket: b}
					check(t, newArchive(t, counting, 1<<40), counting, log, raw)
				})
			}
		}
	})
}

func checkWhole(t *testing.T, a *archive.Archive, b *countingBucket, log archive.Log, raw []byte) {
	got := bytes.NewBuffer(make([]byte, 0, len(raw)))
	if err := a.CopyLog(t.Context(), got, log.LogLayout); err != nil || !bytes.Equal(got.Bytes(), raw) {
		t.Errorf("%d bytes came back as %d (%v)", len(raw), got.Len(), err)
	}
	b.asked(t, "whole log", 1)
}

func checkOneRange(t *testing.T, a *archive.Archive, b *countingBucket, log archive.Log, _ []byte) {
	if err := a.CopyLines(t.Context(), io.Discard, log.LogLayout, log.Lines/2, log.Lines/2+200); err != nil {
		t.Error(err)
	}
	b.asked(t, "lines", 1)
	if err := a.ScanLines(t.Context(), log.LogLayout, 1, log.Lines, func(int64, []byte) error { return nil }); err != nil {
		t.Error(err)
	}
	b.asked(t, "scan", 1)
}

func TestReadersOfALogThatIsNotThere(t *testing.T) {
	t.Parallel()
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		a := newArchive(t, b, 1<<40)
		ref := putLog(t, a, key, text(3<<20)).LogLayout
		ref.Key = archive.JobKey{JobID: 99}.Log()
		wantError(t, a, ref, bucket.ErrNotFound)
	})
}

// wantError wants every way to read a log to fail so.
func wantError(t *testing.T, a *archive.Archive, ref archive.LogLayout, want error) {
	t.Helper()
	for name, err := range map[string]error{
		"CopyLog":   a.CopyLog(t.Context(), io.Discard, ref),
		"CopyLines": a.CopyLines(t.Context(), io.Discard, ref, 2, ref.Lines-1),
		"CopyBytes": a.CopyBytes(t.Context(), io.Discard, ref, 1, ref.RawBytes-2),
		"ScanLines": a.ScanLines(t.Context(), ref, 1, ref.Lines, func(int64, []byte) error { return nil }),
	} {
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}

func TestReadersFindDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := newArchive(t, buckettest.Open(t, "file://"+dir), 1<<40)
	raw := text(5 << 20)
	log := putLog(t, a, key, raw)
	path := filepath.Join(dir, log.Key)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	third := log.FrameOffsets[2]
	flipped := bytes.Clone(whole)
	flipped[third+100] ^= 1
	other := append(bytes.Clone(whole[:third]), whole[:log.FrameOffsets[1]]...)
	for name, object := range map[string][]byte{
		"a bit flipped": flipped, "cut in a frame": whole[:third+5], "cut between frames": whole[:third], "empty": {},
		"a frame shifted": append(other, whole[third:]...), "no log": bytes.Repeat([]byte("<html>503</html>"), 1<<16),
	} {
		if err := errors.Join(os.Remove(path), os.WriteFile(path, object, 0o600)); err != nil {
			t.Fatal(err)
		}
		wantError(t, a, log.LogLayout, bucket.ErrUnreadable)
		var got bytes.Buffer
		_ = a.CopyLog(t.Context(), &got, log.LogLayout)
		if !bytes.HasPrefix(raw, got.Bytes()) || len(object) > int(third) && name != "no log" && got.Len() < 2<<20 {
			t.Errorf("%s: %d bytes are given before the damage is met, want the first 2 frames", name, got.Len())
		}
	}
}

// The ledger may be of another log than the object.
func TestReadersRefuseAnotherLog(t *testing.T) {
	t.Parallel()
	a := newArchive(t, buckettest.Open(t, "file://"+t.TempDir()), 1<<40)
	good := putLog(t, a, key, text(5<<20)).LogLayout
	for name, change := range map[string]func(r *archive.LogLayout){
		"no frame lines":      func(r *archive.LogLayout) { r.FrameLines = nil },
		"starts later":        func(r *archive.LogLayout) { r.FrameOffsets = []int64{9, 99}; r.FrameLines = []int64{1, 2} },
		"frames go backwards": func(r *archive.LogLayout) { r.FrameOffsets = []int64{0, 99, 50}; r.FrameLines = []int64{1, 2, 3} },
		"lines go backwards":  func(r *archive.LogLayout) { r.FrameLines = []int64{1, 9, 8, 10, 11} },
		"no line 1":           func(r *archive.LogLayout) { r.FrameLines = []int64{0, 9, 10, 11, 12} },
		"huge frame":          func(r *archive.LogLayout) { r.StoredBytes += 1 << 40 },
		"smaller than empty":  func(r *archive.LogLayout) { *r = archive.LogLayout{Key: r.Key, StoredBytes: 3, Lines: 9, RawBytes: 9} },
	} {
		ref := good
		change(&ref)
		if err := a.CopyLog(t.Context(), io.Discard, ref); err == nil {
			t.Errorf("%s: read all the same", name)
		}
		if err := a.CopyBytes(t.Context(), io.Discard, ref, 5, 1); err == nil {
			t.Errorf("%s: bytes read all the same", name)
		}
		if _, err := a.OpenStored(t.Context(), ref); err == nil {
			t.Errorf("%s: opened all the same", name)
		}
	}
	for _, more := range []int64{1, -1} {
		ref := good
		ref.RawBytes += more
		if err := a.CopyLog(t.Context(), io.Discard, ref); !errors.Is(err, bucket.ErrUnreadable) {
			t.Errorf("%+d bytes: %v, want ErrUnreadable", more, err)
		}
	}
}

// A reader who goes away ends the reading at once, and leaves nothing running.
func TestCopyEndsWithItsWriter(t *testing.T) {
	buckettest.OnEach(t, func(t *testing.T, plain bucket.Bucket) {
		b := &countingBucket{Bucket: plain}
		a := newArchive(t, b, 1<<40)
		log := putLog(t, a, key, text(6<<20))
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent(), goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"))
		for _, n := range []int{0, 1, 100_000, 3 << 20} {
			w := &leavingWriter{left: n}
			if err := a.CopyLog(t.Context(), w, log.LogLayout); !errors.Is(err, errLeft) || w.calls > n>>15+2 {
				t.Errorf("after %d bytes: %v, written to %d times", n, err, w.calls)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		w := writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
		if err := a.CopyLog(ctx, w, log.LogLayout); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}

var errLeft = errors.New("the reader left")

// leavingWriter fails after a number of bytes.
type leavingWriter struct{ left, calls int }

func (w *leavingWriter) Write(p []byte) (int, error) {
	w.calls++
	n := min(len(p), w.left)
	w.left -= n
	if n < len(p) {
		return n, errLeft
	}
	return n, nil
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
