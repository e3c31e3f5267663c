package testenv

import (
	"os"
	"syscall"
)

// inMemory is a folder whose files are in memory alone, where Linux has one.
const inMemory = "/dev/shm"

// clusterMemory is how much of it must be free for a cluster. One grows to some hundred
// megabytes, and a machine runs several packages' tests at once.
const clusterMemory = 2 << 30

// clusterParent is the folder for the cluster's data directory: TMPDIR if it is set; in
// memory, where the hundreds of files of each test's database are made and removed in half
// the time; else the system's folder for temporary files.
func clusterParent() string {
	var fs syscall.Statfs_t
	if os.Getenv("TMPDIR") == "" && syscall.Statfs(inMemory, &fs) == nil && fs.Bavail*uint64(fs.Bsize) >= clusterMemory {
		return inMemory
	}
	return os.TempDir()
}
