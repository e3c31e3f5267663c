package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
)

// slowReader takes a log up to park, waits for the gate, goes on to end and
// leaves. It compares what it gets.
type slowReader struct {
	log       []byte
	got       int
	park, end int
	parked    func()
	gate      <-chan struct{}
}

var errOther = errors.New("this is not the log")

func (r *slowReader) Write(p []byte) (int, error) {
	if !bytes.HasPrefix(r.log[r.got:], p) {
		return 0, errOther
	}
	before := r.got
	r.got += len(p)
	if before < r.park && r.got >= r.park {
		r.parked()
		<-r.gate
	}
	if r.got >= r.end {
		return len(p), errLeft
	}
	return len(p), nil
}

// openBodies counts what is open of a bucket.
type openBodies struct {
	bucket.Bucket
	n atomic.Int64
}

type openBody struct {
	io.ReadCloser
	n *atomic.Int64
}

func (b *openBodies) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	body, err := b.Bucket.Get(ctx, key, offset, length)
	if err != nil {
		return nil, err
	}
	b.n.Add(1)
	return openBody{body, &b.n}, nil
}

func (b openBody) Close() error {
	b.n.Add(-1)
	return b.ReadCloser.Close()
}

// Who reads slowly costs a piece, and neither frames nor a connection, however
// many they are; and gets the log all the same.
func TestSlowReadersHoldLittle(t *testing.T) {
	b := &openBodies{Bucket: buckettest.Open(t, "file://"+t.TempDir())}
	a := newArchive(t, b, 1<<40)
	raw := text(16 << 20)
	ref := putLog(t, a, key, raw).LogLayout
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	copies := map[string]func(w io.Writer) error{
		"CopyLog":   func(w io.Writer) error { return a.CopyLog(t.Context(), w, ref) },
		"CopyLines": func(w io.Writer) error { return a.CopyLines(t.Context(), w, ref, 1, ref.Lines) },
		"CopyBytes": func(w io.Writer) error { return a.CopyBytes(t.Context(), w, ref, 0, ref.RawBytes-1) },
	}
	for name, read := range copies {
		held := heldByParked(t, raw, read, &b.n, 100, 400)
		few, many := held[0], held[1]
		t.Logf("%s: 100 slow readers hold %d MiB and %d bodies, 400 hold %d MiB and %d", name, few.heap>>20, few.bodies, many.heap>>20, many.bodies)
		if few.heap > 128<<20 || many.heap-few.heap > 40<<20 {
			t.Errorf("%s: 100 slow readers hold %d MiB, 400 hold %d MiB", name, few.heap>>20, many.heap>>20)
		}
		if many.bodies > 64 {
			t.Errorf("%s: 400 slow readers hold %d connections", name, many.bodies)
		}
		if n := b.n.Load(); n != 0 {
			t.Errorf("%s: %d bodies are left open", name, n)
		}
	}
}

// held is what the heap has grown by, and how many bodies are open.
type held struct{ heap, bodies int64 }

// heldByParked is what is held while as many readers as each count says, the first ones
// among them, wait in the middle of a log. They all must get what comes after.
func heldByParked(t *testing.T, raw []byte, read func(io.Writer) error, open *atomic.Int64, counts ...int) (while []held) {
	t.Helper()
	before, started := heapNow(), 0
	gate := make(chan struct{})
	var done sync.WaitGroup
	for _, n := range counts {
		var parked sync.WaitGroup
		parked.Add(n - started)
		for ; started < n; started++ {
			park := (1 + started%24) * 100_000 // in one of the first three frames
			done.Go(func() {
				w := &slowReader{log: raw, park: park, end: park + 400_000, parked: parked.Done, gate: gate}
				if err := read(w); !errors.Is(err, errLeft) {
					t.Errorf("after %d bytes: %v", w.got, err)
				}
			})
		}
		parked.Wait()
		while = append(while, held{heapNow() - before, open.Load()})
	}
	close(gate)
	done.Wait()
	return while
}

func heapNow() int64 {
	// Twice: what lies in a pool survives one.
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// breakingBucket gives bodies that break off after a number of bytes.
type breakingBucket struct {
	bucket.Bucket
	after int64
}

var errReset = errors.New("connection reset")

func (b *breakingBucket) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	body, err := b.Bucket.Get(ctx, key, offset, length)
	if err != nil || length <= b.after {
		return body, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(body, b.after), iotest.ErrReader(errReset)), body}, nil
}

// A server ends a connection whose reader is slow: the reading goes on where it
// was. If not even a frame comes, it is the bucket's error.
func TestReadingGoesOnAfterABrokenConnection(t *testing.T) {
	t.Parallel()
	b := &breakingBucket{Bucket: buckettest.Open(t, "file://"+t.TempDir())}
	a := newArchive(t, b, 1<<40)
	raw := buckettest.Noise(9 << 20)
	ref := putLog(t, a, key, raw).LogLayout
	b.after = 3 << 20
	var got bytes.Buffer
	if err := a.CopyLog(t.Context(), &got, ref); err != nil || !bytes.Equal(got.Bytes(), raw) {
		t.Errorf("%d of %d bytes, %v", got.Len(), len(raw), err)
	}
	b.after = 1 << 19
	wantError(t, a, ref, errReset)
}
