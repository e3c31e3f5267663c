package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
)

// objectBucket gives the same object under every key.
type objectBucket struct {
	bucket.Bucket
	object []byte
}

func (b objectBucket) Get(context.Context, string, int64, int64) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(b.object)), nil
}

// Whatever is in a manifest, compressed or not, it is read or named, and what is read
// without a fault follows line by line.
func FuzzManifest(f *testing.F) {
	b := newBooks(f)
	for i := range bookDays {
		f.Add(strings.Join(b.lines(i), ""), true)
	}
	f.Add("hello", false)
	f.Add(`{"manifest":1,"date":"2024-07-08","previous":null,"previous_sha256":null}`+"\n"+`{"end":true,"jobs":0,"before":""}`, true)
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, compressed bool) {
		object := []byte(text)
		if compressed {
			object = enc.EncodeAll(object, nil)
		}
		a := newArchive(t, objectBucket{object: object}, 1<<40)
		var lines []string
		m, err := a.ReadManifest(t.Context(), time.Date(2024, 7, 8, 0, 0, 0, 0, time.UTC), func(l archive.ManifestEntry) error {
			lines = append(lines, string(l.Raw))
			return nil
		})
		if err != nil {
			if !errors.Is(err, bucket.ErrUnreadable) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if whole := string(m.Header) + strings.Join(lines, "") + string(m.End); compressed && whole != text || int64(len(lines)) != m.Jobs {
			t.Errorf("%q is read as %q", text, whole)
		}
	})
}
