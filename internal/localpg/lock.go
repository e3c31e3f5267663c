package localpg

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// dirLock is the ownership of a data directory. The kernel ends it with the
// process, however that dies.
type dirLock struct{ file *os.File }

// acquire takes the lock kept on the file at path, without waiting. If somebody
// has it the error is ErrLocked, with the process id if that is known. The lock
// belongs to the open file, so a second one in the same process is refused too.
func acquire(path string) (*dirLock, error) {
	// Go opens files close-on-exec: Postgres, which outlives us, does not
	// inherit the lock.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrLocked
		if holder := readHolder(f); holder > 0 {
			err = fmt.Errorf("%w (pid %d)", ErrLocked, holder)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	// For people and messages only; the lock is what counts, so a failure
	// here is none.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &dirLock{f}, nil
}

// release gives the lock up. The file stays: removing it would let two
// processes lock two files of the same name.
func (l *dirLock) release() {
	// Closing alone would not do while some other goroutine is starting a
	// program, whose process has a copy of all our files for a moment.
	_ = syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN)
	l.file.Close()
}

func readHolder(f *os.File) int {
	text, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}
