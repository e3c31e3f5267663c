package localpg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"
)

const (
	// descriptors is where a process finds the files it has open, by number.
	descriptors = "/proc/self/fd"
	// dirsByDescriptor says whether paths may go through a directory there.
	dirsByDescriptor = true
)

// runsIn reports whether pid is a Postgres of the account's working in dir. An
// error means that this cannot be told.
func (a *account) runsIn(pid int, dir string) (bool, error) {
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
	cwd, err := a.stat(proc + "cwd")
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

// stat is os.Stat as the account. A process's working directory is shown to its
// own user, but to root only with a capability that containers do not have.
func (a *account) stat(path string) (info fs.FileInfo, err error) {
	if a == nil {
		return os.Stat(path)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked: the thread, which is somebody else now, ends with
		// this goroutine.
		runtime.LockOSThread()
		if err = syscall.Setfsgid(int(a.gid)); err != nil {
			return
		}
		if err = syscall.Setfsuid(int(a.uid)); err != nil {
			return
		}
		info, err = os.Stat(path)
	}()
	<-done
	return info, err
}

func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}
