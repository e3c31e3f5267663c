package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// FrameRange are frames of a log that follow each other, counted from 0.
type FrameRange struct {
	First, End    int  // the last one is before End
	StartsMidLine bool // the first one begins within a line
}

// MaxBlockLine is how much of a line ReadBlocks gives.
const MaxBlockLine = 4 << 20

// ReadBlocks gives visit the lines that begin in some frames of a log, in order and in
// blocks of whole lines with their newlines, each with the number of its first one,
// from 1; of a line longer than MaxBlockLine, its first bytes. It returns how many
// lines it has cut so. visit must not keep lines. Its error ends the reading and is
// returned; ErrStop ends it without an error. It holds a few frames, and fails as
// CopyLog.
func (a *Archive) ReadBlocks(ctx context.Context, ref LogLayout, f FrameRange, visit func(first int64, lines []byte) error) (cut int64, err error) {
	if err := ref.check(); err != nil {
		return 0, err
	}
	b := blocks{ref: ref, within: f.StartsMidLine, visit: visit}
	err = a.frames(ref, f.First, f.End).each(ctx, b.add)
	// The last line may go on, for long.
	for next := f.End; err == nil && b.inLine && next < len(ref.FrameOffsets); next++ {
		b.ending = true
		err = a.frames(ref, next, next+1).each(ctx, b.add)
	}
	if err == nil && b.inLine {
		err = b.give()
	}
	if err != nil && !errors.Is(err, ErrStop) {
		return b.cut, fmt.Errorf("archive: read %s: %w", ref.Key, err)
	}
	return b.cut, nil
}

// blocks cuts frames into blocks of whole lines.
type blocks struct {
	ref    LogLayout
	visit  func(first int64, lines []byte) error
	within bool   // in a line that is not wanted
	inLine bool   // in one that is
	ending bool   // only its end is wanted
	number int64  // of that line
	line   []byte // its beginning
	long   bool   // it is cut
	cut    int64
}

func (b *blocks) add(index int, raw []byte) error {
	number := b.ref.FrameLines[index]
	if b.within || b.inLine {
		end := bytes.IndexByte(raw, '\n') + 1
		if end == 0 {
			b.keep(raw)
			return nil
		}
		b.keep(raw[:end])
		if err := b.give(); err != nil {
			return err
		}
		if b.ending {
			return ErrStop
		}
		b.within = false
		raw, number = raw[end:], number+1
	}
	whole := bytes.LastIndexByte(raw, '\n') + 1
	if whole > 0 {
		if err := b.visit(number, raw[:whole]); err != nil {
			return err
		}
	}
	if whole < len(raw) {
		b.inLine, b.line, b.long = true, b.line[:0], false
		b.number = number + int64(bytes.Count(raw[:whole], []byte{'\n'}))
		b.keep(raw[whole:])
	}
	return nil
}

// keep adds to a line that is cut by the end of a frame.
func (b *blocks) keep(part []byte) {
	if !b.inLine {
		return
	}
	room := MaxBlockLine - len(b.line)
	if len(part) > room && !b.long {
		b.long = true
		b.cut++
	}
	b.line = append(b.line, part[:min(len(part), room)]...)
}

// give ends a line.
func (b *blocks) give() error {
	if !b.inLine {
		return nil
	}
	b.inLine = false
	return b.visit(b.number, b.line)
}
