package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// BenchmarkCopyLog is a log's way from a directory to nowhere and into a file. To
// compare: `zstd -dc` of the same object into a file.
func BenchmarkCopyLog(b *testing.B) {
	for _, size := range []int64{20 << 10, 256 << 20} {
		a, log := benchLog(b, size)
		b.Run(fmt.Sprintf("%dKiB/discard", size>>10), func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				if err := a.CopyLog(b.Context(), io.Discard, log.LogLayout); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("%dKiB/file", size>>10), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "log")
			b.SetBytes(size)
			for b.Loop() {
				if err := copyToFile(b.Context(), a, log.LogLayout, path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func copyToFile(ctx context.Context, a *archive.Archive, ref archive.LogLayout, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return a.CopyLog(ctx, f, ref)
}

// BenchmarkCopyLines and BenchmarkCopyBytes read a little from the middle of a
// large log.
func BenchmarkCopyLines(b *testing.B) {
	a, log := benchLog(b, 256<<20)
	b.ReportAllocs()
	for b.Loop() {
		if err := a.CopyLines(b.Context(), io.Discard, log.LogLayout, log.Lines/2, log.Lines/2+199); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCopyBytes(b *testing.B) {
	a, log := benchLog(b, 256<<20)
	b.ReportAllocs()
	for b.Loop() {
		if err := a.CopyBytes(b.Context(), io.Discard, log.LogLayout, log.RawBytes/2, 20<<10); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkScanLines looks at every line of a log: not at all, and for a word. To
// compare: BenchmarkCopyLog to nowhere.
func BenchmarkScanLines(b *testing.B) {
	const size = 256 << 20
	a, log := benchLog(b, size)
	for name, visit := range map[string]func(int64, []byte) error{
		"nothing": func(int64, []byte) error { return nil },
		"word": func(_ int64, line []byte) error {
			if bytes.Contains(line, []byte("no such word")) {
				return archive.ErrStop
			}
			return nil
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				if err := a.ScanLines(b.Context(), log.LogLayout, 1, log.Lines, visit); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchLog(b *testing.B, size int64) (*archive.Archive, archive.Log) {
	a := newArchive(b, buckettest.Open(b, "file://"+b.TempDir()), 1<<40)
	log, err := a.PutLog(b.Context(), key, githubsim.GeneratedLog(1, size, githubsim.LogStyle{ANSI: true}).Reader())
	if err != nil {
		b.Fatal(err)
	}
	return a, log
}
