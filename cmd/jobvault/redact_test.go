package main

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/jobvault/jobvault/internal/testenv"
)

// clientOf is a client for a bucket, and its name.
func clientOf(t *testing.T, bucketURL string) (*minio.Client, string) {
	t.Helper()
	u, err := url.Parse(bucketURL)
	if err != nil {
		t.Fatal(err)
	}
	client, err := minio.New(u.Query().Get("endpoint"), &minio.Options{Creds: credentials.NewEnvAWS()})
	if err != nil {
		t.Fatal(err)
	}
	return client, u.Host
}

// In a bucket with versioning no version of the log is left.
func TestRedactLeavesNoVersion(t *testing.T) {
	t.Parallel()
	bucketURL := testenv.S3VersionedBucketURL(t, minio.MakeBucketOptions{})
	w, v := removalWorld(t, bucketURL, bucketURL)
	oldJob(v, 31, "s3cret\n")
	if s := w.want(0, "redact", "31", "--yes", "--reason", "a token", "--pattern", "s3cret"); !strings.Contains(s.out, "without 1 matches in 1 lines") || strings.Contains(s.out+s.err, "s3cret") {
		t.Errorf("redact says %s%s", s.out, s.err)
	}
	client, bucket := clientOf(t, bucketURL)
	for o := range client.ListObjectsIter(t.Context(), bucket, minio.ListObjectsOptions{Recursive: true, WithVersions: true}) {
		if o.Err != nil || strings.HasSuffix(o.Key, "/log.zst") {
			t.Errorf("left is %s (%v)", o.Key, o.Err)
		}
	}
	s := w.want(0, "log", "31")
	if s.out != "[redacted]\n" || !strings.Contains(s.err, "the log of job 31 is redacted: 1 matches in 1 lines") {
		t.Errorf("log says %s%s", s.out, s.err)
	}
	// The copy is what is searched, and what is given as evidence.
	w.want(1, "grep", "s3cret")
	if s := w.want(0, "grep", "-F", "[redacted]"); !strings.Contains(s.out, ":31:") {
		t.Errorf("grep says %s", s.out)
	}
	evidence := filepath.Join(t.TempDir(), "evidence")
	w.want(0, "export", "31", evidence)
	for _, name := range []string{"redacted-1.zst", "settled.json"} {
		if _, err := os.Stat(filepath.Join(evidence, "31", name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(evidence, "LOGS.sha256")); err == nil {
		t.Error("a redacted copy is called what GitHub sent")
	}
	w.rebuiltIsWhole()
}

// redact names an object that the bucket locks, and until when. The ledger says removed
// all the same, and nobody reads the log.
func TestRedactInABucketThatLocks(t *testing.T) {
	t.Parallel()
	bucketURL := testenv.S3VersionedBucketURL(t, minio.MakeBucketOptions{ObjectLocking: true})
	w, v := removalWorld(t, bucketURL, bucketURL)
	oldJob(v, 31, "s3cret\n")
	client, bucket := clientOf(t, bucketURL)
	mode, until := minio.Governance, time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	name := "some/prefix/v1/1/2/1/31/log.zst"
	w.check(client.PutObjectRetention(t.Context(), bucket, name, minio.PutObjectRetentionOptions{Mode: &mode, RetainUntilDate: &until}))
	if s := w.want(1, "redact", "31", "--yes", "--reason", "a token"); !strings.Contains(s.err, "log.zst: object is locked until "+until.Format(time.RFC3339)) {
		t.Errorf("redact says %s", s.err)
	}
	if s := w.want(1, "log", "31"); !strings.Contains(s.err, "it is removed since") {
		t.Errorf("log says %s", s.err)
	}
	if s := w.want(1, "verify"); !strings.Contains(s.out, "unremoved") {
		t.Errorf("verify says %s", s.out)
	}
	if s := w.want(1, "retention", "apply"); !strings.Contains(s.err, "1 removals could not be finished") {
		t.Errorf("apply says %s", s.err)
	}
	// Who may, ends the lock.
	w.check(client.PutObjectRetention(t.Context(), bucket, name, minio.PutObjectRetentionOptions{GovernanceBypass: true}))
	if s := w.want(0, "retention", "apply"); !strings.Contains(s.out, "1 removals of before finished") {
		t.Errorf("apply says %s", s.out)
	}
	w.rebuiltIsWhole()
}

// A log that the bucket locks keeps no other from being removed: retention apply names it
// last, with what is still there, and it goes once the lock has ended.
func TestRetentionGoesOnPastALockedLog(t *testing.T) {
	t.Parallel()
	bucketURL := testenv.S3VersionedBucketURL(t, minio.MakeBucketOptions{ObjectLocking: true})
	w, v := removalWorld(t, bucketURL, bucketURL)
	for id := int64(31); id <= 34; id++ {
		oldJob(v, id, "x\n")
	}
	client, bucket := clientOf(t, bucketURL)
	mode, until := minio.Governance, time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	name := "some/prefix/v1/1/2/1/32/log.zst"
	w.check(client.PutObjectRetention(t.Context(), bucket, name, minio.PutObjectRetentionOptions{Mode: &mode, RetainUntilDate: &until}))
	w.want(0, "retention", "add", "--keep", "30d")
	s := w.want(1, "retention", "apply")
	for _, want := range []string{"job 32: its removal is not finished", "v1/1/2/1/32/log.zst: object is locked until " + until.Format(time.RFC3339), "1 removals could not be finished"} {
		if !strings.Contains(s.err, want) {
			t.Errorf("apply says %s, want %q", s.err, want)
		}
	}
	if !strings.Contains(s.out, "4 logs removed") {
		t.Errorf("apply says %s", s.out)
	}
	var finished int
	w.check(w.pool.QueryRow(t.Context(), `SELECT count(*) FROM log_removals WHERE finished_at IS NOT NULL`).Scan(&finished))
	if finished != 3 {
		t.Errorf("%d are finished", finished)
	}
	if s := w.want(1, "verify"); strings.Count(s.out, "unremoved") != 1 || !strings.Contains(s.out, "and could not: ") {
		t.Errorf("verify says %s", s.out)
	}
	w.check(client.PutObjectRetention(t.Context(), bucket, name, minio.PutObjectRetentionOptions{GovernanceBypass: true}))
	w.want(0, "retention", "apply")
	w.rebuiltIsWhole()
}
