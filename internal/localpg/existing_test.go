package localpg

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// Who wants a cluster that exists makes nothing where there is none, also where a start has
// left a lock and no cluster.
func TestExistingMakesNothing(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	c.Existing = true
	c.Dir = filepath.Join(c.Dir, "new")
	for _, try := range []string{"no data directory", "no cluster in it"} {
		for _, start := range []func() (*Server, error){
			func() (*Server, error) { return Attach(t.Context(), c) },
			func() (*Server, error) { return Start(t.Context(), c) },
		} {
			if s, err := start(); !errors.Is(err, ErrNoCluster) {
				t.Fatalf("%s: %v, %v", try, s, err)
			}
		}
		entries, err := os.ReadDir(c.Dir)
		if try == "no data directory" && !errors.Is(err, os.ErrNotExist) || len(entries) > 1 {
			t.Fatalf("%s: made %v (%v)", try, entries, err)
		}
		lock, err := newLock(c.Dir)
		if err != nil {
			t.Fatal(err)
		}
		lock.release()
	}
}

// newLock takes the lock of a data directory, as an owner does before it makes its cluster.
func newLock(dir string) (*dirLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return acquire(layout{dir}.lock())
}

// A cluster that its owner is making just now is waited for, and used.
func TestExistingWaitsForAClusterThatIsMade(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	lock, err := newLock(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	existing := c
	existing.Existing = true
	attached := make(chan error, 1)
	go func() {
		s, err := Attach(t.Context(), existing)
		if err == nil {
			err = s.Close()
		}
		attached <- err
	}()
	// The owner's steps are Start's: while the lock is held there is no telling what comes.
	owner := &Server{conf: c, paths: layout{c.Dir}, lock: lock}
	owner.conf.Logger, owner.conf.programs = slog.New(slog.DiscardHandler), machine()
	if err := owner.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-attached; err != nil {
		t.Error(err)
	}
	mustClose(t, owner)
	s, err := Attach(t.Context(), existing)
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
}
