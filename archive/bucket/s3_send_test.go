package bucket_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/internal/testenv"
)

// Each body is sent as it is, with its CRC-32C and its digest in headers before it: not in
// chunks, and nothing comes after it. Servers that take neither take this.
func TestS3SendsChecksumsInHeaders(t *testing.T) {
	l, b, _ := behindLiar(t, testenv.S3BucketURL(t))
	var mu sync.Mutex
	var sent []string
	l.says(func(req *http.Request) (int, string) {
		if req.Method != http.MethodPut {
			return 0, ""
		}
		mu.Lock()
		defer mu.Unlock()
		sent = append(sent, fmt.Sprintf("%d bytes, CRC-32C %t", req.ContentLength, req.Header.Get("X-Amz-Checksum-Crc32c") != ""))
		for name, values := range req.Header {
			for _, unwanted := range []string{"aws-chunked", "STREAMING", "UNSIGNED"} {
				if strings.Contains(strings.Join(values, " "), unwanted) || strings.Contains(strings.ToLower(name), "trailer") {
					t.Errorf("sent is %s: %s", name, values)
				}
			}
		}
		if len(req.Trailer) > 0 || len(req.TransferEncoding) > 0 {
			t.Errorf("sent is a trailer %v, encoding %q", req.Trailer, req.TransferEncoding)
		}
		return 0, ""
	})
	buckettest.Put(t, b, "v1/small", []byte("small"))
	buckettest.Put(t, b, "v1/large", buckettest.Noise(8<<20+3))
	if want := []string{"5 bytes, CRC-32C true", "8388608 bytes, CRC-32C true", "3 bytes, CRC-32C true"}; !slices.Equal(sent, want) {
		t.Errorf("sent is %q, want %q", sent, want)
	}
}

// Which servers take checksums in trailers, as minio-go sends them by itself: those that do
// not are why none is sent.
func TestS3Trailers(t *testing.T) {
	buckettest.OnEachStore(t, func(t *testing.T, s testenv.Store) {
		u, err := url.Parse(s.BucketURL(t))
		if err != nil {
			t.Fatal(err)
		}
		client, err := minio.New(u.Query().Get("endpoint"), &minio.Options{
			Creds: credentials.NewEnvAWS(), Secure: u.Query().Get("tls") == "true", TrailingHeaders: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		opts := minio.PutObjectOptions{Checksum: minio.ChecksumFullObjectCRC32C}
		_, err = client.PutObject(t.Context(), u.Host, "x", strings.NewReader("with a trailer"), 14, opts)
		if takes := s.Name != "versitygw" && s.Name != "rclone"; takes != (err == nil) {
			t.Errorf("it takes trailers: %t, and says %v", takes, err)
		}
		if err != nil {
			t.Log("store lacks: checksums in trailers (jobvault sends none)")
		}
	})
}

// What a server tells at HEAD to be the checksum is that of the bytes it has: it does not
// repeat what it was told.
func TestS3ChecksumIsOfTheBytes(t *testing.T) {
	buckettest.OnEachStore(t, func(t *testing.T, s testenv.Store) {
		client, name, prefix := buckettest.Client(t, buckettest.Open(t, s.BucketURL(t)))
		opts := minio.PutObjectOptions{DisableContentSha256: true, UserMetadata: map[string]string{"X-Amz-Checksum-Crc32c": "AAAAAA=="}}
		_, err := minio.Core{Client: client}.PutObject(t.Context(), name, prefix+"x", strings.NewReader("x"), 1, "", "", opts)
		if err != nil {
			return // it has compared them
		}
		if head, err := client.StatObject(t.Context(), name, prefix+"x", minio.StatObjectOptions{Checksum: true}); err != nil || head.ChecksumCRC32C == "AAAAAA==" {
			t.Errorf("it took another object's checksum, and tells it: %v", err)
		}
	})
}

// A server that does not know conditions is not asked for one again, and still never
// replaces what is there.
func TestS3WithoutConditions(t *testing.T) {
	l, b, _ := behindLiar(t, testenv.S3BucketURL(t))
	var mu sync.Mutex
	conditions := 0
	l.says(func(req *http.Request) (int, string) {
		mu.Lock()
		defer mu.Unlock()
		if req.Header.Get("If-None-Match") == "" {
			return 0, ""
		}
		conditions++
		return http.StatusNotImplemented, s3Error("NotImplemented")
	})
	for _, size := range []int{5, 9 << 20} {
		key, want := fmt.Sprintf("v1/%d", size), buckettest.Noise(size)
		buckettest.Put(t, b, key, want)
		if _, err := b.Put(t.Context(), key, strings.NewReader("less")); !errors.Is(err, bucket.ErrExists) {
			t.Errorf("second put: %v, want ErrExists", err)
		}
		if got := buckettest.Get(t, b, key, 0, -1); !bytes.Equal(got, want) {
			t.Errorf("%s was changed", key)
		}
	}
	if conditions != 1 {
		t.Errorf("it was asked %d times", conditions)
	}
}

// If it is not the condition that a server does not know, the put fails.
func TestS3WithoutUploads(t *testing.T) {
	l, b, honest := behindLiar(t, testenv.S3BucketURL(t))
	l.says(func(req *http.Request) (int, string) {
		if req.Method == http.MethodPut || req.Method == http.MethodPost {
			return http.StatusNotImplemented, s3Error("NotImplemented")
		}
		return 0, ""
	})
	for _, size := range []int{5, 9 << 20} {
		if _, err := b.Put(t.Context(), "v1/x", bytes.NewReader(buckettest.Noise(size))); err == nil {
			t.Errorf("put of %d bytes succeeded", size)
		}
	}
	l.says(nil)
	wantOnly(t, honest, "v1/x", nil)
}

// The parts of an upload that fails are gone.
func TestS3LeavesNoParts(t *testing.T) {
	b := buckettest.Open(t, testenv.S3BucketURL(t))
	broken := errors.New("the source broke")
	r := io.MultiReader(bytes.NewReader(buckettest.Noise(17<<20)), readerFunc(func([]byte) (int, error) { return 0, broken }))
	if _, err := b.Put(t.Context(), "v1/x", r); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	client, name, prefix := buckettest.Client(t, b)
	for u := range client.ListIncompleteUploads(t.Context(), name, prefix+"v1/x", true) {
		t.Errorf("left is %+v", u)
	}
}

// One part of an upload is in memory at a time, however many there are.
func TestS3UploadsOnePartAtATime(t *testing.T) {
	b := buckettest.Open(t, testenv.S3BucketURL(t))
	const size = 64 << 20
	var most uint64
	left := size
	r := readerFunc(func(p []byte) (int, error) {
		if left == 0 {
			return 0, io.EOF
		}
		if left%(8<<20) == 0 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		n := min(len(p), left, 64<<10)
		left -= n
		return n, nil
	})
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	if n, err := b.Put(t.Context(), "v1/x", r); err != nil || n != size {
		t.Fatal(n, err)
	}
	if grown := int64(most) - int64(before.HeapAlloc); grown > 24<<20 {
		t.Errorf("%d MiB more are held while %d MiB are sent in parts of 8", grown>>20, size>>20)
	}
}

// A key whose object was removed is free, also where a server takes its delete marker for an
// object.
func TestBucketPutsWhatWasRemoved(t *testing.T) {
	buckettest.OnEachStore(t, func(t *testing.T, s testenv.Store) {
		b := buckettest.Open(t, s.VersionedBucketURL(t, minio.MakeBucketOptions{}))
		for _, size := range []int{5, 9 << 20} {
			key := fmt.Sprintf("v1/%d", size)
			for range 2 {
				buckettest.Put(t, b, key, buckettest.Noise(size))
				if _, err := b.Put(t.Context(), key, strings.NewReader("less")); !errors.Is(err, bucket.ErrExists) {
					t.Errorf("second put: %v, want ErrExists", err)
				}
				if err := b.Remove(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// A server that says that a key is taken, and tells of nothing there, is believed where there
// are no versions: what is there may be told of late, and is not to be replaced.
func TestS3ReplacesNothingThatHeadDoesNotTell(t *testing.T) {
	for _, versions := range []bool{false, true} {
		bucketURL := testenv.S3BucketURL(t)
		if versions {
			bucketURL = testenv.S3VersionedBucketURL(t, minio.MakeBucketOptions{})
		}
		l, b, honest := behindLiar(t, bucketURL)
		l.says(func(req *http.Request) (int, string) {
			if req.Header.Get("If-None-Match") != "" {
				return http.StatusPreconditionFailed, s3Error("PreconditionFailed")
			}
			return 0, ""
		})
		for _, size := range []int{5, 9 << 20} {
			key := fmt.Sprintf("v1/%d", size)
			_, err := b.Put(t.Context(), key, bytes.NewReader(buckettest.Noise(size)))
			_, serr := honest.Size(t.Context(), key)
			if versions && err != nil || !versions && (!errors.Is(err, bucket.ErrExists) || !errors.Is(serr, bucket.ErrNotFound)) {
				t.Errorf("with versions: %t, %d bytes: %v, and then %v", versions, size, err, serr)
			}
		}
	}
}
