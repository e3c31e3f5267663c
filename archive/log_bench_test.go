package archive_test

import (
	"fmt"
	"testing"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// BenchmarkPutLog is a log's way from a reader into a directory: hash, index,
// compression, and the disk.
func BenchmarkPutLog(b *testing.B) {
	for _, size := range []int64{20 << 10, 128 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			a := newArchive(b, buckettest.Open(b, "file://"+b.TempDir()), 1<<40)
			log := githubsim.GeneratedLog(1, size, githubsim.LogStyle{ANSI: true})
			b.SetBytes(size)
			for i := range b.N {
				if _, err := a.PutLog(b.Context(), archive.JobKey{JobID: int64(i)}, log.Reader()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
