package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Probe finds out whether the file system can be written to, and keeps what is written. It
// lacks nothing that servers may lack: it needs no versions, and cannot lock.
func (b *fileBucket) Probe(ctx context.Context, write bool) ([]Lack, error) {
	if err := b.Check(ctx); err != nil || !write {
		return nil, err
	}
	key := newProbeKey()
	_, err := b.Put(ctx, key, bytes.NewReader(probeBody))
	if err == nil {
		err = errors.Join(b.probeKept(ctx, key), b.Purge(ctx, key), b.removeProbes())
	}
	if err != nil {
		return nil, fmt.Errorf("archive: probe: %w", err)
	}
	return nil, nil
}

// probeKept compares the probe's object with what was written.
func (b *fileBucket) probeKept(ctx context.Context, key string) error {
	r, err := b.Get(ctx, key, 1, -1)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	if !bytes.Equal(got, probeBody[1:]) {
		return fmt.Errorf("%w: it gives other bytes than were written to it", ErrUnfit)
	}
	if _, err := b.Put(ctx, key, bytes.NewReader(probeBody)); !errors.Is(err, ErrExists) {
		return errors.Join(fmt.Errorf("%w: a file that was there could be written again", ErrUnfit), err)
	}
	return nil
}

// removeProbes removes what killed probes have left.
func (b *fileBucket) removeProbes() error {
	dir := b.path(strings.TrimSuffix(ProbePrefix, "/"))
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || time.Since(info.ModTime()) < probeLeftover {
			continue // gone, no probe's, or somebody's at this moment
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !isAbsent(err) {
			return err
		}
	}
	return nil
}
