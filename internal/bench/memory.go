package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

const (
	smallLog   = 20 << 20
	wantMemory = 32.0 // MiB
)

// archiveOne is the name under which this program runs itself, to archive one
// log in a process of its own and print that one's peak memory in MiB.
const archiveOne = "archive-one"

func runArchiveOne(args []string) error {
	if len(args) != 3 {
		return errors.New("archive-one API TOKEN BUCKET")
	}
	if _, err := archiveLog(context.Background(), args[0], args[1], args[2], 1); err != nil {
		return err
	}
	peak, err := ownPeak()
	fmt.Println(peak)
	return err
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// ownPeak returns this process's peak memory in MiB. It does not use getrusage on Linux,
// which would count what the parent held when it forked.
func ownPeak() (float64, error) {
	if peak, err := peakOf(os.Getpid()); err == nil {
		return peak, nil
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, err
	}
	return float64(usage.Maxrss) / (1 << 20), nil // bytes on macOS
}

// peakOf is a process's peak memory in MiB, where there is a /proc.
func peakOf(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	m := highWater.FindSubmatch(status)
	if m == nil {
		return 0, fmt.Errorf("process %d does not tell its peak memory", pid)
	}
	kib, err := strconv.ParseFloat(string(m[1]), 64)
	return kib / 1024, err
}

// measureMemory compares the peak memory of archiving a huge log with that of archiving a
// small one.
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
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("archive %d MiB: %w", size>>20, err)
	}
	return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
}
