package archive_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
)

// checkStored wants the object without its seek table, in one request.
func checkStored(t *testing.T, a *archive.Archive, b *countingBucket, log archive.Log, raw []byte) {
	r, err := a.OpenStored(t.Context(), log.LogLayout)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	b.asked(t, "stored", 1)
	if size := log.StoredSize(); int64(len(stored)) != size || size >= log.StoredBytes {
		t.Errorf("%d of %d stored bytes, want %d", len(stored), log.StoredBytes, size)
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	if got, err := dec.DecodeAll(stored, nil); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("%d bytes came back as %d (%v)", len(raw), len(got), err)
	}
	if object := buckettest.Get(t, b, log.Key, 0, -1); !bytes.HasPrefix(object, stored) || !bytes.HasPrefix(object[len(stored):], []byte("\x5e\x2a\x4d\x18")) {
		t.Error("it is not what comes before the seek table")
	}
}

func TestOpenStoredOfLess(t *testing.T) {
	t.Parallel()
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		a := newArchive(t, b, 1<<40)
		ref := putLog(t, a, key, buckettest.Noise(3<<20)).LogLayout
		whole := buckettest.Get(t, b, ref.Key, 0, -1)
		for _, n := range []int64{0, 100, ref.StoredSize() - 1} {
			short := ref
			short.Key = archive.JobKey{JobID: 100 + n}.Log()
			buckettest.Put(t, b, short.Key, whole[:n])
			r, err := a.OpenStored(t.Context(), short)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if !errors.Is(err, bucket.ErrUnreadable) || int64(len(got)) != n {
				t.Errorf("%d bytes: gives %d and %v, want ErrUnreadable", n, len(got), err)
			}
			r.Close()
		}
		ref.Key = archive.JobKey{JobID: 99}.Log()
		if _, err := a.OpenStored(t.Context(), ref); !errors.Is(err, bucket.ErrNotFound) {
			t.Errorf("no object: %v, want ErrNotFound", err)
		}
	})
}
