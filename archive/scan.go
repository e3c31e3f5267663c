package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// MaxLine is the maximum of bytes that ScanLines gives of a line.
const MaxLine = 1 << 20

// ErrStop is the error that visit of ScanLines returns to end the scan.
var ErrStop = errors.New("seen enough")

// ScanLines gives visit lines first to last of a log, from 1 and inclusive, in order and
// each with its number, without its newline; of a line longer than MaxLine, its first
// MaxLine bytes. Lines beyond the end are left out silently. visit must not keep line,
// nor wait for a client, because frames are held meanwhile. Its error ends the scan and
// is returned; ErrStop ends it without an error. It asks the bucket for one range of the
// object, holds a few frames in memory, and fails as CopyLog does.
func (a *Archive) ScanLines(ctx context.Context, log LogLayout, first, last int64, visit func(n int64, line []byte) error) error {
	if err := log.check(); err != nil {
		return err
	}
	frame, end := log.frameRange(first, last)
	if frame == end {
		return nil
	}
	c := lineCutter{layout: log, limit: MaxLine + len("\n"), visit: func(n int64, block []byte) error {
		for ; len(block) > 0; n++ {
			line, rest, _ := bytes.Cut(block, []byte{'\n'})
			if n >= first {
				if err := visit(n, line[:min(len(line), MaxLine)]); err != nil {
					return err
				}
			}
			if n == last {
				return ErrStop
			}
			block = rest
		}
		return nil
	}}
	err := a.frames(log, frame, end).each(ctx, c.add)
	if err == nil {
		err = c.finish()
	}
	if err != nil && !errors.Is(err, ErrStop) {
		return fmt.Errorf("archive: scan %s: %w", log.Key, err)
	}
	return nil
}
