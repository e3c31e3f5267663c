package ngram

import (
	"bytes"
	"sync"

	"github.com/jobvault/jobvault/archive/joblog"
)

// Each gives visit the start and end of each wanted line of a block, in order, without
// its newline. The block must consist of whole lines; plain says that it is known of all of
// them what BloomFilter.Plain says, which spares looking for controls. An error of visit ends
// it, and is returned.
func (p *Pattern) Each(block []byte, plain bool, visit func(start, end int) error) error {
	s := p.scan(block, plain)
	defer s.release()
	for at := 0; at < len(block); {
		hit, control := s.next(at)
		first := min(hit, control)
		if first == len(block) {
			return nil
		}
		start := bytes.LastIndexByte(block[at:first], '\n') + 1 + at
		end := endOf(block, first)
		if p.isSeen(s, start, hit, end, control) || p.matchLine(s, start, end) {
			if err := visit(start, end); err != nil {
				return err
			}
		}
		at = end + 1
	}
	return nil
}

// isSeen reports whether a line is certainly wanted, as the literal that begins at hit is the
// pattern, is in the line's text, and is seen: it comes after any timestamp and before any
// line end, no control changes the line but colours, and it is no part of those.
func (p *Pattern) isSeen(s *blockScan, start, hit, end, control int) bool {
	return p.plain && p.literals != nil && hit-start >= joblog.MaxPrefix && hit+len(p.literal) < end && control >= end &&
		(s.asIs || !joblog.MayBeInColour(s.block, hit))
}

// matchLine reports whether a line is wanted.
func (p *Pattern) matchLine(s *blockScan, start, end int) bool {
	_, text := joblog.SplitLine(s.block[start:end])
	if s.asIs {
		return p.Match(text)
	}
	part, ok := joblog.VisiblePart(text)
	if !ok {
		*s.buffer = joblog.AppendVisible((*s.buffer)[:0], text)
		part = *s.buffer
	}
	return p.Match(part)
}

// blockScan finds the lines of a block that have to be looked at.
type blockScan struct {
	block    []byte
	literals *literalScan    // nil: each line
	asIs     bool            // lines are looked at as they are
	escape   int             // the next one that may make a literal be seen; -1: was not looked for yet
	controls joblog.Controls // the other ones
	buffer   *[]byte         // of the pool
}

// visibles keeps the memory for visible texts.
var visibles = sync.Pool{New: func() any { return new([]byte) }}

func (p *Pattern) scan(block []byte, plain bool) *blockScan {
	s := &blockScan{block: block, asIs: p.raw || plain, escape: -1, controls: joblog.NewOverwrites(block), buffer: visibles.Get().(*[]byte)}
	if p.literals != nil {
		s.literals = p.literals.scan(block)
	}
	return s
}

func (s *blockScan) release() {
	if s.literals != nil {
		s.literals.end()
	}
	visibles.Put(s.buffer)
}

// next returns the first places, at or after the beginning of a line, of a literal and of
// a control that may make one be seen: each is in a line that has to be looked at. The
// block's length stands for none.
func (s *blockScan) next(at int) (hit, control int) {
	hit, control = at, len(s.block)
	if s.literals != nil {
		if hit = s.literals.next(at); hit < 0 {
			hit = len(s.block)
		}
	}
	if s.literals != nil && !s.asIs {
		control = s.nextControl(at)
	}
	return hit, control
}

// nextControl returns the first control that may make a literal be seen which is not in the
// block as it stands. Almost all controls are colours. What is seen without them has a
// literal that they part only if it has the characters before and after them as neighbours.
func (s *blockScan) nextControl(at int) int {
	if s.escape < at {
		s.escape = s.findEscape(at)
	}
	return min(s.escape, s.controls.Next(at))
}

func (s *blockScan) findEscape(at int) int {
	for {
		n := bytes.IndexByte(s.block[at:], 0x1b)
		if n < 0 {
			return len(s.block)
		}
		at += n
		after := at + joblog.ColoursSize(s.block[at:])
		if after == at || s.literals.joined(at, after) {
			return at
		}
		at = after
	}
}

// endOf returns where the line ends that an offset lies in.
func endOf(block []byte, at int) int {
	if n := bytes.IndexByte(block[at:], '\n'); n >= 0 {
		return at + n
	}
	return len(block)
}
