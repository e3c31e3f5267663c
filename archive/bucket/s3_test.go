package bucket_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/internal/testenv"
)

// If the server says that it holds something else than was sent, the put fails, what it
// stored is taken back, and the next put finds the key free.
func TestS3ObjectStoredWrongIsTakenBack(t *testing.T) {
	var lies atomic.Bool
	b := buckettest.OpenProxied(t, func(resp *http.Response) error {
		if lies.Load() && resp.Request.Method == http.MethodHead && resp.StatusCode == http.StatusOK {
			resp.Header.Set("X-Amz-Checksum-Crc32c", "AAAAAA==")
		}
		return nil
	})
	lies.Store(true)
	if _, err := b.Put(t.Context(), "v1/lied", strings.NewReader("what was sent")); !errors.Is(err, bucket.ErrStoreMismatch) {
		t.Errorf("put: %v, want ErrStoredWrong", err)
	}
	lies.Store(false)
	if _, err := b.Size(t.Context(), "v1/lied"); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("size: %v, want ErrNotFound", err)
	}
	if _, err := b.Put(t.Context(), "v1/lied", strings.NewReader("what was sent")); err != nil {
		t.Errorf("the next put: %v", err)
	}
}

// What a server says once, and not when it is asked again, is of an object that was about to
// take this one's place, or to give it up.
func TestS3IsAskedTwice(t *testing.T) {
	var lies atomic.Int64
	b := buckettest.OpenProxied(t, func(resp *http.Response) error {
		if resp.Request.Method == http.MethodHead && resp.StatusCode == http.StatusOK && lies.Add(1) == 1 {
			resp.Header.Set("X-Amz-Checksum-Crc32c", "AAAAAA==")
		}
		return nil
	})
	if _, err := b.Put(t.Context(), "v1/torn", strings.NewReader("what was sent")); err != nil || lies.Load() < 2 {
		t.Errorf("put: %v, asked %d times", err, lies.Load())
	}
}

func enableVersioning(t *testing.T, b bucket.Bucket) {
	t.Helper()
	client, name, _ := buckettest.Client(t, b)
	if err := client.EnableVersioning(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

// With versioning, what was removed is gone for all but those who ask for the
// version.
func TestS3RemoveInAVersionedBucket(t *testing.T) {
	b := buckettest.Open(t, testenv.S3BucketURL(t))
	enableVersioning(t, b)
	buckettest.Put(t, b, "v1/x", []byte("first"))
	for range 2 {
		if err := b.Remove(t.Context(), "v1/x"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Get(t.Context(), "v1/x", 0, -1); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("get: %v, want ErrNotFound", err)
	}
	if got := list(t, b, ""); len(got) != 0 {
		t.Errorf("listed are %v", got)
	}
	buckettest.Put(t, b, "v1/x", []byte("second"))
	if got := buckettest.Get(t, b, "v1/x", 0, -1); string(got) != "second" {
		t.Errorf("a new object under the key reads %q", got)
	}
}
