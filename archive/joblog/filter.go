package joblog

import (
	"bytes"
	"encoding/binary"
)

// LeastFiltered is how many bytes a log must have for filters to be worth making: a
// smaller one is read as fast as they would be.
const LeastFiltered = 64 << 10

// Filter tells what the lines that begin in one frame of a log cannot hold: which
// runs of three bytes. It is a bloom filter with one hash function; upper-case ASCII
// letters count as lower-case ones.
type Filter struct {
	Within bool   // the frame begins within a line, which is an earlier frame's
	Bits   []byte // a power of two bytes, at most MaxFilter; none: no line begins here
}

// MaxFilter is how many bytes a filter has at most: for a frame of 1 MiB, 0.4 %.
const MaxFilter = 1 << hashBits / 8

const hashBits = 15

// hashGram is the place of three bytes, the first one lowest, in the largest filter.
func hashGram(gram uint32) uint32 { return gram * 0x9e3779b1 >> (32 - hashBits) }

// has tells whether a line may hold the three bytes with this hash.
func (f Filter) has(hash uint32) bool {
	hash &= uint32(8*len(f.Bits)) - 1
	return f.Bits[hash/8]>>(hash%8)&1 == 1
}

// FilterMaker makes the filters of a log's frames.
type FilterMaker struct {
	filters []Filter
	marks   [1 << hashBits]byte // 1: some line of the open filter holds it
	marked  int                 // bytes that were looked at for it
	open    int                 // the filter that is being made
	inLine  bool                // a line of its has not ended
	last    [2]byte             // the end of what was looked at
}

// MostFilters bounds what is held in memory of a log. A log of more frames has none
// for those that come after, which have to be read.
const MostFilters = 1024

// Add takes the next frame, which is not empty.
func (m *FilterMaker) Add(frame []byte) {
	known := len(m.filters) < MostFilters
	if known {
		m.filters = append(m.filters, Filter{Within: m.inLine})
	}
	if m.inLine {
		end := bytes.IndexByte(frame, '\n')
		if end < 0 {
			m.markOn(frame)
			return
		}
		m.markOn(frame[:end+1])
		m.close()
		m.inLine = false
		frame = frame[end+1:]
	}
	if len(frame) == 0 || !known {
		return
	}
	m.open = len(m.filters) - 1
	m.markOn(frame)
	if m.inLine = frame[len(frame)-1] != '\n'; !m.inLine {
		m.close()
	}
}

// Finish ends the log.
func (m *FilterMaker) Finish() []Filter {
	if m.inLine {
		m.close()
		m.inLine = false
	}
	return m.filters
}

// markOn marks what goes on after what was marked last. At the beginning of a line that
// is the end of another, which does no harm.
func (m *FilterMaker) markOn(p []byte) {
	seam := append(m.last[:2:2], p[:min(len(p), 2)]...)
	m.mark(seam)
	m.mark(p)
	m.marked += len(p)
	if len(p) < 2 {
		p = seam
	}
	copy(m.last[:], p[len(p)-2:])
}

// mark notes every three bytes in a row. It is where the time goes: eight bytes are
// loaded and folded at once, and the marks fit into a processor's nearest cache.
func (m *FilterMaker) mark(p []byte) {
	i := 0
	for ; i+8 <= len(p); i += 6 {
		v := lower(binary.LittleEndian.Uint64(p[i:]))
		m.marks[hashGram(uint32(v&0xffffff))] = 1
		m.marks[hashGram(uint32(v>>8&0xffffff))] = 1
		m.marks[hashGram(uint32(v>>16&0xffffff))] = 1
		m.marks[hashGram(uint32(v>>24&0xffffff))] = 1
		m.marks[hashGram(uint32(v>>32&0xffffff))] = 1
		m.marks[hashGram(uint32(v>>40&0xffffff))] = 1
	}
	for ; i+3 <= len(p); i++ {
		m.marks[hashGram(uint32(lower(uint64(p[i])|uint64(p[i+1])<<8|uint64(p[i+2])<<16)))] = 1
	}
}

// lower makes ASCII letters of eight bytes lower-case ones.
func lower(v uint64) uint64 {
	const every = 0x0101010101010101
	low := v & (0x7f * every)
	upper := (low + (0x80-'A')*every) &^ (low + (0x80-'Z'-1)*every) &^ v & (0x80 * every)
	return v | upper>>2
}

// filterShare is the share of the bytes that a filter may have at most: one in so
// many. Half of a small log's would be its filter else.
const filterShare = 40

// close makes a filter of what is marked: as small as it can be with at most half of
// its bits set, so that of texts of ten letters that are not there it lets one in 256
// pass; smaller still, and fuller, if its share is less.
func (m *FilterMaker) close() {
	marks := m.marks[:]
	for size := MaxFilter; size > 1; size /= 2 {
		half := len(marks) / 2
		set := 0
		for i, v := range marks[:half] {
			set += int(v | marks[half+i])
		}
		if size <= m.marked/filterShare && set > half/2 {
			break
		}
		for i, v := range marks[half:] {
			marks[i] |= v
		}
		marks = marks[:half]
	}
	bits := make([]byte, len(marks)/8)
	for i, v := range marks {
		bits[i/8] |= v << (i % 8)
	}
	m.filters[m.open].Bits = bits
	clear(m.marks[:])
	m.marked = 0
}
