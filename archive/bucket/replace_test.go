package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
)

// inParts is more than the S3 backend sends at once.
const inParts = 9 << 20

// wantOnly wants one object in the bucket, with this content; nil: none at all.
// What was begun and not ended has left nothing behind either.
func wantOnly(t *testing.T, b bucket.Bucket, key string, content []byte) {
	t.Helper()
	var want []string
	if content != nil {
		want = []string{key}
		if got := buckettest.Get(t, b, key, 0, -1); !bytes.Equal(got, content) {
			t.Errorf("%s has %d bytes that are not the %d wanted", key, len(got), len(content))
		}
	}
	if diff := cmp.Diff(want, listKeys(t, b, ""), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if dir, ok := strings.CutPrefix(b.String(), "file://"); ok {
		if left, err := os.ReadDir(filepath.Join(dir, ".tmp")); err != nil || len(left) > 0 {
			t.Errorf("%d temporary files are left (%v)", len(left), err)
		}
	}
}

// After Replace the new object is there, alone, whatever was there before.
func TestBucketReplaces(t *testing.T) {
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		sizes := []int{-1, 0, 1000, inParts} // -1: nothing is there
		for _, before := range sizes {
			for _, after := range sizes[1:] {
				key := fmt.Sprintf("v1/%d/%d", before+1, after)
				if before >= 0 {
					buckettest.Put(t, b, key, bytes.Repeat([]byte("old"), before)[:before])
				}
				want := buckettest.Noise(after)
				if n, err := b.Replace(t.Context(), key, iotest.HalfReader(bytes.NewReader(want))); err != nil || n != int64(after) {
					t.Fatalf("%d bytes in the place of %d: %d, %v", after, before, n, err)
				}
				if n, err := b.Size(t.Context(), key); err != nil || n != int64(after) {
					t.Errorf("%d bytes in the place of %d have size %d, %v", after, before, n, err)
				}
				wantOnly(t, b, key, want)
				if _, err := b.Put(t.Context(), key, strings.NewReader("less")); !errors.Is(err, bucket.ErrExists) {
					t.Errorf("a put afterwards: %v, want ErrExists", err)
				}
				if err := b.Remove(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// If the body breaks off, or its reader gives up, Replace leaves the old object, and
// where there was none, none.
func TestBucketKeepsTheOldAfterAFailedReplace(t *testing.T) {
	broken := errors.New("the source broke")
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		for _, old := range [][]byte{nil, []byte("old"), buckettest.Noise(inParts)} {
			key := fmt.Sprintf("v1/%d", len(old))
			if old != nil {
				buckettest.Put(t, b, key, old)
			}
			for _, size := range []int{0, 10, inParts} {
				r := io.MultiReader(bytes.NewReader(make([]byte, size)), iotest.ErrReader(broken))
				if _, err := b.Replace(t.Context(), key, r); !errors.Is(err, broken) {
					t.Errorf("broken after %d bytes: %v, want the source's error", size, err)
				}
				wantOnly(t, b, key, old)
			}
			for _, size := range []int{10, inParts} {
				ctx, cancel := context.WithCancel(t.Context())
				r := io.MultiReader(bytes.NewReader(make([]byte, size)), readerFunc(func([]byte) (int, error) {
					cancel()
					return 0, io.EOF
				}), strings.NewReader("the rest"))
				if n, err := b.Replace(ctx, key, r); err == nil {
					t.Errorf("cancelled after %d bytes, and replaced by %d", size, n)
				}
				wantOnly(t, b, key, old)
			}
			if err := b.Remove(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// readerFunc is a function that reads.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Until all of the new object has arrived, the old one is there.
func TestBucketReplacesAtTheEnd(t *testing.T) {
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		for _, size := range []int{1000, inParts} {
			key := fmt.Sprintf("v1/%d", size)
			want := buckettest.Noise(size)
			buckettest.Put(t, b, key, []byte("old"))
			looked := false
			half := readerFunc(func([]byte) (int, error) {
				looked = true
				if got := buckettest.Get(t, b, key, 0, -1); string(got) != "old" {
					t.Errorf("with half of the new object read, there are %d bytes", len(got))
				}
				if n, err := b.Size(t.Context(), key); err != nil || n != 3 {
					t.Errorf("with half of the new object read, the size is %d, %v", n, err)
				}
				return 0, io.EOF
			})
			r := io.MultiReader(bytes.NewReader(want[:size/2]), half, bytes.NewReader(want[size/2:]))
			if _, err := b.Replace(t.Context(), key, r); err != nil || !looked {
				t.Fatalf("replace: %v, looked %v", err, looked)
			}
			wantOnly(t, b, key, want)
			if err := b.Remove(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Whoever reads while another replaces sees one object or another, whole, and
// never none.
func TestBucketReadersSeeOldOrNew(t *testing.T) {
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		const key, rounds = "v1/busy", 30
		contents := [][]byte{bytes.Repeat([]byte("a"), 300<<10), bytes.Repeat([]byte("b"), 1000), bytes.Repeat([]byte("c"), 70<<10)}
		buckettest.Put(t, b, key, contents[0])
		var readers sync.WaitGroup
		var done atomic.Bool
		var reads atomic.Int64
		for range 2 {
			readers.Go(func() {
				for !done.Load() {
					r, err := b.Get(t.Context(), key, 0, -1)
					if err != nil {
						t.Error(err)
						return
					}
					got, err := io.ReadAll(r)
					if err := errors.Join(err, r.Close()); err != nil {
						t.Error(err)
						return
					}
					reads.Add(1)
					if !isOneOf(got, contents) {
						t.Errorf("read %d bytes that nobody put", len(got))
						return
					}
				}
			})
		}
		for round := range rounds {
			if _, err := b.Replace(t.Context(), key, bytes.NewReader(contents[(round+1)%len(contents)])); err != nil {
				t.Error(err)
			}
		}
		done.Store(true)
		readers.Wait()
		if reads.Load() == 0 {
			t.Error("nobody read: this shows nothing")
		}
	})
}

func isOneOf(got []byte, contents [][]byte) bool {
	for _, c := range contents {
		if bytes.Equal(got, c) {
			return true
		}
	}
	return false
}

func TestBucketReplaceRefusesStrangeKeys(t *testing.T) {
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		for _, key := range []string{"", "../x", "v1//x", "v1/x/", "/v1", "v1/./x", "v1/a b", `v1\x`} {
			if _, err := b.Replace(t.Context(), key, strings.NewReader("x")); err == nil {
				t.Errorf("replace of %q succeeded", key)
			}
		}
		wantOnly(t, b, "", nil)
	})
}

// If a server with versioning says that it holds something else than was sent, the object
// of before is there again.
func TestS3ReplacementStoredWrongIsTakenBack(t *testing.T) {
	var lies atomic.Bool
	b := buckettest.OpenProxied(t, func(resp *http.Response) error {
		if lies.Load() && resp.Request.Method == http.MethodHead && resp.StatusCode == http.StatusOK {
			resp.Header.Set("X-Amz-Checksum-Crc32c", "AAAAAA==")
		}
		return nil
	})
	enableVersioning(t, b)
	buckettest.Put(t, b, "v1/lied", []byte("old"))
	lies.Store(true)
	if _, err := b.Replace(t.Context(), "v1/lied", strings.NewReader("what was sent")); !errors.Is(err, bucket.ErrStoreMismatch) {
		t.Errorf("replace: %v, want ErrStoredWrong", err)
	}
	lies.Store(false)
	wantOnly(t, b, "v1/lied", []byte("old"))
	if _, err := b.Replace(t.Context(), "v1/lied", strings.NewReader("what was sent")); err != nil {
		t.Errorf("the next replace: %v", err)
	}
	wantOnly(t, b, "v1/lied", []byte("what was sent"))
}
