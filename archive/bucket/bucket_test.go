package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestBucketKeepsWhatWasPut(t *testing.T) {
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		// Around the size at which the S3 backend begins to send parts.
		for _, size := range []int{0, 1, 1000, 8<<20 - 1, 8 << 20, 8<<20 + 1, 33 << 20} {
			want := buckettest.Noise(size)
			key := fmt.Sprintf("v1/1/2/3/%d/log.zst", size)
			n, err := b.Put(t.Context(), key, bytes.NewReader(want))
			if err != nil || n != int64(size) {
				t.Fatalf("put of %d bytes: %d, %v", size, n, err)
			}
			if n, err := b.Size(t.Context(), key); err != nil || n != int64(size) {
				t.Errorf("size of %d bytes: %d, %v", size, n, err)
			}
			if got := buckettest.Get(t, b, key, 0, -1); !bytes.Equal(got, want) {
				t.Errorf("%d bytes came back as %d others", size, len(got))
			}
		}
	})
}

func TestBucketReadsRanges(t *testing.T) {
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		if _, err := b.Put(t.Context(), "v1/x", strings.NewReader("0123456789")); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			offset, length int64
			want           string
		}{{0, -1, "0123456789"}, {0, 3, "012"}, {4, 3, "456"}, {4, -1, "456789"}, {8, 10, "89"}, {3, 0, ""}, {10, 5, ""}, {10, -1, ""}} {
			if got := buckettest.Get(t, b, "v1/x", c.offset, c.length); string(got) != c.want {
				t.Errorf("range %d+%d = %q, want %q", c.offset, c.length, got, c.want)
			}
		}
	})
}

func TestBucketNeverOverwrites(t *testing.T) {
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		for _, size := range []int{5, 20 << 20} {
			key := fmt.Sprintf("v1/twice/%d", size)
			want := buckettest.Noise(size)
			if _, err := b.Put(t.Context(), key, bytes.NewReader(want)); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Put(t.Context(), key, strings.NewReader("less")); !errors.Is(err, bucket.ErrExists) {
				t.Errorf("second put: %v, want ErrExists", err)
			}
			if got := buckettest.Get(t, b, key, 0, -1); !bytes.Equal(got, want) {
				t.Error("the object was changed")
			}
		}
	})
}

func TestBucketTakesOneOfManyWriters(t *testing.T) {
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		for _, size := range []int{100, inParts} {
			key := fmt.Sprintf("v1/race/%d", size)
			contents := make([][]byte, 8)
			for i := range contents {
				contents[i] = bytes.Repeat([]byte{byte('a' + i)}, size+i)
			}
			var winner atomic.Int64
			var wg sync.WaitGroup
			for i := range contents {
				wg.Go(func() {
					_, err := b.Put(t.Context(), key, bytes.NewReader(contents[i]))
					switch {
					case err == nil:
						if other := winner.Swap(int64(i) + 1); other != 0 {
							t.Errorf("of %d bytes: writers %d and %d were told that the object is theirs", size, i, other-1)
						}
					case !errors.Is(err, bucket.ErrExists):
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if won := winner.Load(); won == 0 || !bytes.Equal(buckettest.Get(t, b, key, 0, -1), contents[won-1]) {
				t.Errorf("of %d bytes: writer %d won, and what is there is not that one's", size, won-1)
			}
		}
	})
}

func TestBucketKeepsNothingOfAFailedPut(t *testing.T) {
	broken := errors.New("the source broke")
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		for _, size := range []int{10, 20 << 20} {
			r := io.MultiReader(bytes.NewReader(buckettest.Noise(size)), iotest.ErrReader(broken))
			if _, err := b.Put(t.Context(), "v1/broken", r); !errors.Is(err, broken) {
				t.Errorf("put: %v, want the source's error", err)
			}
			if _, err := b.Size(t.Context(), "v1/broken"); !errors.Is(err, bucket.ErrNotFound) {
				t.Errorf("size: %v, want ErrNotFound", err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.Put(ctx, "v1/cancelled", strings.NewReader("x")); err == nil {
			t.Error("put with a cancelled context succeeded")
		}
	})
}

func TestBucketWithoutTheObject(t *testing.T) {
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		if _, err := b.Get(t.Context(), "v1/none", 0, -1); !errors.Is(err, bucket.ErrNotFound) {
			t.Errorf("get: %v, want ErrNotFound", err)
		}
		if _, err := b.Size(t.Context(), "v1/none"); !errors.Is(err, bucket.ErrNotFound) {
			t.Errorf("size: %v, want ErrNotFound", err)
		}
		if err := b.Check(t.Context()); err != nil {
			t.Errorf("check: %v", err)
		}
	})
}

func TestBucketRefusesStrangeKeys(t *testing.T) {
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		for _, key := range []string{"", "/", "../x", "v1/../../x", "v1//x", "v1/x/", "/v1", "v1/./x", "v1/a b", "v1/a\x00", "v1/ü", `v1\x`} {
			if _, err := b.Put(t.Context(), key, strings.NewReader("x")); err == nil {
				t.Errorf("put of %q succeeded", key)
			}
			if _, err := b.Get(t.Context(), key, 0, -1); err == nil {
				t.Errorf("get of %q succeeded", key)
			}
			if _, err := b.Size(t.Context(), key); err == nil {
				t.Errorf("size of %q succeeded", key)
			}
		}
	})
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	for url, want := range map[string]string{
		"":                              "scheme",
		"http://x":                      "scheme",
		"file://relative/path":          "file:///absolute/path",
		"file:///x?y=z":                 "file:///absolute/path",
		"s3:///prefix":                  "bucket name",
		"s3://b?endpiont=x":             "endpiont",
		"s3://b?tls=maybe":              "tls",
		"s3://key:secret@b":             "AWS_SECRET_ACCESS_KEY",
		"s3://b/../x?endpoint=host:900": "..",
		"s3://b\x7f":                    "parsed",
	} {
		_, err := bucket.Open(url)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q) = %v, want an error that says %q", url, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret@") {
			t.Errorf("Open(%q) repeats the secret", url)
		}
	}
}
