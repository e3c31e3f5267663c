package archive_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/internal/testenv"
)

// A server that says it holds something else than was sent: the put fails, what
// it stored is taken back, and the next put has the key for itself.
func TestS3ObjectStoredWrongIsTakenBack(t *testing.T) {
	direct, err := url.Parse(testenv.S3BucketURL(t))
	if err != nil {
		t.Fatal(err)
	}
	query := direct.Query()
	endpoint := query.Get("endpoint")
	var lies atomic.Bool
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", endpoint
			r.Out.Host = r.In.Host // it is signed
		},
		ModifyResponse: func(resp *http.Response) error {
			if lies.Load() && resp.Request.Method == http.MethodHead && resp.StatusCode == http.StatusOK {
				resp.Header.Set("X-Amz-Checksum-Crc32c", "AAAAAA==")
			}
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	defer server.Close()
	query.Set("endpoint", strings.TrimPrefix(server.URL, "http://"))
	direct.RawQuery = query.Encode()
	b := open(t, direct.String())
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
