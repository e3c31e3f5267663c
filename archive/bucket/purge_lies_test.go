package bucket_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/internal/testenv"
)

// liar is a proxy before an S3 server that answers some requests itself.
type liar struct {
	mu  sync.Mutex
	lie func(req *http.Request) (status int, body string) // 0: the truth
}

func (l *liar) says(lie func(req *http.Request) (int, string)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lie = lie
}

// behindLiar is a bucket behind a liar, and the way to it without.
func behindLiar(t *testing.T, bucketURL string) (*liar, bucket.Bucket, bucket.Bucket) {
	t.Helper()
	u, err := url.Parse(bucketURL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	endpoint, l := q.Get("endpoint"), &liar{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", endpoint
		r.Out.Host = r.In.Host // it is signed
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		l.mu.Lock()
		lie := l.lie
		l.mu.Unlock()
		if lie != nil {
			if status, body := lie(req); status != 0 {
				w.Header().Set("Content-Type", "application/xml")
				w.Header().Set("Last-Modified", "Mon, 08 Jul 2024 16:48:09 GMT")
				w.Header().Set("ETag", `"x"`)
				w.WriteHeader(status)
				_, _ = w.Write([]byte(body))
				return
			}
		}
		proxy.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	q.Set("endpoint", strings.TrimPrefix(server.URL, "http://"))
	u.RawQuery = q.Encode()
	return l, buckettest.Open(t, u.String()), buckettest.Open(t, bucketURL)
}

func s3Error(code string) string {
	return "<Error><Code>" + code + "</Code><Message>x</Message></Error>"
}

func isDelete(req *http.Request) bool { return req.Method == http.MethodDelete }
func isHead(req *http.Request) bool {
	return req.Method == http.MethodHead && strings.Contains(req.URL.Path, "log.zst")
}
func asksVersions(req *http.Request) bool   { return req.URL.Query().Has("versions") }
func asksVersioning(req *http.Request) bool { return req.URL.Query().Has("versioning") }

const noVersions = `<ListVersionsResult><Name>x</Name><IsTruncated>false</IsTruncated></ListVersionsResult>`

// After a purge the bucket is looked at: whatever the store answered, what is still there
// is named.
func TestPurgeIsLookedAt(t *testing.T) {
	kinds := map[string]func(testing.TB) string{
		"plain":     testenv.S3BucketURL,
		"versioned": func(t testing.TB) string { return testenv.S3VersionedBucketURL(t, minio.MakeBucketOptions{}) },
	}
	deny := func(asks ...func(*http.Request) bool) func(*http.Request) (int, string) {
		return func(req *http.Request) (int, string) {
			for _, is := range asks {
				if is(req) {
					return http.StatusForbidden, s3Error("AccessDenied")
				}
			}
			return 0, ""
		}
	}
	for _, s := range []struct {
		name  string
		kinds string
		lie   func(*http.Request) (int, string)
		want  error  // nil: it is done, and the object is gone
		says  string // in the error
	}{
		{"the truth", "plain versioned", nil, nil, ""},
		{"204 and nothing done", "plain versioned", func(req *http.Request) (int, string) {
			if isDelete(req) {
				return http.StatusNoContent, ""
			}
			return 0, ""
		}, bucket.ErrRemains, "v1/log.zst: object is still there: it answers by its name, with 6 bytes"},
		{"an empty list of versions", "versioned", func(req *http.Request) (int, string) {
			if asksVersions(req) {
				return http.StatusOK, noVersions
			}
			return 0, ""
		}, bucket.ErrRemains, "it answers by its name"},
		{"200 to HEAD afterwards", "plain versioned", func(req *http.Request) (int, string) {
			if isHead(req) {
				return http.StatusOK, ""
			}
			return 0, ""
		}, bucket.ErrRemains, "it answers by its name"},
		{"HEAD hides what is there", "versioned", func(req *http.Request) (int, string) {
			switch {
			case isHead(req):
				return http.StatusNotFound, ""
			case isDelete(req):
				return http.StatusNoContent, ""
			}
			return 0, ""
		}, bucket.ErrRemains, "version "},
		{"whether there are versions may not be asked", "plain versioned", deny(asksVersioning), nil, ""},
		{"nothing about versions may be asked", "plain versioned", deny(asksVersioning, asksVersions), bucket.ErrVersionsUnknown, "s3:GetBucketVersioning"},
		{"the versions may not be listed", "versioned", deny(asksVersions), bucket.ErrVersionsUnknown, "s3:ListBucketVersions"},
		{"the versions may not be listed, and there are none", "plain", deny(asksVersions), nil, ""},
		{"a server that has no versions", "plain", func(req *http.Request) (int, string) {
			if asksVersioning(req) || asksVersions(req) {
				return http.StatusNotImplemented, s3Error("NotImplemented")
			}
			return 0, ""
		}, nil, ""},
		{"versions on, and no list of them", "versioned", func(req *http.Request) (int, string) {
			if asksVersions(req) {
				return http.StatusNotImplemented, s3Error("NotImplemented")
			}
			return 0, ""
		}, bucket.ErrVersionsUnknown, "cannot be known"},
		{"removing is denied, and what locks say too", "plain versioned", deny(isDelete, func(req *http.Request) bool {
			return req.URL.Query().Has("retention") || req.URL.Query().Has("legal-hold")
		}), errDenied, "v1/log.zst"},
	} {
		for kind, bucketURL := range kinds {
			if !strings.Contains(s.kinds, kind) {
				continue
			}
			t.Run(kind+": "+s.name, func(t *testing.T) {
				t.Parallel()
				l, b, honest := behindLiar(t, bucketURL(t))
				buckettest.Put(t, honest, "v1/log.zst", []byte("s3cret"))
				l.says(s.lie)
				err := b.Purge(t.Context(), "v1/log.zst")
				if s.want == nil {
					if err != nil {
						t.Fatal(err)
					}
					if left := versionsIn(t, honest); len(left) > 0 {
						t.Errorf("left is %v", left)
					}
					return
				}
				is := errors.Is(err, s.want)
				if errors.Is(s.want, errDenied) {
					is = minio.ToErrorResponse(errors.Unwrap(err)).Code == "AccessDenied"
				}
				if !is || !strings.Contains(err.Error(), s.says) {
					t.Errorf("%v, want %v with %q", err, s.want, s.says)
				}
				// And again, when the store has come to its senses.
				l.says(nil)
				if err := b.Purge(t.Context(), "v1/log.zst"); err != nil {
					t.Error(err)
				}
				if left := versionsIn(t, honest); len(left) > 0 {
					t.Errorf("left is %v", left)
				}
			})
		}
	}
}

var errDenied = errors.New("denied")

func versionsIn(t *testing.T, b bucket.Bucket) (all []string) {
	t.Helper()
	for v, err := range b.ListVersions(t.Context(), "v1/") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v.Key+" "+v.String())
	}
	return all
}

// A purge goes on when a store that was busy for a while answers again.
func TestPurgeWhileTheStoreIsBusy(t *testing.T) {
	t.Parallel()
	l, b, honest := behindLiar(t, testenv.S3VersionedBucketURL(t, minio.MakeBucketOptions{}))
	buckettest.Put(t, honest, "v1/log.zst", []byte("s3cret"))
	var n atomic.Int64
	l.says(func(*http.Request) (int, string) {
		if n.Add(1)%2 == 1 {
			return http.StatusServiceUnavailable, s3Error("SlowDown")
		}
		return 0, ""
	})
	if err := b.Purge(t.Context(), "v1/log.zst"); err != nil {
		t.Error(err)
	}
	l.says(nil)
	if left := versionsIn(t, honest); len(left) > 0 {
		t.Errorf("left is %v", left)
	}
}

// All that is hidden in a bucket with versions is listed; in one without, what there is.
func TestListVersions(t *testing.T) {
	b, _, _ := versioned(t, testenv.Stores(t)[0], minio.MakeBucketOptions{})
	buckettest.Put(t, b, "v1/a/log.zst", []byte("first"))
	if _, err := b.Replace(t.Context(), "v1/a/log.zst", strings.NewReader("second")); err != nil {
		t.Fatal(err)
	}
	if err := b.Remove(t.Context(), "v1/a/log.zst"); err != nil {
		t.Fatal(err)
	}
	buckettest.Put(t, b, "v1/b/log.zst", []byte("another"))
	var got []string
	for v, err := range b.ListVersions(t.Context(), "v1/a/") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(v.Key, " ", v.Marker, " ", v.Hidden))
	}
	if want := "v1/a/log.zst true false|v1/a/log.zst false true|v1/a/log.zst false true"; strings.Join(got, "|") != want {
		t.Errorf("listed are %q", got)
	}
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		buckettest.Put(t, b, "v1/a/log.zst", []byte("x"))
		buckettest.Put(t, b, "v2/log.zst", []byte("x"))
		if got := versionsIn(t, b); len(got) != 1 || got[0] != "v1/a/log.zst the object" {
			t.Errorf("listed are %q", got)
		}
	})
}

// A Put that was killed between its two names has left the bytes under the temporary
// one too.
func TestPurgeOfAFileWithTwoNames(t *testing.T) {
	dir := t.TempDir()
	b := buckettest.Open(t, "file://"+dir)
	buckettest.Put(t, b, "v1/log.zst", []byte("s3cret"))
	buckettest.Put(t, b, "v1/other.zst", []byte("x"))
	for key, name := range map[string]string{"v1/log.zst": "put-1", "v1/other.zst": "put-2"} {
		if err := os.Link(filepath.Join(dir, key), filepath.Join(dir, ".tmp", name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Purge(t.Context(), "v1/log.zst"); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, ".tmp"))
	if err != nil || len(entries) != 1 || entries[0].Name() != "put-2" {
		t.Errorf("left are %v (%v)", entries, err)
	}
}
