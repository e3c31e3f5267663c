package localpg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

const (
	// descriptors is where a process finds the files it has open, by number.
	descriptors = "/proc/self/fd"
	// dirsByDescriptor says whether paths may go through a directory there.
	dirsByDescriptor = true
)

// runsIn reports whether pid is a Postgres working in dir. An error means that
// this cannot be told.
func runsIn(pid int, dir string) (bool, error) {
	proc := fmt.Sprintf("/proc/%d/", pid)
	name, err := os.ReadFile(proc + "comm")
	if gone(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !strings.HasPrefix(string(name), "postgres") && !strings.HasPrefix(string(name), "postmaster") {
		return false, nil
	}
	cwd, err := os.Stat(proc + "cwd")
	if gone(err) { // also of a process that has ended, but was not waited for
		return false, nil
	}
	if err != nil {
		return false, err
	}
	want, err := os.Stat(dir)
	if err != nil {
		return false, err
	}
	return os.SameFile(cwd, want), nil
}

func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}
