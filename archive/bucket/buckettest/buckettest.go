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

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/internal/testenv"
)

// OnEach runs a test on a fresh bucket of each backend: a folder, and each of the S3 servers
// that testenv.Stores gives.
func OnEach(t *testing.T, f func(t *testing.T, b bucket.Bucket)) {
	t.Run("file", func(t *testing.T) { f(t, Open(t, "file://"+t.TempDir())) })
	OnEachStore(t, func(t *testing.T, s testenv.Store) { f(t, Open(t, s.BucketURL(t))) })
}

// OnEachStore runs a test on each S3 server. It skips what is known that a server does
// otherwise; the reason is in the result.
func OnEachStore(t *testing.T, f func(t *testing.T, s testenv.Store)) {
	test := t.Name()
	for _, s := range testenv.Stores(t) {
		t.Run(s.Name, func(t *testing.T) {
			if lack := otherwise[s.Name][test]; lack != "" {
				t.Skip("store lacks: " + lack)
			}
			f(t, s)
		})
	}
}

// otherwise says which tests of the suite a server does not always pass, by what it lacks,
// and does not need for jobvault to work with it.
var otherwise = map[string]map[string]string{
	"rclone": {
		"TestBucketReadersSeeOldOrNew":         "whole reads while an object is replaced: they end in an error",
		"TestBucketTakesOneOfManyReplacements": "the right checksum of one of several replacements at the same instant: none may be left",
	},
}

// Lacks are the names of what a probe finds that a server lacks, sorted, in a bucket with all
// that the server has.
func Lacks(s testenv.Store) []string { return lacks[s.Name] }

var lacks = map[string][]string{
	"rclone": {bucket.LackLocks.What, bucket.LackPartChecksums.What, bucket.LackVersions.What},
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
	return Proxy(t, testenv.S3BucketURL(t), modify)
}

// Proxy opens an S3 bucket behind a proxy that changes the answers.
func Proxy(t *testing.T, bucketURL string, modify func(*http.Response) error) bucket.Bucket {
	t.Helper()
	direct, err := url.Parse(bucketURL)
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

// Client is a client of the server of an S3 bucket, for what somebody else does there, and
// the bucket's name and prefix, which is empty or ends with '/'.
func Client(t testing.TB, b bucket.Bucket) (c *minio.Client, name, prefix string) {
	t.Helper()
	u, err := url.Parse(b.String())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	c, err = minio.New(q.Get("endpoint"), &minio.Options{Creds: credentials.NewEnvAWS(), Secure: q.Get("tls") != "false"})
	if err != nil {
		t.Fatal(err)
	}
	if prefix = strings.Trim(u.Path, "/"); prefix != "" {
		prefix += "/"
	}
	return c, u.Host, prefix
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
