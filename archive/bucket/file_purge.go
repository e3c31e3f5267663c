package bucket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"syscall"
)

// Purge removes the file, and any temporary name of the same file that a killed Put may
// have left.
func (b *fileBucket) Purge(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	path := b.path(key)
	info, err := os.Lstat(path)
	if err == nil && links(info) > 1 {
		if err := b.removeTemp(info); err != nil {
			return fileError("purge", key, err)
		}
	}
	if err := b.Remove(ctx, key); err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("archive: purge %s: %w", key, ErrRemains)
	} else if !isAbsent(err) {
		return fileError("purge", key, err)
	}
	return nil
}

// links returns how many names (hard links) a file has.
func links(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Nlink) //nolint:unconvert // it has other sizes elsewhere
	}
	return 1
}

// removeTemp removes the temporary names of a file.
func (b *fileBucket) removeTemp(of fs.FileInfo) error {
	entries, err := os.ReadDir(b.temp())
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !os.SameFile(info, of) {
			continue
		}
		if err := os.Remove(filepath.Join(b.temp(), e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// ListVersions is List, because a folder has no versions.
func (b *fileBucket) ListVersions(ctx context.Context, prefix string) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		for o, err := range b.List(ctx, prefix) {
			if !yield(Version{Key: o.Key}, err) {
				return
			}
		}
	}
}
