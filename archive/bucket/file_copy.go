package bucket

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

var errCopy = errors.New("a copy of a bucket is only read")

// OpenCopy opens a directory that a bucket was copied to, such as by `aws s3 sync`. The
// directory must exist. It is only read; nothing is created in it.
func OpenCopy(dir string) (Bucket, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no directory", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	return &fileBucket{dir: dir, copied: true}, nil
}
