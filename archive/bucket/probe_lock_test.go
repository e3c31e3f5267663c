package bucket_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/internal/testenv"
)

var listedTime = regexp.MustCompile(`<LastModified>[^<]*</LastModified>`)

// ageListed makes all that a listing tells of old.
func ageListed(resp *http.Response) error {
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	body = listedTime.ReplaceAll(body, []byte("<LastModified>2024-07-08T16:48:09.000Z</LastModified>"))
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	resp.Header.Del("Content-Length")
	return nil
}

// In a bucket that locks, by its URL or by itself, a probe locks its object for minutes and
// not for days, and hides it.
func TestProbeInABucketThatLocks(t *testing.T) {
	buckettest.OnEachStore(t, func(t *testing.T, s testenv.Store) {
		for _, byItself := range []bool{false, true} {
			bucketURL := s.VersionedBucketURL(t, minio.MakeBucketOptions{ObjectLocking: true})
			wants := minio.Governance
			if byItself {
				wants = minio.Compliance
				lockByDefault(t, buckettest.Open(t, bucketURL), wants)
			} else {
				bucketURL += "&lock=governance&lock_days=30"
			}
			b := buckettest.Open(t, bucketURL)
			if lacks, err := b.Probe(t.Context(), true); err != nil || len(lacks) > 0 {
				t.Fatalf("%v, %v", lacks, err)
			}
			client, name, _ := buckettest.Client(t, b)
			hidden := ""
			for _, v := range everything(t, b) {
				if v.IsLatest != v.IsDeleteMarker {
					t.Errorf("%s is not hidden", v.Key)
				}
				if !v.IsDeleteMarker {
					hidden = v.Key
					continue
				}
				// Not every server tells how what is hidden is locked.
				if err := client.RemoveObject(t.Context(), name, v.Key, minio.RemoveObjectOptions{VersionID: v.VersionID}); err != nil {
					t.Fatal(err)
				}
			}
			head, err := client.StatObject(t.Context(), name, hidden, minio.StatObjectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			until, err := time.Parse(time.RFC3339, head.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date"))
			if mode := head.Metadata.Get("X-Amz-Object-Lock-Mode"); err != nil || mode != wants.String() || time.Until(until) > 11*time.Minute {
				t.Errorf("%s is locked as %q until %v, %v", hidden, mode, until, err)
			}
			if got := listKeys(t, b, ""); len(got) > 0 {
				t.Errorf("listed are %q", got)
			}
		}
	})
}

// lockByDefault makes a bucket lock whatever is put for ten years.
func lockByDefault(t *testing.T, b bucket.Bucket, mode minio.RetentionMode) {
	t.Helper()
	client, name, _ := buckettest.Client(t, b)
	years, unit := uint(10), minio.Years
	if err := client.SetBucketObjectLockConfig(t.Context(), name, &mode, &years, &unit); err != nil {
		t.Fatal(err)
	}
}

// A later probe removes what was locked, with its delete marker.
func TestProbeRemovesWhatWasLocked(t *testing.T) {
	var late atomic.Bool
	bucketURL := testenv.S3LockedBucketURL(t)
	proxied := buckettest.Proxy(t, bucketURL+"&lock=governance&lock_days=1", func(resp *http.Response) error {
		if late.Load() && resp.Request.URL.Query().Has("versions") {
			return ageListed(resp)
		}
		return nil
	})
	honest := buckettest.Open(t, bucketURL)
	if _, err := proxied.Probe(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	left := everything(t, honest)
	client, name, _ := buckettest.Client(t, honest)
	for _, v := range left { // as if the minutes had passed
		if !v.IsDeleteMarker {
			if err := client.PutObjectRetention(t.Context(), name, v.Key, minio.PutObjectRetentionOptions{VersionID: v.VersionID, GovernanceBypass: true}); err != nil {
				t.Fatal(err)
			}
		}
	}
	late.Store(true)
	if _, err := proxied.Probe(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for _, v := range everything(t, honest) {
		if slices.ContainsFunc(left, func(o minio.ObjectInfo) bool { return o.Key == v.Key }) {
			t.Errorf("still there is %+v", v)
		}
	}
}

// Where a bucket would lock the object for ten years, and we may not lock it for less,
// nothing is written.
func TestProbeThatMayNotLockForLess(t *testing.T) {
	bucketURL := testenv.S3LockedBucketURL(t)
	lockByDefault(t, buckettest.Open(t, bucketURL), minio.Compliance)
	l, b, honest := behindLiar(t, bucketURL)
	l.says(func(req *http.Request) (int, string) {
		return refuse(req.Header.Get("X-Amz-Object-Lock-Mode") != "", "AccessDenied")
	})
	lacks, err := b.Probe(t.Context(), true)
	if err != nil || !slices.Contains(lacks, bucket.LackShortLocks) {
		t.Errorf("it lacks %q, %v", lacking(lacks), err)
	}
	if left := everything(t, honest); len(left) > 0 {
		t.Errorf("left are %+v", left)
	}
	// Nor may we know that it locks: the object is there, once.
	l.says(func(req *http.Request) (int, string) {
		return refuse(req.URL.Query().Has("object-lock"), "AccessDenied")
	})
	if lacks, err = b.Probe(t.Context(), true); err != nil || !slices.Contains(lacks, bucket.LackShortLocks) {
		t.Errorf("it lacks %q, %v", lacking(lacks), err)
	}
}

// A store that takes locks and does not keep them is unfit for a bucket whose URL asks for
// them.
func TestProbeOfLocksThatAreNotKept(t *testing.T) {
	for says, lie := range map[string]func(*http.Request) (int, string){
		"tells of none": func(req *http.Request) (int, string) {
			switch {
			case req.URL.Query().Has("retention"):
				return http.StatusNotFound, s3Error("NoSuchObjectLockConfiguration")
			case req.Method == http.MethodHead && req.URL.Query().Has("versionId"):
				return http.StatusOK, ""
			}
			return 0, ""
		},
		"deleted it all the same": func(req *http.Request) (int, string) {
			if isDelete(req) {
				return http.StatusNoContent, ""
			}
			return 0, ""
		},
	} {
		l, b, _ := behindLiar(t, testenv.S3LockedBucketURL(t)+"&lock=governance&lock_days=1")
		l.says(lie)
		if _, err := b.Probe(t.Context(), true); !errors.Is(err, bucket.ErrUnfit) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want ErrUnfit that says %q", err, says)
		}
	}
}

// If a server does not answer how an object is locked, or in a form of its own, HEAD tells.
func TestPurgeOfALockedObjectWhoseRetentionCannotBeRead(t *testing.T) {
	for name, answer := range map[string]struct {
		status int
		body   string
	}{
		"not implemented": {http.StatusNotImplemented, s3Error("NotImplemented")},
		"denied":          {http.StatusForbidden, s3Error("AccessDenied")},
		"of its own form": {http.StatusOK, `{"Mode": "GOVERNANCE"}`},
		"without a date":  {http.StatusOK, `<Retention><Mode>GOVERNANCE</Mode></Retention>`},
	} {
		t.Run(name, func(t *testing.T) {
			l, b, _ := behindLiar(t, testenv.S3LockedBucketURL(t)+"&lock=governance&lock_days=1")
			buckettest.Put(t, b, "v1/log.zst", []byte("x"))
			l.says(func(req *http.Request) (int, string) {
				if req.URL.Query().Has("retention") {
					return answer.status, answer.body
				}
				return 0, ""
			})
			err := b.Purge(t.Context(), "v1/log.zst")
			tomorrow := time.Now().Add(24 * time.Hour).UTC().Format("2006-01-02")
			if !errors.Is(err, bucket.ErrLocked) || !strings.Contains(err.Error(), "until "+tomorrow) || !strings.Contains(err.Error(), "GOVERNANCE") {
				t.Errorf("%v, want ErrLocked until %s", err, tomorrow)
			}
		})
	}
}
