package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
)

// listBatch is how many entries of a folder are held in memory at a time: a
// repository's folder has one for each of its runs.
const listBatch = 256

// List lists files. It does not follow symbolic links below the bucket's own directory.
func (b *fileBucket) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		if err := checkPrefix(prefix); err != nil {
			yield(Object{}, err)
			return
		}
		l := fileLister{ctx: ctx, bucket: b, yield: yield}
		err := l.folder(b.path(strings.TrimSuffix(prefix, "/")))
		if isAbsent(err) {
			// A folder that does not exist has no objects; a bucket that does not exist
			// is an error.
			err = b.Check(ctx)
		}
		if err != nil && !errors.Is(err, errListEnded) {
			yield(Object{}, fmt.Errorf("archive: list %q: %w", prefix, err))
		}
	}
}

// errListEnded says that the caller has stopped the iteration.
var errListEnded = errors.New("listing ended")

// fileLister walks through folders, depth first.
type fileLister struct {
	ctx    context.Context
	bucket *fileBucket
	yield  func(Object, error) bool
}

// folder lists a folder and the folders in it, in the directory's own order: sorting
// would need all of it in memory.
func (l *fileLister) folder(path string) error {
	if l.bucket.isOwn(path) {
		return nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		entries, err := dir.ReadDir(listBatch)
		for _, e := range entries {
			// What vanished since it was read is left out.
			if err := l.entry(filepath.Join(path, e.Name()), e); err != nil && !isAbsent(err) {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (l *fileLister) entry(path string, e fs.DirEntry) error {
	if e.IsDir() {
		return l.folder(path)
	}
	if !e.Type().IsRegular() {
		return nil
	}
	info, err := e.Info()
	if err != nil {
		return err
	}
	key, err := filepath.Rel(l.bucket.dir, path)
	if err != nil {
		return err
	}
	if !l.yield(Object{Key: filepath.ToSlash(key), Size: info.Size(), ModTime: info.ModTime()}, nil) {
		return errListEnded
	}
	return nil
}

// isOwn reports whether a folder is not of the archive: one of temporary names, or of probes.
func (b *fileBucket) isOwn(path string) bool {
	for _, own := range []string{b.temp(), b.path(strings.TrimSuffix(ProbePrefix, "/"))} {
		if path == own || strings.HasPrefix(path, own+string(filepath.Separator)) {
			return true
		}
	}
	return false
}
