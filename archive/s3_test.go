package archive_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/internal/testenv"
)

// openProxied opens a fresh bucket behind a proxy that changes the answers.
func openProxied(t *testing.T, modify func(*http.Response) error) archive.Bucket {
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
	return open(t, direct.String())
}

// A server that says it holds something else than was sent: the put fails, what
// it stored is taken back, and the next put has the key for itself.
func TestS3ObjectStoredWrongIsTakenBack(t *testing.T) {
	var lies atomic.Bool
	b := openProxied(t, func(resp *http.Response) error {
		if lies.Load() && resp.Request.Method == http.MethodHead && resp.StatusCode == http.StatusOK {
			resp.Header.Set("X-Amz-Checksum-Crc32c", "AAAAAA==")
		}
		return nil
	})
	lies.Store(true)
	if _, err := b.Put(t.Context(), "v1/lied", strings.NewReader("what was sent")); !errors.Is(err, archive.ErrStoredWrong) {
		t.Errorf("put: %v, want ErrStoredWrong", err)
	}
	lies.Store(false)
	if _, err := b.Size(t.Context(), "v1/lied"); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("size: %v, want ErrNotFound", err)
	}
	if _, err := b.Put(t.Context(), "v1/lied", strings.NewReader("what was sent")); err != nil {
		t.Errorf("the next put: %v", err)
	}
}

// A body that ends before its Content-Length is the network's doing, though the
// object looks just as if it were cut short there.
func TestVerifyOverABrokenConnection(t *testing.T) {
	var most atomic.Int64
	b := openProxied(t, func(resp *http.Response) error {
		if n := most.Load(); n > 0 && resp.Request.Method == http.MethodGet && strings.HasSuffix(resp.Request.URL.Path, archive.LogName) {
			resp.Body = struct {
				io.Reader
				io.Closer
			}{io.LimitReader(resp.Body, n), resp.Body}
		}
		return nil
	})
	a := newArchive(t, b, 1<<40)
	log := putLog(t, a, key, text(3<<20))
	for _, n := range []int64{1, 100, log.FrameOffsets[1], log.FrameOffsets[2] + 500, log.StoredBytes - 1} {
		most.Store(n)
		if d, err := a.Verify(t.Context(), log, true); d != nil || err == nil || errors.Is(err, archive.ErrUnreadable) {
			t.Errorf("broken off after %d bytes of %d: %+v, %v", n, log.StoredBytes, d, err)
		}
	}
	most.Store(0)
	verify(t, a, "whole again", log, "", "")
}

func enableVersioning(t *testing.T, b archive.Bucket) {
	t.Helper()
	u, err := url.Parse(b.String())
	if err != nil {
		t.Fatal(err)
	}
	client, err := minio.New(u.Query().Get("endpoint"), &minio.Options{Creds: credentials.NewEnvAWS()})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.EnableVersioning(t.Context(), u.Host); err != nil {
		t.Fatal(err)
	}
}

// With versioning, what was removed is gone for all but those who ask for the
// version.
func TestS3RemoveInAVersionedBucket(t *testing.T) {
	b := open(t, testenv.S3BucketURL(t))
	enableVersioning(t, b)
	put(t, b, "v1/x", []byte("first"))
	for range 2 {
		if err := b.Remove(t.Context(), "v1/x"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Get(t.Context(), "v1/x", 0, -1); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("get: %v, want ErrNotFound", err)
	}
	if got := list(t, b, ""); len(got) != 0 {
		t.Errorf("listed are %v", got)
	}
	put(t, b, "v1/x", []byte("second"))
	if got := get(t, b, "v1/x", 0, -1); string(got) != "second" {
		t.Errorf("a new object under the key reads %q", got)
	}
}
