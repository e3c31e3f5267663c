package testenv

import (
	"os"
	"sync"
	"syscall"
	"testing"
)

// inMemory is a folder whose files are in memory alone, where Linux has one.
const inMemory = "/dev/shm"

// freeMemory is how much of it must be free. A cluster grows to some hundred megabytes, and
// a machine runs several packages' tests at once.
const freeMemory = 2 << 30

// quickParent is the folder for what is written and synced all the time, clusters and file
// buckets: TMPDIR if it is set; in memory, where the hundreds of files of each test's database
// are made and removed in half the time, and where a sync does not wait for a disk; else the
// system's folder for temporary files.
func quickParent() string {
	var fs syscall.Statfs_t
	if os.Getenv("TMPDIR") == "" && syscall.Statfs(inMemory, &fs) == nil && fs.Bavail*uint64(fs.Bsize) >= freeMemory {
		return inMemory
	}
	return os.TempDir()
}

// bucketsParent is the folder of all file buckets of this process.
var bucketsParent = sync.OnceValue(func() string {
	dir := must(os.MkdirTemp(quickParent(), "jobvault-test-"))
	if err := guard(dir); err != nil {
		panic(err)
	}
	return dir
})

// FileBucketURL returns the URL of an empty file bucket, which goes away with the test.
func FileBucketURL(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(bucketsParent(), "bucket-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return "file://" + dir
}
