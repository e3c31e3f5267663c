package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// fileBucket keeps objects as files in a directory. A file is written under a
// temporary name, synced, and then linked to its own, which the kernel refuses
// if the name is taken.
type fileBucket struct {
	dir    string
	copied bool // only read, see OpenCopy
}

// staleTemp is the age at which a temporary file belongs to nobody any more:
// its writer was killed.
const staleTemp = 24 * time.Hour

func parseFileURL(u *url.URL) (func() (Bucket, error), error) {
	if u.Host != "" || u.Path == "" || u.RawQuery != "" {
		return nil, fmt.Errorf("archive: bucket URL %q: want file:///absolute/path", u.Redacted())
	}
	return func() (Bucket, error) { return OpenDir(filepath.FromSlash(u.Path)) }, nil
}

// OpenDir opens, and makes if need be, a bucket in a directory.
func OpenDir(dir string) (Bucket, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	b := &fileBucket{dir: dir}
	if err := os.MkdirAll(b.temp(), 0o750); err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	return b, b.removeStale()
}

func (b *fileBucket) temp() string           { return filepath.Join(b.dir, ".tmp") }
func (b *fileBucket) path(key string) string { return filepath.Join(b.dir, filepath.FromSlash(key)) }
func (b *fileBucket) String() string         { return "file://" + filepath.ToSlash(b.dir) }

func (b *fileBucket) removeStale() error {
	entries, err := os.ReadDir(b.temp())
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || time.Since(info.ModTime()) < staleTemp {
			continue
		}
		if err := os.Remove(filepath.Join(b.temp(), e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("archive: %w", err)
		}
	}
	return nil
}

func (b *fileBucket) Put(ctx context.Context, key string, r io.Reader) (size int64, err error) {
	if _, err := os.Lstat(b.path(key)); err == nil {
		return 0, fmt.Errorf("archive: put %s: %w", key, ErrExists)
	}
	return b.write(ctx, key, r, link)
}

func (b *fileBucket) Replace(ctx context.Context, key string, r io.Reader) (int64, error) {
	return b.write(ctx, key, r, rename)
}

// write makes a file under a temporary name, and names it when it is whole.
func (b *fileBucket) write(ctx context.Context, key string, r io.Reader, name func(from, to, root string) error) (size int64, err error) {
	if err := checkKey(key); err != nil {
		return 0, err
	}
	if b.copied {
		return 0, fmt.Errorf("archive: put %s: %w", key, errCopy)
	}
	f, err := os.CreateTemp(b.temp(), "put-*")
	if err != nil {
		return 0, fmt.Errorf("archive: put %s: %w", key, err)
	}
	defer func() {
		// The temporary name goes in any case; the object has its own by now.
		if rerr := os.Remove(f.Name()); !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}()
	size, err = io.Copy(f, WithContext(ctx, r))
	if err == nil {
		err = checkFile(f, size)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return 0, fmt.Errorf("archive: put %s: %w", key, err)
	}
	if err := name(f.Name(), b.path(key), b.dir); err != nil {
		return 0, fmt.Errorf("archive: put %s: %w", key, err)
	}
	return size, nil
}

// checkFile forces the file to the disk and compares its size.
func checkFile(f *os.File, size int64) error {
	if err := f.Chmod(0o440); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != size {
		return fmt.Errorf("%w: %d bytes on disk, %d sent", ErrStoreMismatch, info.Size(), size)
	}
	return nil
}

// link gives the file its own name, and syncs the directories that changed, so
// that the name survives a power cut.
func link(from, to, root string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		return err
	}
	if err := os.Link(from, to); errors.Is(err, fs.ErrExist) {
		return ErrExists
	} else if err != nil {
		return err
	}
	return syncAbove(to, root)
}

// rename gives the file a name that another file may have; that one is replaced.
func rename(from, to, root string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncAbove(to, root)
}

func syncAbove(path, root string) error {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if err := syncDir(dir); err != nil {
			return err
		}
		if dir == root || dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (b *fileBucket) Get(_ context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	// This changes nothing for a file, but spares Go four calls to find that out.
	f, err := os.OpenFile(b.path(key), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fileError("get", key, err)
	}
	if length < 0 {
		info, err := f.Stat()
		if err != nil {
			return nil, errors.Join(fileError("get", key, err), f.Close())
		}
		length = max(info.Size()-offset, 0)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, offset, length), f}, nil
}

func (b *fileBucket) Size(_ context.Context, key string) (int64, error) {
	if err := checkKey(key); err != nil {
		return 0, err
	}
	info, err := os.Stat(b.path(key))
	if err != nil {
		return 0, fileError("size of", key, err)
	}
	return info.Size(), nil
}

// Remove removes the object's file. It leaves the folder, even an empty one, because a
// Put may be about to use it.
func (b *fileBucket) Remove(_ context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if b.copied {
		return fmt.Errorf("archive: remove %s: %w", key, errCopy)
	}
	path := b.path(key)
	err := os.Remove(path)
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil && !isAbsent(err) {
		return fileError("remove", key, err)
	}
	return nil
}

func (b *fileBucket) Check(context.Context) error {
	must := b.temp()
	if b.copied {
		must = b.dir
	}
	if _, err := os.Stat(must); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

func fileError(op, key string, err error) error {
	if isAbsent(err) {
		err = ErrNotFound
	}
	return fmt.Errorf("archive: %s %s: %w", op, key, err)
}

// isAbsent reports whether an error says that there is nothing under a path; another
// reason than a missing file is that a part of the path is itself a file.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
