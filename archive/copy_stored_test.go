package archive_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
)

// brokenWriter fails after a number of bytes.
type brokenWriter struct{ left int }

var errFull = errors.New("no space")

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestCopyStoredGivesTheObjectThatTheLedgerTellsOf(t *testing.T) {
	t.Parallel()
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		a := newArchive(t, b, 1<<40)
		for i, raw := range [][]byte{nil, []byte("small"), buckettest.Noise(3 << 20)} {
			k := archive.JobKey{RepositoryID: 1, RunID: 1, RunAttempt: 1, JobID: int64(i + 1)}
			log := putLog(t, a, k, raw)
			var out bytes.Buffer
			if err := a.CopyStored(t.Context(), &out, log); err != nil || !bytes.Equal(out.Bytes(), buckettest.Get(t, b, log.Key, 0, -1)) {
				t.Errorf("%d bytes: %d are copied, %v", len(raw), out.Len(), err)
			}
			for name, change := range map[string]func(*archive.Log){
				"digest":        func(l *archive.Log) { l.SHA256[0] ^= 1 },
				"size":          func(l *archive.Log) { l.RawBytes++ },
				"stored size":   func(l *archive.Log) { l.StoredBytes++ },
				"stored digest": func(l *archive.Log) { l.StoredSHA256 = sha256.Sum256([]byte("another")) },
			} {
				other := log
				change(&other)
				if err := a.CopyStored(t.Context(), &out, other); !errors.Is(err, bucket.ErrUnreadable) {
					t.Errorf("%d bytes, another %s: %v", len(raw), name, err)
				}
			}
			if err := a.CopyStored(t.Context(), &brokenWriter{left: 10}, log); !errors.Is(err, errFull) || errors.Is(err, bucket.ErrUnreadable) {
				t.Errorf("%d bytes, a full disk: %v", len(raw), err)
			}
			object := buckettest.Get(t, b, log.Key, 0, -1)
			object[len(object)/2] ^= 1
			if _, err := b.Replace(t.Context(), log.Key, bytes.NewReader(object)); err != nil {
				t.Fatal(err)
			}
			if err := a.CopyStored(t.Context(), &out, log); !errors.Is(err, bucket.ErrUnreadable) {
				t.Errorf("%d bytes, damaged: %v", len(raw), err)
			}
		}
		if err := a.CopyStored(t.Context(), &bytes.Buffer{}, archive.Log{LogLayout: archive.LogLayout{Key: "v1/none"}}); !errors.Is(err, bucket.ErrNotFound) {
			t.Errorf("none: %v", err)
		}
	})
}
