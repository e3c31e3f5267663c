package archive_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
)

func TestDetailsComeBack(t *testing.T) {
	t.Parallel()
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		a := newArchive(t, b, 1)
		if _, err := a.Details(t.Context(), key); !errors.Is(err, bucket.ErrNotFound) {
			t.Errorf("no details: %v, want ErrNotFound", err)
		}
		want := []byte("{\"id\": 4}\n")
		if _, err := a.PutDetails(t.Context(), key, want); err != nil {
			t.Fatal(err)
		}
		if got, err := a.Details(t.Context(), key); err != nil || !bytes.Equal(got, want) {
			t.Errorf("details are %q, %v", got, err)
		}
	})
}

func TestSettledComesBack(t *testing.T) {
	t.Parallel()
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		a := newArchive(t, b, 1)
		if _, err := a.Settled(t.Context(), key); !errors.Is(err, bucket.ErrNotFound) {
			t.Errorf("no record: %v, want ErrNotFound", err)
		}
		want := archive.Settled{State: "expired", Reason: "GitHub said 410", HTTPStatus: 410, At: time.Date(2024, 7, 8, 9, 10, 11, 12000, time.UTC)}
		if _, err := a.PutSettled(t.Context(), key, want); err != nil {
			t.Fatal(err)
		}
		if got, err := a.Settled(t.Context(), key); err != nil || !cmp.Equal(got, want) {
			t.Errorf("the record is %+v, %v", got, err)
		}
		other := archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 3, JobID: 5}
		buckettest.Put(t, b, other.Settled(), []byte("<html>"))
		if _, err := a.Settled(t.Context(), other); err == nil {
			t.Error("a page passes for a record")
		}
	})
}

// A removal replaces what the record said before, tells everything, and is written once.
func TestSettledTellsOfARemoval(t *testing.T) {
	t.Parallel()
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		a := newArchive(t, b, 1)
		at := time.Date(2024, 7, 8, 9, 10, 11, 12000, time.UTC)
		if _, err := a.PutSettled(t.Context(), key, archive.Settled{State: "expired", At: at}); err != nil {
			t.Fatal(err)
		}
		want := archive.Settled{
			State: "removed", Reason: "redaction: a token", At: at,
			Removal: &archive.Removal{Kind: "redaction", Reason: "redaction: a token", Actor: "ada", DecidedAt: at, SHA256: archive.Digest{1, 255}, RawBytes: 7, StoredBytes: 8, Lines: 9, ArchivedAt: at},
			Redactions: []archive.Redaction{
				{Number: 1, SHA256: archive.Digest{2}, Actor: "ada", Reason: "a token", At: at, RemovedAt: &at, RemovedBy: "bob", RemovedReason: "another"},
				{Number: 3, SHA256: archive.Digest{3}, StoredSHA256: archive.Digest{4}, RawBytes: 5, Matches: 2, RedactedLines: 1, Actor: "bob", Reason: "another", At: at},
			},
		}
		for range 2 {
			if _, err := a.ReplaceSettled(t.Context(), key, want); err != nil {
				t.Fatal(err)
			}
			if got, err := a.Settled(t.Context(), key); err != nil || !cmp.Equal(got, want) {
				t.Errorf("the record is %+v, %v", got, err)
			}
		}
		for _, bad := range []string{"", "ff", strings.Repeat("g", 64), strings.Repeat("0", 66)} {
			if err := new(archive.Digest).UnmarshalText([]byte(bad)); err == nil {
				t.Errorf("%q passes for a digest", bad)
			}
		}
	})
}

// The largest details that are read, and one byte more.
func TestDetailsAreNeverCut(t *testing.T) {
	t.Parallel()
	const most = 32 << 20
	b := buckettest.Open(t, "file://"+t.TempDir())
	a := newArchive(t, b, 1)
	for size, fits := range map[int]bool{most: true, most + 1: false} {
		k := archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 3, JobID: int64(size)}
		buckettest.Put(t, b, k.Details(), make([]byte, size))
		got, err := a.Details(t.Context(), k)
		if fits != (err == nil) || fits != (len(got) == size) {
			t.Errorf("of %d bytes, %d were read, %v", size, len(got), err)
		}
	}
}
