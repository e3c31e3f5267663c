package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

const (
	smallLog   = 20 << 20
	wantMemory = 32.0 // MiB
)

// archiveOne is the name under which this program runs itself, to archive one
// log in a process whose peak memory the kernel then tells.
const archiveOne = "archive-one"

func runArchiveOne(args []string) error {
	if len(args) != 3 {
		return errors.New("archive-one API TOKEN BUCKET")
	}
	_, err := archiveLog(context.Background(), args[0], args[1], args[2], 1)
	return err
}

// measureMemory holds the peak memory with a huge log against that with a small
// one.
func measureMemory(ctx context.Context, l *lab) ([]row, error) {
	large, err := peakMemory(ctx, l, "large", l.scale.memoryLog)
	if err != nil {
		return nil, err
	}
	small, err := peakMemory(ctx, l, "small", smallLog)
	if err != nil {
		return nil, err
	}
	return []row{{
		what: fmt.Sprintf("peak memory with a log of %d MiB", l.scale.memoryLog>>20), ours: fmt.Sprintf("%.1f MiB", large),
		against: fmt.Sprintf("%.1f MiB with one of %d MiB", small, smallLog>>20), ratio: fmt.Sprintf("%+.1f MiB", large-small),
		wanted: fmt.Sprintf("≤ +%.0f MiB", wantMemory), missed: large-small > wantMemory,
	}}, nil
}

// peakMemory archives one log in another process and returns its peak in MiB.
func peakMemory(ctx context.Context, l *lab, name string, size int64) (float64, error) {
	sim, _, err := simulateLog(size)
	if err != nil {
		return 0, err
	}
	defer sim.Close()
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self, archiveOne, sim.URL(), sim.Token(), "file://"+filepath.Join(l.dir, "memory-"+name))
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("archive %s MiB: %w", strconv.FormatInt(size>>20, 10), err)
	}
	peak := float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
	if runtime.GOOS == "darwin" { // bytes there, KiB elsewhere
		peak /= 1024
	}
	return peak / 1024, nil
}
