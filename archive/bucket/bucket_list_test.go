package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/internal/testenv"
)

func list(t testing.TB, b bucket.Bucket, prefix string) []bucket.Object {
	t.Helper()
	var objects []bucket.Object
	for o, err := range b.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	return objects
}

func listKeys(t testing.TB, b bucket.Bucket, prefix string) []string {
	t.Helper()
	var keys []string
	for _, o := range list(t, b, prefix) {
		keys = append(keys, o.Key)
	}
	slices.Sort(keys)
	return keys
}

// plant stores an object behind the bucket's back, as somebody else would.
func plant(t testing.TB, b bucket.Bucket, key string, data []byte) {
	t.Helper()
	if dir, ok := strings.CutPrefix(b.String(), "file://"); ok {
		path := filepath.Join(dir, filepath.FromSlash(key))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, data, 0o600)); err != nil {
			t.Fatal(err)
		}
		return
	}
	client, name, prefix := buckettest.Client(t, b)
	if _, err := client.PutObject(t.Context(), name, prefix+key, bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{DisableContentSha256: true}); err != nil {
		t.Fatal(err)
	}
}

func TestBucketListsByPrefix(t *testing.T) {
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		if got := list(t, b, ""); len(got) != 0 {
			t.Errorf("a new bucket lists %v", got)
		}
		all := []string{"other/x", "v1/1/2/1/3/job.json", "v1/1/2/1/3/log.zst", "v1/1/2/2/4/job.json", "v1/10/2/1/3/job.json", "v1/2/2/1/3/job.json", "y"}
		for i, key := range all {
			buckettest.Put(t, b, key, buckettest.Noise(i))
		}
		for prefix, want := range map[string][]string{
			"": all, "v1/": all[1:6], "v1/1/": all[1:4], "v1/1/2/1/": all[1:3], "v1/10/": all[4:5], "v1/3/": nil, "y/": nil, ".tmp/": nil,
		} {
			if got := listKeys(t, b, prefix); !slices.Equal(got, want) {
				t.Errorf("prefix %q lists %q, want %q", prefix, got, want)
			}
		}
		for _, o := range list(t, b, "") {
			if want := int64(slices.Index(all, o.Key)); o.Size != want {
				t.Errorf("%s has %d bytes, want %d", o.Key, o.Size, want)
			}
			if age := time.Since(o.ModTime); age < -time.Minute || age > time.Hour {
				t.Errorf("%s was put at %v", o.Key, o.ModTime)
			}
		}
	})
}

// A bucket lists more objects than fit into one batch of a directory, or one page of
// S3's.
func TestBucketListsManyObjectsFolderByFolder(t *testing.T) {
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		const folders = 350
		for i := range folders {
			for _, name := range []string{"a", "b", "c"} {
				plant(t, b, fmt.Sprintf("v1/%d/%s", i, name), nil)
			}
		}
		seen := map[string]int{}
		last := ""
		for _, o := range list(t, b, "v1/") {
			folder := o.Key[:strings.LastIndexByte(o.Key, '/')]
			if folder != last && seen[folder] > 0 {
				t.Errorf("folder %s comes twice", folder)
			}
			seen[folder]++
			last = folder
		}
		if len(seen) != folders {
			t.Errorf("%d folders, want %d", len(seen), folders)
		}
		for folder, n := range seen {
			if n != 3 {
				t.Errorf("%s has %d objects, want 3", folder, n)
			}
		}
	})
}

func TestBucketListsForeignObjects(t *testing.T) {
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		want := []string{"v1/1/a b", "v1/1/ü&<>.txt", "v1/1/~%20+"}
		for _, key := range want {
			plant(t, b, key, []byte("x"))
		}
		slices.Sort(want)
		if got := listKeys(t, b, "v1/1/"); !slices.Equal(got, want) {
			t.Errorf("listed %q, want %q", got, want)
		}
	})
}

func TestBucketListEnds(t *testing.T) {
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		for _, key := range []string{"v1/1/a", "v1/1/b", "v1/2/a"} {
			buckettest.Put(t, b, key, nil)
		}
		for range b.List(t.Context(), "") {
			break
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := listError(ctx, b, ""); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		for _, prefix := range []string{"v1", "/", "v1//", "../", "v1/../", "v1/a b/"} {
			if err := listError(t.Context(), b, prefix); err == nil {
				t.Errorf("prefix %q was taken", prefix)
			}
		}
	})
}

// listError is the error that a listing ends with.
func listError(ctx context.Context, b bucket.Bucket, prefix string) (last error) {
	for _, err := range b.List(ctx, prefix) {
		if last != nil {
			return errors.New("the sequence goes on after an error")
		}
		last = err
	}
	return last
}

// Listing a bucket that cannot be reached is an error, and no empty list.
func TestListOfNoBucketFails(t *testing.T) {
	dir := t.TempDir()
	file := buckettest.Open(t, "file://"+dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s3 := buckettest.Open(t, strings.Replace(testenv.S3BucketURL(t), "s3://test-", "s3://absent-", 1))
	for _, b := range []bucket.Bucket{file, s3} {
		for _, prefix := range []string{"", "v1/1/"} {
			if err := listError(t.Context(), b, prefix); err == nil {
				t.Errorf("%s: prefix %q lists nothing, without an error", b, prefix)
			}
		}
	}
}

func TestBucketListsNoTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	b := buckettest.Open(t, "file://"+dir)
	plant(t, b, ".tmp/put-1", []byte("half"))
	plant(t, b, ".tmp/v1/1/x", []byte("half"))
	if err := os.Symlink(dir, filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	buckettest.Put(t, b, "v1/.tmp/x", nil) // not the bucket's own
	for prefix, want := range map[string][]string{"": {"v1/.tmp/x"}, ".tmp/": nil, ".tmp/v1/": nil, "v1/": {"v1/.tmp/x"}} {
		if got := listKeys(t, b, prefix); !slices.Equal(got, want) {
			t.Errorf("prefix %q lists %q, want %q", prefix, got, want)
		}
	}
}

func TestBucketListLeavesOutWhatVanishes(t *testing.T) {
	dir := t.TempDir()
	b := buckettest.Open(t, "file://"+dir)
	for i := range 20 {
		plant(t, b, fmt.Sprintf("v1/%d/x", i), nil)
		plant(t, b, fmt.Sprintf("v1/%d/y", i), nil)
	}
	n := 0
	for _, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if err := os.RemoveAll(filepath.Join(dir, "v1")); err != nil {
			t.Fatal(err)
		}
	}
	if n != 1 {
		t.Errorf("%d objects listed, of which all but the first were gone", n)
	}
}

func TestBucketRemoves(t *testing.T) {
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		buckettest.Put(t, b, "v1/1/x", []byte("x"))
		buckettest.Put(t, b, "v1/1/y", []byte("y"))
		for _, key := range []string{"v1/1/x", "v1/1/x", "v1/none/x", "v1/1/y/below"} {
			if err := b.Remove(t.Context(), key); err != nil {
				t.Errorf("remove %s: %v", key, err)
			}
		}
		if _, err := b.Size(t.Context(), "v1/1/x"); !errors.Is(err, bucket.ErrNotFound) {
			t.Errorf("size: %v, want ErrNotFound", err)
		}
		if got := listKeys(t, b, ""); !slices.Equal(got, []string{"v1/1/y"}) {
			t.Errorf("left are %q", got)
		}
		buckettest.Put(t, b, "v1/1/x", []byte("again"))
		if got := buckettest.Get(t, b, "v1/1/x", 0, -1); string(got) != "again" {
			t.Errorf("a new object under the key reads %q", got)
		}
		for _, key := range []string{"", "v1/", "../x", "v1//x"} {
			if err := b.Remove(t.Context(), key); err == nil {
				t.Errorf("remove of %q succeeded", key)
			}
		}
	})
}

// Objects may be removed while they are listed, as retention does.
func TestBucketRemovesWhileListing(t *testing.T) {
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		for i := range 600 {
			plant(t, b, fmt.Sprintf("v1/1/%d", i), nil)
		}
		for o, err := range b.List(t.Context(), "v1/1/") {
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Remove(t.Context(), o.Key); err != nil {
				t.Fatal(err)
			}
		}
		if got := list(t, b, ""); len(got) != 0 {
			t.Errorf("%d objects are left", len(got))
		}
	})
}
