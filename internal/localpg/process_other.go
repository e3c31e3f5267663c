//go:build !linux

package localpg

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
)

const (
	// descriptors is where a process finds the files it has open, by number.
	descriptors = "/dev/fd"
	// dirsByDescriptor says whether paths may go through a directory there.
	dirsByDescriptor = false
)

// runsIn reports whether pid is a Postgres working in dir. An error means that
// this cannot be told.
func (*account) runsIn(pid int, dir string) (bool, error) {
	// ps fails if there is no such process.
	name, err := exec.Command("ps", "-o", "comm=", "-p", strconv.Itoa(pid)).Output()
	if err != nil || !strings.Contains(string(name), "postgres") {
		return false, nil
	}
	out, err := exec.Command("lsof", "-a", "-p", strconv.Itoa(pid), "-d", "cwd", "-F", "n").Output()
	if err != nil {
		return false, err
	}
	want, err := os.Stat(dir)
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(out)) {
		path, ok := strings.CutPrefix(strings.TrimSpace(line), "n")
		if !ok {
			continue
		}
		if cwd, err := os.Stat(path); err == nil && os.SameFile(cwd, want) {
			return true, nil
		}
	}
	return false, nil
}
