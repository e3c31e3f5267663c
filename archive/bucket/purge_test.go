package bucket_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/internal/testenv"
)

func TestPurge(t *testing.T) {
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		for _, key := range []string{"v1/log.zst", "v1/log.zst2"} {
			buckettest.Put(t, b, key, []byte("x"))
		}
		for range 2 { // of what is not there, too
			if err := b.Purge(t.Context(), "v1/log.zst"); err != nil {
				t.Fatal(err)
			}
		}
		wantOnly(t, b, "v1/log.zst2", []byte("x"))
		if err := b.Purge(t.Context(), "v1/../x"); err == nil {
			t.Error("a strange key is purged")
		}
	})
}

// versions lists all versions, and delete markers, of a key that has a prefix.
func versions(t testing.TB, client *minio.Client, b, key string) []minio.ObjectInfo {
	t.Helper()
	var all []minio.ObjectInfo
	for v := range client.ListObjectsIter(t.Context(), b, minio.ListObjectsOptions{Prefix: "some/prefix/" + key, Recursive: true, WithVersions: true}) {
		if v.Err != nil {
			t.Fatal(v.Err)
		}
		all = append(all, v)
	}
	return all
}

// versioned is a fresh bucket of a server that keeps versions.
func versioned(t testing.TB, s testenv.Store, o minio.MakeBucketOptions) (bucket.Bucket, *minio.Client, string) {
	t.Helper()
	b := buckettest.Open(t, s.VersionedBucketURL(t, o))
	client, name, _ := buckettest.Client(t, b)
	return b, client, name
}

// What Remove and Replace only hide goes too.
func TestPurgeOfEveryVersion(t *testing.T) {
	buckettest.OnEachStore(t, func(t *testing.T, s testenv.Store) {
		b, client, held := versioned(t, s, minio.MakeBucketOptions{})
		buckettest.Put(t, b, "v1/log.zst", []byte("first"))
		if _, err := b.Replace(t.Context(), "v1/log.zst", strings.NewReader("second")); err != nil {
			t.Fatal(err)
		}
		if err := b.Remove(t.Context(), "v1/log.zst"); err != nil {
			t.Fatal(err)
		}
		buckettest.Put(t, b, "v1/log.zst", []byte("third"))
		buckettest.Put(t, b, "v1/log.zst2", []byte("another"))
		if n := len(versions(t, client, held, "v1/log.zst")); n != 5 {
			t.Fatalf("%d versions: this shows nothing", n)
		}
		if err := b.Purge(t.Context(), "v1/log.zst"); err != nil {
			t.Fatal(err)
		}
		left := versions(t, client, held, "v1/")
		if len(left) != 1 || !strings.HasSuffix(left[0].Key, "log.zst2") {
			t.Errorf("left is %+v", left)
		}
	})
}

// A locked object stays, and the error says until when.
func TestPurgeOfALockedObject(t *testing.T) {
	buckettest.OnEachStore(t, func(t *testing.T, s testenv.Store) {
		b, client, held := versioned(t, s, minio.MakeBucketOptions{ObjectLocking: true})
		until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
		name := "some/prefix/v1/log.zst"
		buckettest.Put(t, b, "v1/log.zst", []byte("x"))
		mode := minio.Compliance
		if err := client.PutObjectRetention(t.Context(), held, name, minio.PutObjectRetentionOptions{Mode: &mode, RetainUntilDate: &until}); err != nil {
			t.Fatal(err)
		}
		err := b.Purge(t.Context(), "v1/log.zst")
		if !errors.Is(err, bucket.ErrLocked) || !strings.Contains(err.Error(), "v1/log.zst") || !strings.Contains(err.Error(), "until "+until.Format(time.RFC3339)) {
			t.Errorf("%v, want ErrLocked with the key and the time", err)
		}
		if got := buckettest.Get(t, b, "v1/log.zst", 0, -1); string(got) != "x" {
			t.Error("the object is gone, or hidden")
		}

		buckettest.Put(t, b, "v1/held.zst", []byte("x"))
		hold := func(s minio.LegalHoldStatus) {
			t.Helper()
			if err := client.PutObjectLegalHold(t.Context(), held, "some/prefix/v1/held.zst", minio.PutObjectLegalHoldOptions{Status: &s}); err != nil {
				t.Fatal(err)
			}
		}
		hold(minio.LegalHoldEnabled)
		if err := b.Purge(t.Context(), "v1/held.zst"); !errors.Is(err, bucket.ErrLocked) || !strings.Contains(err.Error(), "legal hold") {
			t.Errorf("%v, want ErrLocked for a legal hold", err)
		}
		hold(minio.LegalHoldDisabled)
		if err := b.Purge(t.Context(), "v1/held.zst"); err != nil {
			t.Errorf("after the hold: %v", err)
		}
	})
}
