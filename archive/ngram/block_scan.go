package ngram

import (
	"bytes"
	"sync"

	"github.com/jobvault/jobvault/archive/joblog"
)

// Each gives visit the start and end of each wanted line of a block, in order, without
// its newline. The block must consist of whole lines. An error of visit ends it, and is
// returned.
func (p *Pattern) Each(block []byte, visit func(start, end int) error) error {
	s := p.scan(block)
	defer s.release()
	for at := 0; at < len(block); {
		hit, control := s.next(at)
		first := min(hit, control)
		if first == len(block) {
			return nil
		}
		start := bytes.LastIndexByte(block[at:first], '\n') + 1 + at
		end := endOf(block, first)
		wanted := control < end && p.matchVisible(s, start, hit, end) || control >= end && p.matchAt(block, start, hit, end)
		if wanted {
			if err := visit(start, end); err != nil {
				return err
			}
		}
		at = end + 1
	}
	return nil
}

// matchVisible reports whether a line with controls is wanted, in which one of the literals
// begins at hit, or none if that is beyond its end.
func (p *Pattern) matchVisible(s *blockScan, start, hit, end int) bool {
	_, text := joblog.SplitLine(s.block[start:end])
	part, ok := joblog.VisiblePart(text)
	switch {
	case ok && hit >= end && p.literals != nil:
		return false
	case !ok:
		*s.buffer = joblog.AppendVisible((*s.buffer)[:0], text)
		part = *s.buffer
	}
	return p.Match(part)
}

// matchAt reports whether a line without controls is wanted, in which one of the literals
// begins at hit.
func (p *Pattern) matchAt(block []byte, start, hit, end int) bool {
	// The literal comes after any timestamp and before any line end, so it is certainly
	// in the text.
	if p.literal != nil && p.literals != nil && hit-start >= joblog.MaxPrefix && hit+len(p.literal) < end {
		return true
	}
	_, text := joblog.SplitLine(block[start:end])
	return p.Match(text)
}

// blockScan finds the lines of a block that have to be looked at.
type blockScan struct {
	block    []byte
	literals *literalScan     // nil: each line
	controls *joblog.Controls // nil: lines are looked at as they are
	buffer   *[]byte          // of the pool
}

// visibles keeps the memory for visible texts.
var visibles = sync.Pool{New: func() any { return new([]byte) }}

func (p *Pattern) scan(block []byte) *blockScan {
	s := &blockScan{block: block, buffer: visibles.Get().(*[]byte)}
	if p.literals != nil {
		s.literals = p.literals.scan(block)
	}
	if !p.raw {
		s.controls = new(joblog.NewControls(block))
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
// a control: each is in a line that has to be looked at. The block's length stands for none.
func (s *blockScan) next(at int) (hit, control int) {
	hit, control = at, len(s.block)
	if s.literals != nil {
		if hit = s.literals.next(at); hit < 0 {
			hit = len(s.block)
		}
	}
	if s.controls != nil {
		control = s.controls.Next(at)
	}
	return hit, control
}

// endOf returns where the line ends that an offset lies in.
func endOf(block []byte, at int) int {
	if n := bytes.IndexByte(block[at:], '\n'); n >= 0 {
		return at + n
	}
	return len(block)
}
