package localpg

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
)

// maxLog is the size from which postgres.log is put aside at a start, in bytes.
const maxLog = 8 << 20

// openLog opens postgres.log for appending. One that has grown beyond maxLog
// becomes postgres.log.old, in place of the one before.
func openLog(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".old"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
}

// tail returns the last few lines of what was written to the log since it was
// from bytes long.
func tail(log *os.File, from int64) string {
	const maxTail = 2 << 10
	size, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	from = min(max(from, size-maxTail), size) // size is less than from if somebody has cut the log
	text := make([]byte, size-from)
	n, _ := log.ReadAt(text, from)
	return strings.TrimSpace(string(text[:n]))
}
