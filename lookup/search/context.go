package search

import (
	"bytes"
	"context"
)

// cursor goes through the lines of a block.
type cursor struct {
	text []byte
	at   int
	line int64 // number of the line that begins there
}

// next returns the line at the cursor, and moves the cursor past it.
func (c *cursor) next() (n int64, line []byte) {
	n = c.line
	line, _, _ = bytes.Cut(c.text[c.at:], []byte{'\n'})
	c.at = min(c.at+len(line)+1, len(c.text))
	c.line++
	return n, line
}

// addContextBetween adds the lines between the last match and line n, the next one, that
// are context of either. first is the first line of the block; lines before it are read
// again.
func (l *logRun) addContextBetween(ctx context.Context, c *cursor, first, n int64) error {
	if l.Before == 0 && l.After == 0 {
		return nil
	}
	before := max(n-l.Before, l.lastAdded+1)
	if err := l.addLines(ctx, before, first-1); err != nil {
		return err
	}
	for c.line < n {
		k, line := c.next()
		if k > l.lastAdded && (k <= l.contextUntil || k >= before) {
			if err := l.add(ctx, k, line, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// addContextAfter adds the lines before line n that are context after a match in an
// earlier block, and that are in no block that is read.
func (l *logRun) addContextAfter(ctx context.Context, n int64) error {
	return l.addLines(ctx, l.lastAdded+1, min(l.contextUntil, n-1))
}

// addLines reads lines of the log and adds them as context.
func (l *logRun) addLines(ctx context.Context, first, last int64) error {
	if first > last {
		return nil
	}
	return l.logs.Archive.ScanLines(ctx, l.layout, first, last, func(n int64, line []byte) error { return l.add(ctx, n, line, true) })
}
