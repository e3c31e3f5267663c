package archive

import (
	"bytes"
	"context"
	"fmt"
	"io"
)

// CopyLines writes lines first to last of a log, from 1 and inclusive, to w, exactly as
// they are. It asks the bucket for one range of the object, however long that is. Lines
// beyond the end are left out silently. It fails and uses memory as CopyLog does.
func (a *Archive) CopyLines(ctx context.Context, w io.Writer, layout LogLayout, first, last int64) error {
	if err := layout.check(); err != nil {
		return err
	}
	frame, end := layout.frameRange(first, last)
	if frame == end {
		return nil
	}
	first = max(first, 1)
	skip, want := first-layout.FrameLines[frame], last-first+1
	err := a.copyFrames(ctx, w, layout, frame, end, func(_ int, raw []byte) (from, to int, err error) {
		from, skip = passLines(raw, skip)
		n, left := passLines(raw[from:], want)
		want = left
		return from, from + n, nil
	})
	if err != nil {
		return fmt.Errorf("archive: lines %d-%d of %s: %w", first, last, layout.Key, err)
	}
	return nil
}

// passLines finds the end of the first n lines of b; left is how many of them end
// after b.
func passLines(b []byte, n int64) (end int, left int64) {
	for n > 0 {
		i := bytes.IndexByte(b[end:], '\n')
		if i < 0 {
			return len(b), n
		}
		end += i + 1
		n--
	}
	return end, 0
}
