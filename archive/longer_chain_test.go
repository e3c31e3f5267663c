package archive_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
)

// longerBooks are manifests of two days. The first lists a log, and the second the longer
// one that took its place, with what a change does to its line.
func longerBooks(t *testing.T, change func(l *archive.ManifestLine)) (a *archive.Archive, k archive.JobKey) {
	t.Helper()
	a = newArchive(t, buckettest.Open(t, "file://"+filepath.Join(t.TempDir(), "bucket")), 1<<40)
	k = archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: 3}
	was := putLog(t, a, k, []byte("begun\n"))
	at := time.Date(2024, 7, 8, 10, 0, 0, 0, time.UTC)
	line := func(l archive.Log, at time.Time) archive.ManifestLine {
		return archive.ManifestLine{
			RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: 3, State: "archived", SettledAt: at, ObjectKey: l.Key,
			RawBytes: &l.RawBytes, StoredBytes: &l.StoredBytes, Lines: &l.Lines, SHA256: hex.EncodeToString(l.SHA256[:]), StoredSHA256: hex.EncodeToString(l.StoredSHA256[:]),
		}
	}
	first, err := a.WriteManifest(t.Context(), at.Truncate(24*time.Hour), nil, nil, each(line(was, at)))
	if err != nil {
		t.Fatal(err)
	}
	now, err := a.PutLonger(t.Context(), was, strings.NewReader("begun\nand ended\n"))
	if err != nil {
		t.Fatal(err)
	}
	second := line(now, at.Add(24*time.Hour))
	second.Shorter = []archive.ShorterLog{was.AsShorter(at)}
	if change != nil {
		change(&second)
	}
	if _, err := a.WriteManifest(t.Context(), first.Date.AddDate(0, 0, 1), &first, nil, each(second)); err != nil {
		t.Fatal(err)
	}
	return a, k
}

// chainFaults are the kinds of fault that a verification of manifests finds, each with the
// last part of the object's key.
func chainFaults(t *testing.T, a *archive.Archive, deep bool) string {
	t.Helper()
	var faults []string
	_, err := a.VerifyChain(t.Context(), archive.ChainOptions{Deep: deep, Parallel: 1}, func(f archive.Fault) {
		faults = append(faults, fmt.Sprintf("%s %s", f.Kind, filepath.Base(f.Key)))
	}, func(_, _ int64) {})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(faults, ", ")
}

// A log may become a longer one, if that says whose place it took, and begins with it; both
// objects have to be there.
func TestManifestsListLongerLogs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change        func(l *archive.ManifestLine)
		after         func(t *testing.T, a *archive.Archive, k archive.JobKey)
		shallow, deep string
	}{
		"as it is": {},
		"whose place it took is not said": {
			change:  func(l *archive.ManifestLine) { l.Shorter = nil },
			shallow: "changed 2024-07-09.jsonl.zst, key log-2.zst", deep: "changed 2024-07-09.jsonl.zst, key log-2.zst",
		},
		"it took another one's place": {
			change:  func(l *archive.ManifestLine) { l.Shorter[0].SHA256[5] ^= 1 },
			shallow: "changed 2024-07-09.jsonl.zst", deep: "changed 2024-07-09.jsonl.zst, digest log.zst, shorter log-2.zst",
		},
		"it does not begin with it": {
			change: func(l *archive.ManifestLine) { l.Shorter[0].RawBytes-- },
			deep:   "bytes log.zst, shorter log-2.zst",
		},
		"another object": {
			change:  func(l *archive.ManifestLine) { l.Shorter[0].ObjectKey = "v1/1/2/1/4/log.zst" },
			shallow: "key log.zst", deep: "key log.zst",
		},
		"the shorter one is lost": {
			after: func(t *testing.T, a *archive.Archive, k archive.JobKey) {
				if err := a.Bucket().Remove(t.Context(), k.Log()); err != nil {
					t.Fatal(err)
				}
			},
			shallow: "absent log.zst", deep: "absent log.zst",
		},
		"the shorter one is another": {
			after: func(t *testing.T, a *archive.Archive, k archive.JobKey) {
				object := buckettest.Get(t, a.Bucket(), k.Log(), 0, -1)
				object[len(object)/2] ^= 1
				if _, err := a.Bucket().Replace(t.Context(), k.Log(), bytes.NewReader(object)); err != nil {
					t.Fatal(err)
				}
			},
			deep: "unreadable log.zst",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, k := longerBooks(t, c.change)
			if c.after != nil {
				c.after(t, a, k)
			}
			for deep, want := range map[bool]string{false: c.shallow, true: c.deep} {
				if got := chainFaults(t, a, deep); got != want {
					t.Errorf("deep %t: %q, want %q", deep, got, want)
				}
			}
		})
	}
}

// A log that no line lists, under a number that follows, is named once it is older than the
// last manifest.
func TestALongerLogThatNoManifestLists(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	k := archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: 101}
	buckettest.Put(t, b.bucket, k.LogNumbered(2), []byte("no matter what"))
	if got := chainFaults(t, b.archive, false); got != "" {
		t.Errorf("a young one: %q", got)
	}
	b.aged(k.LogNumbered(2), b.dates[0])
	if got := chainFaults(t, b.archive, false); got != "unlisted log-2.zst" {
		t.Errorf("an old one: %q", got)
	}
}

// aged makes an object as old as a time.
func (b *books) aged(key string, at time.Time) {
	b.t.Helper()
	b.check(os.Chtimes(filepath.Join(b.dir, key), at, at))
}
