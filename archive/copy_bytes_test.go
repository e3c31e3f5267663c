package archive_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
)

// checkByteRanges wants ranges of bytes, also such as are not there.
func checkByteRanges(t *testing.T, a *archive.Archive, b *countingBucket, log archive.Log, raw []byte) {
	n := log.RawBytes
	for _, r := range [][2]int64{
		{0, n}, {0, -1}, {0, 1}, {n - 1, 1}, {n - 1, 99}, {n, 1}, {n, -1}, {n + 5, 5}, {n / 2, 10}, {n / 3, n / 3}, {5, 0},
		{1<<20 - 1, 2}, {1 << 20, 1 << 20}, {1<<20 + 1, -1}, {-5, 10}, {1, math.MaxInt64}, {math.MaxInt64, math.MaxInt64},
	} {
		checkBytes(t, a, b, log, raw, r[0], r[1])
	}
}

func TestCopyAnyBytes(t *testing.T) {
	t.Parallel()
	b := &countingBucket{Bucket: buckettest.Open(t, "file://"+t.TempDir())}
	a := newArchive(t, b, 1<<40)
	raw := text(4<<20 + 12345)
	log := putLog(t, a, key, raw)
	rapid.Check(t, func(rt *rapid.T) {
		from := rapid.Int64Range(0, log.RawBytes).Draw(rt, "from")
		checkBytes(t, a, b, log, raw, from, rapid.Int64Range(-1, log.RawBytes).Draw(rt, "length"))
	})
}

func checkBytes(t *testing.T, a *archive.Archive, b *countingBucket, log archive.Log, raw []byte, from, length int64) {
	t.Helper()
	want := raw[min(max(from, 0), int64(len(raw))):]
	if length >= 0 && length < int64(len(want)) {
		want = want[:length]
	}
	got := bytes.NewBuffer(make([]byte, 0, len(want)))
	if err := a.CopyBytes(t.Context(), got, log.LogLayout, from, length); err != nil {
		t.Errorf("%d bytes from %d: %v", length, from, err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d bytes from %d of %d: got %d, want %d", length, from, len(raw), got.Len(), len(want))
	}
	b.asked(t, "bytes", 2)
}

// tableBucket gives a seek table of its own.
type tableBucket struct {
	bucket.Bucket
	at    int64
	table []byte
}

func (b *tableBucket) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if offset == b.at {
		return io.NopCloser(bytes.NewReader(b.table)), nil
	}
	return b.Bucket.Get(ctx, key, offset, length)
}

// forgedTable is an archive with a log of three frames whose seek table a test
// makes up.
func forgedTable(t testing.TB) (a *archive.Archive, b *tableBucket, log archive.Log, raw []byte) {
	b = &tableBucket{Bucket: buckettest.Open(t, "file://"+t.TempDir()), at: -1}
	a = newArchive(t, b, 1<<40)
	raw = text(2<<20 + 777)
	log = putLog(t, a, key, raw)
	b.table = buckettest.Get(t, b, log.Key, log.StoredSize(), -1)
	b.at = log.StoredSize()
	return a, b, log, raw
}

// A range of a log is right, or it is refused.
func rightOrRefused(t testing.TB, a *archive.Archive, log archive.Log, raw []byte) (refused bool) {
	t.Helper()
	const from, length = 1<<20 - 5, 10
	var got bytes.Buffer
	err := a.CopyBytes(t.Context(), &got, log.LogLayout, from, length)
	if err != nil && !errors.Is(err, bucket.ErrUnreadable) {
		t.Errorf("%v, want ErrUnreadable", err)
	}
	if err == nil && !bytes.Equal(got.Bytes(), raw[from:from+length]) {
		t.Error("other bytes are given")
	}
	return err != nil
}

func TestSeekTableIsNotBelieved(t *testing.T) {
	t.Parallel()
	a, b, log, raw := forgedTable(t)
	good := b.table
	if rightOrRefused(t, a, log, raw) {
		t.Error("a good table is refused")
	}
	for i := range good {
		b.table = bytes.Clone(good)
		b.table[i] ^= 1
		refused := rightOrRefused(t, a, log, raw)
		// An entry's last 4 bytes are a checksum, which the frame has too.
		if entry := (i - 8) % 12; !refused && (i < 8 || i >= len(good)-9 || entry < 8) {
			t.Errorf("byte %d changed: not noticed", i)
		}
	}
	for _, n := range []int{0, 1, len(good) - 1} {
		b.table = good[:n]
		if !rightOrRefused(t, a, log, raw) {
			t.Errorf("cut to %d bytes: not noticed", n)
		}
	}
	// One frame's bytes counted as the next one's: the sum is right.
	b.table = bytes.Clone(good)
	binary.LittleEndian.PutUint32(b.table[8+4:], 1<<20-3)
	binary.LittleEndian.PutUint32(b.table[8+12+4:], 1<<20+3)
	if !rightOrRefused(t, a, log, raw) {
		t.Error("sizes moved between frames: not noticed")
	}
	// Each frame that is read has the size that the table says, but begins elsewhere.
	b.table = bytes.Clone(good)
	for i, size := range []uint32{777, 1 << 20, 1 << 20} {
		binary.LittleEndian.PutUint32(b.table[8+12*i+4:], size)
	}
	if !rightOrRefused(t, a, log, raw) {
		t.Error("sizes in another order: not noticed")
	}
}

func FuzzSeekTable(f *testing.F) {
	a, b, log, raw := forgedTable(f)
	f.Add(b.table)
	f.Add(b.table[:20])
	f.Fuzz(func(t *testing.T, table []byte) {
		b.table = table
		rightOrRefused(t, a, log, raw)
	})
}
