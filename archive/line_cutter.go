package archive

import "bytes"

// lineCutter cuts frames, one after the other, into blocks of whole lines. A line that
// crosses the end of a frame is a block of its own.
type lineCutter struct {
	layout  LogLayout
	limit   int                                   // maximum of bytes that are kept of a line that crosses the end of a frame
	visit   func(first int64, lines []byte) error // gets a block, good until it returns, and the number of its first line
	midLine bool                                  // the next frame begins within a line that is not wanted
	lastOne bool                                  // only the end of the open line is wanted
	open    bool                                  // a line has not ended
	number  int64                                 // of the open line
	line    []byte                                // its beginning, at most limit bytes
	long    bool                                  // it has more than that
	cut     int64                                 // lines that had
}

// add cuts the next frame. It returns ErrStop at the end of the open line if only that
// line's end is wanted, and otherwise what visit returns.
func (c *lineCutter) add(index int, raw []byte) error {
	number := c.layout.FrameLines[index]
	if c.midLine || c.open {
		end := bytes.IndexByte(raw, '\n') + 1
		if end == 0 {
			c.keep(raw)
			return nil
		}
		c.keep(raw[:end])
		if err := c.finish(); err != nil {
			return err
		}
		if c.lastOne {
			return ErrStop
		}
		c.midLine = false
		raw, number = raw[end:], number+1
	}
	whole := bytes.LastIndexByte(raw, '\n') + 1
	if whole > 0 {
		if err := c.visit(number, raw[:whole]); err != nil {
			return err
		}
	}
	if whole < len(raw) {
		c.open, c.line, c.long = true, c.line[:0], false
		c.number = number + int64(bytes.Count(raw[:whole], []byte{'\n'}))
		c.keep(raw[whole:])
	}
	return nil
}

// keep adds to the open line, if there is one.
func (c *lineCutter) keep(part []byte) {
	if !c.open {
		return
	}
	room := c.limit - len(c.line)
	if len(part) > room && !c.long {
		c.long = true
		c.cut++
	}
	c.line = append(c.line, part[:min(len(part), room)]...)
}

// finish ends the open line, if there is one, with or without a newline.
func (c *lineCutter) finish() error {
	if !c.open {
		return nil
	}
	c.open = false
	return c.visit(c.number, c.line)
}
