package store_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

// A disk of its own, which is filled and emptied.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=160m,mode=0711"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	inner := filepath.Join(dir, "jobvault")
	if err := os.Mkdir(inner, 0o711); err != nil {
		t.Fatal(err)
	}
	db := openStore(t, testenv.ClusterIn(t, inner, map[string]string{"max_wal_size": "32MB"}).URL())
	wantWrites(t, db, nil)
	ballast := filepath.Join(dir, "ballast")
	file, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(file, zeros{}); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	wantWrites(t, db, store.ErrDiskFull)
	if err := db.Ping(t.Context()); err != nil {
		t.Errorf("Postgres does not even answer: %v", err)
	}
	if err := errors.Join(file.Close(), os.Remove(ballast)); err != nil {
		t.Fatal(err)
	}
	wantWrites(t, db, nil)
}

// zeros has no end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
