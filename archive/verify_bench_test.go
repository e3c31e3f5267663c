package archive_test

import (
	"fmt"
	"testing"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// BenchmarkVerifyDeep is a deep look at an archived log in a directory, one and
// several at once; the rate is that of the log's own bytes. To compare:
// `zstd -t` of the same objects.
func BenchmarkVerifyDeep(b *testing.B) {
	for _, size := range []int64{20 << 10, 2 << 20, 256 << 20} {
		a := newArchive(b, buckettest.Open(b, "file://"+b.TempDir()), 1<<40)
		log, err := a.PutLog(b.Context(), key, githubsim.GeneratedLog(1, size, githubsim.LogStyle{ANSI: true}).Reader())
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("%dKiB/one", size>>10), func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				verifyGood(b, a, log)
			}
		})
		b.Run(fmt.Sprintf("%dKiB/parallel", size>>10), func(b *testing.B) {
			b.SetBytes(size)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					verifyGood(b, a, log)
				}
			})
		})
	}
}

func verifyGood(b *testing.B, a *archive.Archive, log archive.Log) {
	if d, err := a.Verify(b.Context(), log, true); d != nil || err != nil {
		b.Errorf("%+v, %v", d, err)
	}
}
