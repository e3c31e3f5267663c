package archive_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive"
)

func TestDetailsComeBack(t *testing.T) {
	onEachBucket(t, func(t *testing.T, b archive.Bucket) {
		a := newArchive(t, b, 1)
		if _, err := a.Details(t.Context(), key); !errors.Is(err, archive.ErrNotFound) {
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
	onEachBucket(t, func(t *testing.T, b archive.Bucket) {
		a := newArchive(t, b, 1)
		if _, err := a.Settled(t.Context(), key); !errors.Is(err, archive.ErrNotFound) {
			t.Errorf("no record: %v, want ErrNotFound", err)
		}
		want := archive.Settled{State: "expired", Reason: "GitHub said 410", HTTPStatus: 410, At: time.Date(2024, 7, 8, 9, 10, 11, 12000, time.UTC)}
		if err := a.PutSettled(t.Context(), key, want); err != nil {
			t.Fatal(err)
		}
		if got, err := a.Settled(t.Context(), key); err != nil || got != want {
			t.Errorf("the record is %+v, %v", got, err)
		}
		other := archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 3, JobID: 5}
		put(t, b, other.Settled(), []byte("<html>"))
		if _, err := a.Settled(t.Context(), other); err == nil {
			t.Error("a page passes for a record")
		}
	})
}

// The largest details that are read, and one byte more.
func TestDetailsAreNeverCut(t *testing.T) {
	const most = 32 << 20
	b := open(t, "file://"+t.TempDir())
	a := newArchive(t, b, 1)
	for size, fits := range map[int]bool{most: true, most + 1: false} {
		k := archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 3, JobID: int64(size)}
		put(t, b, k.Details(), make([]byte, size))
		got, err := a.Details(t.Context(), k)
		if fits != (err == nil) || fits != (len(got) == size) {
			t.Errorf("of %d bytes, %d were read, %v", size, len(got), err)
		}
	}
}
