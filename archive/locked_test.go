package archive_test

import (
	"bytes"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/internal/testenv"
)

// lockedVersions are the versions of a key in a bucket, newest first, by the server's
// own account.
func lockedVersions(t *testing.T, b bucket.Bucket, key string) (client *minio.Client, name string, versions []minio.ObjectInfo) {
	t.Helper()
	u, err := url.Parse(b.String())
	if err != nil {
		t.Fatal(err)
	}
	client, err = minio.New(u.Query().Get("endpoint"), &minio.Options{Creds: credentials.NewEnvAWS()})
	if err != nil {
		t.Fatal(err)
	}
	prefix := strings.TrimPrefix(u.Path, "/") + "/" + key
	for o := range client.ListObjects(t.Context(), u.Host, minio.ListObjectsOptions{Prefix: prefix, Recursive: true, WithVersions: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		versions = append(versions, o)
	}
	return client, u.Host, versions
}

// With lock and lock_days, whatever is put is locked, sent in one request or in parts;
// what replaces it is a new version beside it.
func TestS3ObjectsAreLocked(t *testing.T) {
	t.Parallel()
	for _, mode := range []minio.RetentionMode{minio.Governance, minio.Compliance} {
		t.Run(strings.ToLower(mode.String()), func(t *testing.T) {
			b := buckettest.Open(t, testenv.S3LockedBucketURL(t)+"&lock="+strings.ToLower(mode.String())+"&lock_days=30")
			if err := b.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			a := newArchive(t, b, 1<<40)
			putLog(t, a, key, []byte("a log"))
			large := archive.JobKey{RepositoryID: 1, RunID: 1, RunAttempt: 1, JobID: 1}
			putLog(t, a, large, buckettest.Noise(inParts))
			if _, err := a.PutDetails(t.Context(), key, []byte(`{}`)); err != nil {
				t.Fatal(err)
			}
			if _, err := a.PutSettled(t.Context(), key, archive.Settled{State: "none"}); err != nil {
				t.Fatal(err)
			}
			date := time.Date(2024, 7, 8, 0, 0, 0, 0, time.UTC)
			if _, err := a.WriteManifest(t.Context(), date, nil, nil, each()); err != nil {
				t.Fatal(err)
			}
			for _, k := range []string{key.Log(), large.Log(), key.Details(), key.Settled(), archive.ManifestKey(date)} {
				client, name, versions := lockedVersions(t, b, k)
				if len(versions) != 1 {
					t.Fatalf("%s has %d versions", k, len(versions))
				}
				v := versions[0]
				got, until, err := client.GetObjectRetention(t.Context(), name, v.Key, v.VersionID)
				if err != nil || *got != mode || time.Until(*until) < 29*24*time.Hour || time.Until(*until) > 31*24*time.Hour {
					t.Errorf("%s is locked as %v until %v, %v", k, got, until, err)
				}
				if err := client.RemoveObject(t.Context(), name, v.Key, minio.RemoveObjectOptions{VersionID: v.VersionID}); err == nil {
					t.Errorf("%s could be deleted", k)
				}
			}
			if _, err := b.Put(t.Context(), key.Log(), strings.NewReader("again")); !errors.Is(err, bucket.ErrExists) {
				t.Errorf("put of what is there: %v", err)
			}
			if _, err := a.RestoreLog(t.Context(), key.Log(), strings.NewReader("another log"), nil); err != nil {
				t.Errorf("replace: %v", err)
			}
			if _, _, versions := lockedVersions(t, b, key.Log()); len(versions) != 2 {
				t.Errorf("after a replace there are %d versions", len(versions))
			}
			if !bytes.Equal(readLog(t, a, key.Log()), []byte("another log")) {
				t.Error("what replaced it does not read")
			}
			if err := b.Remove(t.Context(), key.Log()); err != nil {
				t.Errorf("remove: %v", err)
			}
			if _, err := b.Size(t.Context(), key.Log()); !errors.Is(err, bucket.ErrNotFound) {
				t.Errorf("size after a remove: %v", err)
			}
		})
	}
}
