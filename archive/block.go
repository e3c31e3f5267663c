package archive

import (
	"context"
	"errors"
	"fmt"
)

// FrameRange is a range of consecutive frames of a log, counted from 0.
type FrameRange struct {
	First, End    int  // the last one is before End
	StartsMidLine bool // the first one begins within a line
	Plain         bool // the lines that begin in them are plain, see ngram.BloomFilter
}

// MaxBlockLine is the minimum of bytes that ReadBlocks gives of a longer line.
const MaxBlockLine = 4 << 20

// ReadBlocks gives visit the lines that begin in some frames of a log, in order: blocks
// of whole lines with their newlines, each with the number of its first line, from 1. Of
// a line that is longer than MaxBlockLine and goes over the end of a frame, it gives the
// first bytes; cut is the number of such lines. visit must not keep lines. Its error ends
// the reading and is returned; ErrStop ends it without an error. It holds a few frames in
// memory, and fails as CopyLog does.
func (a *Archive) ReadBlocks(ctx context.Context, log LogLayout, f FrameRange, visit func(first int64, lines []byte) error) (cut int64, err error) {
	if err := log.check(); err != nil {
		return 0, err
	}
	c := lineCutter{layout: log, limit: MaxBlockLine, visit: visit, midLine: f.StartsMidLine}
	err = a.frames(log, f.First, f.End).each(ctx, c.add)
	// The last line may continue in later frames, for long.
	for next := f.End; err == nil && c.open && next < len(log.FrameOffsets); next++ {
		c.lastOne = true
		err = a.frames(log, next, next+1).each(ctx, c.add)
	}
	if err == nil {
		err = c.finish()
	}
	if err != nil && !errors.Is(err, ErrStop) {
		return c.cut, fmt.Errorf("archive: read %s: %w", log.Key, err)
	}
	return c.cut, nil
}
