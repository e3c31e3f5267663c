package localpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	embedded "github.com/fergusstrange/embedded-postgres"
)

// fetchable are the versions of each major version that can be fetched.
var fetchable = map[int]embedded.PostgresVersion{
	14: embedded.V14,
	15: embedded.V15,
	16: embedded.V16,
	17: embedded.V17,
	18: embedded.V18,
}

// fetch returns the binaries of a major version, or of c.major if that is 0,
// from the cache or, the first time, from the repository.
func (c *catalogue) fetch(ctx context.Context, acct *account, major int) (binaries, error) {
	if major == 0 {
		major = c.major
	}
	version, ok := fetchable[major]
	if !ok {
		return binaries{}, fmt.Errorf("version %d is not among those offered", major)
	}
	home := filepath.Join(c.cache, "postgresql-"+string(version))
	bin := filepath.Join(home, "bin")
	if _, err := os.Stat(bin); errors.Is(err, fs.ErrNotExist) {
		if err := c.download(ctx, version, home); err != nil {
			return binaries{}, err
		}
	}
	b, err := probe(ctx, acct, bin)
	if err != nil {
		return binaries{}, err
	}
	if b.major != major {
		return binaries{}, fmt.Errorf("%s holds version %d, not %d", bin, b.major, major)
	}
	return b, nil
}

// download makes the folder home, complete or not at all.
func (c *catalogue) download(ctx context.Context, version embedded.PostgresVersion, home string) error {
	if err := os.MkdirAll(c.cache, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(c.cache, 0o755); err != nil { // the umask may have said otherwise
		return err
	}
	work, err := os.MkdirTemp(c.cache, "fetch-")
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		err := c.downloadInto(work, version, home)
		os.RemoveAll(work)
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		// The library cannot be interrupted. Its goroutine ends by itself or
		// with the process, and nobody waits for what it makes.
		return ctx.Err()
	}
}

// unclearable is a name that os.RemoveAll refuses, for its last element.
const unclearable = "no-cluster/."

func (c *catalogue) downloadInto(work string, version embedded.PostgresVersion, home string) error {
	extracted := filepath.Join(work, "extracted")
	conf := embedded.DefaultConfig().
		Version(version).
		BinaryRepositoryURL(c.repository).
		CachePath(filepath.Join(work, "archive")).
		RuntimePath(filepath.Join(work, "run")).
		BinariesPath(extracted).
		// The library has no way to fetch without starting. It fetches,
		// extracts, clears the data path, then initialises and starts a
		// cluster there. A data path that cannot be cleared ends it in time.
		DataPath(filepath.Join(work, "run") + "/" + unclearable).
		Port(0).
		Logger(io.Discard)
	err := embedded.NewDatabase(conf).Start()
	if err == nil || !strings.Contains(err.Error(), unclearable) {
		return fmt.Errorf("fetch PostgreSQL %s from %s: %w", version, c.repository, err)
	}
	if err := readable(extracted); err != nil {
		return err
	}
	err = os.Rename(extracted, home)
	if _, serr := os.Stat(home); serr == nil {
		return nil // perhaps another process was quicker; then its files are as good
	}
	return err
}

// readable lets everybody use the files below dir, whatever the umask and the
// archive say: Postgres may run as another user than we.
func readable(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() | 0o444
		if d.IsDir() || mode&0o100 != 0 {
			mode |= 0o111
		}
		return os.Chmod(path, mode)
	})
}
