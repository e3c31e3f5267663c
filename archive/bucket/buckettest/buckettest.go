// Package buckettest has what tests of buckets, and of what is kept in buckets, share.
package buckettest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/internal/testenv"
)

// OnEach runs a test on a fresh bucket of each backend.
func OnEach(t *testing.T, f func(t *testing.T, b bucket.Bucket)) {
	t.Run("file", func(t *testing.T) { f(t, Open(t, "file://"+t.TempDir())) })
	t.Run("s3", func(t *testing.T) { f(t, Open(t, testenv.S3BucketURL(t))) })
}

// Open opens a bucket, or fails the test.
func Open(t testing.TB, url string) bucket.Bucket {
	t.Helper()
	b, err := bucket.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// OpenProxied opens a fresh S3 bucket behind a proxy that changes the answers.
func OpenProxied(t *testing.T, modify func(*http.Response) error) bucket.Bucket {
	t.Helper()
	direct, err := url.Parse(testenv.S3BucketURL(t))
	if err != nil {
		t.Fatal(err)
	}
	query := direct.Query()
	endpoint := query.Get("endpoint")
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", endpoint
			r.Out.Host = r.In.Host // it is signed
		},
		ModifyResponse: modify,
	})
	t.Cleanup(server.Close)
	query.Set("endpoint", strings.TrimPrefix(server.URL, "http://"))
	direct.RawQuery = query.Encode()
	return Open(t, direct.String())
}

// Get reads a range of an object as Bucket.Get does, or fails the test.
func Get(t testing.TB, b bucket.Bucket, key string, offset, length int64) []byte {
	t.Helper()
	r, err := b.Get(t.Context(), key, offset, length)
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

// Put stores an object under a free key, or fails the test.
func Put(t testing.TB, b bucket.Bucket, key string, data []byte) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
}

// Noise returns n bytes that do not compress. They are the same at every call.
func Noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}
