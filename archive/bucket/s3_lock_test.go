package bucket_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/internal/testenv"
)

func TestS3BucketWithoutObjectLockIsRefused(t *testing.T) {
	b := buckettest.Open(t, testenv.S3BucketURL(t)+"&lock=governance&lock_days=1")
	if err := b.Check(t.Context()); !errors.Is(err, bucket.ErrNoLock) {
		t.Errorf("check: %v", err)
	}
	if err := buckettest.Open(t, testenv.S3LockedBucketURL(t)).Check(t.Context()); err != nil {
		t.Errorf("a bucket with Object Lock that nobody asks for: %v", err)
	}
}

func TestLockIsChecked(t *testing.T) {
	for query, want := range map[string]string{
		"lock=governance":                "lock and lock_days go together",
		"lock_days=3":                    "lock and lock_days go together",
		"lock=&lock_days=3":              "governance or compliance",
		"lock=forever&lock_days=3":       "governance or compliance",
		"lock=compliance&lock_days=":     "lock_days must be a number",
		"lock=compliance&lock_days=0":    "lock_days must be a number",
		"lock=compliance&lock_days=-1":   "lock_days must be a number",
		"lock=compliance&lock_days=x":    "lock_days must be a number",
		"lock=compliance&lock_days=1000": "",
		"lock=governance&lock_days=1":    "",
		"lock=governance&lock_days=9e9":  "lock_days must be a number",
	} {
		err := bucket.CheckURL("s3://bucket/prefix?" + query)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", query, err, want)
		}
	}
}
