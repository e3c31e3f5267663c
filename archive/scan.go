package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// MaxLine is how much of a line ScanLines gives.
const MaxLine = 1 << 20

// ErrStop is what ScanLines' visit returns when it has seen enough.
var ErrStop = errors.New("seen enough")

// ScanLines gives visit lines first to last of a log, from 1 and inclusive, in
// order and each with its number, without its newline; of a line longer than
// MaxLine, its first MaxLine bytes. Lines beyond the end are left out silently.
// visit must not keep line, nor wait for anybody: it holds frames meanwhile. Its
// error ends the scan and is returned; ErrStop ends it without an error. It asks
// the bucket for one range of the object, holds a few frames, and fails as CopyLog.
func (a *Archive) ScanLines(ctx context.Context, ref LogLayout, first, last int64, visit func(n int64, line []byte) error) error {
	if err := ref.check(); err != nil {
		return err
	}
	frame, end := ref.frameRange(first, last)
	if frame == end {
		return nil
	}
	s := scan{line: ref.FrameLines[frame], first: first, last: last, visit: visit}
	err := a.frames(ref, frame, end).each(ctx, func(_ int, raw []byte) error { return s.add(raw) })
	if err == nil {
		err = s.finish()
	}
	if err != nil && !errors.Is(err, ErrStop) {
		return fmt.Errorf("archive: scan %s: %w", ref.Key, err)
	}
	return nil
}

// scan cuts frames into lines.
type scan struct {
	line        int64 // number of the line that is being read
	first, last int64
	visit       func(n int64, line []byte) error
	inLine      bool
	head        []byte // of the line, if it began in an earlier frame
}

func (s *scan) add(raw []byte) error {
	for len(raw) > 0 {
		end := bytes.IndexByte(raw, '\n')
		if end < 0 {
			s.keep(raw)
			return nil
		}
		line := raw[:end]
		if s.inLine {
			s.keep(line)
			line = s.head
		}
		if err := s.give(line); err != nil {
			return err
		}
		raw = raw[end+1:]
	}
	return nil
}

// keep adds to a line that is cut by the end of a frame.
func (s *scan) keep(part []byte) {
	s.head = append(s.head, part[:min(len(part), MaxLine-len(s.head))]...)
	s.inLine = true
}

// give ends a line.
func (s *scan) give(line []byte) error {
	if s.line >= s.first {
		if err := s.visit(s.line, line[:min(len(line), MaxLine)]); err != nil {
			return err
		}
	}
	if s.line == s.last {
		return ErrStop
	}
	s.line++
	s.inLine, s.head = false, s.head[:0]
	return nil
}

// finish ends a last line without a newline.
func (s *scan) finish() error {
	if !s.inLine {
		return nil
	}
	return s.give(s.head)
}
