package ngram

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/jobvault/jobvault/archive/joblog"
)

// MinFiltered is the size in bytes from which a log has filters: a smaller one is read as
// fast as they would be.
const MinFiltered = 64 << 10

// BloomFilter tells which n-grams, runs of five bytes, the lines that begin in one frame of
// a log cannot hold, neither in their visible text (joblog.VisibleText) nor in their bytes.
// It has one hash function; upper-case ASCII letters count as lower-case ones. It has every
// second n-gram of a line, which takes half the time and room: of a text that is there, it
// has the n-grams at even places, or those at odd ones.
//
// Three bytes would do for words. But a frame with thousands of commits and digests in
// it has all that there are of three or four hexadecimal digits, and could not be told
// from one that has the commit that is looked for.
type BloomFilter struct {
	StartsMidLine bool   // the frame begins within a line, which belongs to an earlier frame
	NonASCIIFold  bool   // the lines have letters beyond ASCII whose lower case is k or s
	RawOnly       bool   // it is of version 1, made of bytes alone: it says nothing of visible text that differs
	Plain         bool   // in no line is anything that joblog.VisibleText acts on: what is seen of the lines is their text. Filters before version 3 do not say so.
	Bits          []byte // a power of two bytes, at most MaxFilter; empty: no line begins here
}

// FilterVersion is that of the filters which a FilterBuilder makes.
const FilterVersion = 3

// VisibleVersion is the first version whose filters know what is seen of lines.
const VisibleVersion = 2

// MaxFilter is how many bytes a filter has at most: for a frame of 1 MiB, 1.6 %.
const MaxFilter = 1 << hashBits / 8

const (
	hashBits   = 17
	ngramBytes = 5
)

// hashNgram returns the number of an n-gram's bit in the largest filter; the n-gram's
// first byte is the lowest. In a smaller filter, the bit's number is the lower bits of
// that.
func hashNgram(ngram uint64) uint32 {
	return uint32(ngram << (64 - 8*ngramBytes) * 0x9e3779b97f4a7c15 >> (64 - hashBits))
}

// has reports whether a line may hold the n-gram with this hash.
func (f BloomFilter) has(hash uint32) bool {
	hash &= uint32(8*len(f.Bits)) - 1
	return f.Bits[hash/8]>>(hash%8)&1 == 1
}

// FilterBuilder makes the filters of a log's frames. The zero value is ready for a log.
type FilterBuilder struct {
	filters []BloomFilter
	marks   [1 << hashBits]byte // 1: some line of the open filter holds it
	marked  int                 // bytes that the open filter was made of
	open    int                 // index of the filter that is being made
	inLine  bool                // a line that began in its frame has not ended
	run     int                 // bytes of this line so far
	last    []byte              // the last of these, fewer than an n-gram has
	whole   wholeLine           // this line
	visible []byte              // buffer
}

// MaxFilters is the maximum of frames of a log that have filters. Frames after these are
// always read.
const MaxFilters = 512

// Add adds the next frame, which must not be empty.
func (m *FilterBuilder) Add(frame []byte) {
	known := len(m.filters) < MaxFilters
	if known {
		m.filters = append(m.filters, BloomFilter{StartsMidLine: m.inLine, Plain: true})
	}
	if m.inLine {
		end := bytes.IndexByte(frame, '\n')
		if end < 0 {
			m.continueLine(frame)
			m.whole.add(frame)
			return
		}
		m.continueLine(frame[:end])
		m.whole.add(bytes.TrimSuffix(frame[:end], []byte("\r")))
		m.close()
		frame = frame[end+1:]
	}
	if len(frame) == 0 || !known {
		return
	}
	m.open = len(m.filters) - 1
	m.lines(frame)
	if !m.inLine {
		m.close()
	}
}

// Finish ends the log.
func (m *FilterBuilder) Finish() []BloomFilter {
	if m.inLine {
		m.close()
	}
	return m.filters
}

// lines marks lines that begin in a frame, without their timestamps: these are full of
// digits that nobody looks for.
func (m *FilterBuilder) lines(frame []byte) {
	m.marked += len(frame)
	m.noteNonASCIIFold(frame)
	controls := joblog.NewControls(frame)
	for at := 0; at < len(frame); {
		end, from := endOf(frame, at), at
		if end-at >= joblog.StampLen-1 && joblog.PlainStamp(frame[at:]) {
			from += joblog.StampLen - 1
		}
		m.mark(frame, from, end)
		if end == len(frame) {
			m.inLine, m.run = true, end-from
			m.last = append(m.last[:0], frame[max(from, end-ngramBytes+1):]...)
			m.whole.begin(frame[at:])
		} else if controls.Next(at) < end {
			m.filters[m.open].Plain = false
			m.markVisible(textOf(frame[at:end], from-at))
		}
		at = end + 1
	}
}

// textOf is a line's text, if it is known that it begins with a timestamp of a size; zero: it
// is not known.
func textOf(line []byte, stamp int) []byte {
	if stamp == 0 {
		_, text := joblog.SplitLine(line)
		return text
	}
	return bytes.TrimPrefix(bytes.TrimSuffix(line[stamp:], []byte("\r")), []byte(" "))
}

// markVisible marks the visible text of a whole line.
func (m *FilterBuilder) markVisible(text []byte) {
	if _, ok := joblog.VisiblePart(text); ok {
		return // its n-grams are among those of the bytes
	}
	m.visible = joblog.AppendVisible(m.visible[:0], text)
	m.noteNonASCIIFold(m.visible) // which may be put together from bytes that were apart
	m.mark(m.visible, 0, len(m.visible))
}

// continueLine marks the part in this frame of a line that began in an earlier one.
func (m *FilterBuilder) continueLine(p []byte) {
	m.marked += len(p)
	m.noteNonASCIIFold(p)
	seam := append(slices.Clone(m.last), p[:min(len(p), ngramBytes-1)]...)
	m.noteNonASCIIFold(seam)
	m.mark(seam, 0, len(seam))
	m.mark(seam, 1, len(seam))
	m.mark(p, m.run%2, len(p))
	m.run += len(p)
	if len(p) < ngramBytes-1 {
		p = seam
	}
	m.last = append(m.last[:0], p[max(0, len(p)-ngramBytes+1):]...)
}

// noteNonASCIIFold notes letters beyond ASCII whose lower case is k or s.
func (m *FilterBuilder) noteNonASCIIFold(p []byte) {
	f := &m.filters[m.open]
	f.NonASCIIFold = f.NonASCIIFold || bytes.Contains(p, []byte("\u212a")) || bytes.Contains(p, []byte("\u017f"))
}

// mark marks every second n-gram that begins in p from i up to end; it may mark a few
// that begin after that. Most of the time is spent here, so eight bytes are loaded and
// folded at once, and the n-grams that begin in them are cut out.
func (m *FilterBuilder) mark(p []byte, i, end int) {
	if i+16 <= len(p) {
		v := lower(binary.LittleEndian.Uint64(p[i:]))
		for ; i < end && i+16 <= len(p); i += 8 {
			next := lower(binary.LittleEndian.Uint64(p[i+8:]))
			m.marks[hashNgram(v)] = 1
			m.marks[hashNgram(v>>16)] = 1
			m.marks[hashNgram(v>>32|next<<32)] = 1
			m.marks[hashNgram(v>>48|next<<16)] = 1
			v = next
		}
	}
	for ; i < end && i+ngramBytes <= len(p); i += 2 {
		m.marks[hashNgram(ngramOf(p[i:]))] = 1
	}
}

// ngramOf returns the n-gram that a text begins with.
func ngramOf[T []byte | string](p T) uint64 {
	return lower(uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16 | uint64(p[3])<<24 | uint64(p[ngramBytes-1])<<32)
}

// lower turns the ASCII letters among eight bytes into lower case.
func lower(v uint64) uint64 {
	const every = 0x0101010101010101
	low := v & (0x7f * every)
	upper := (low + (0x80-'A')*every) &^ (low + (0x80-'Z'-1)*every) &^ v & (0x80 * every)
	return v | upper>>2
}

// filterShare bounds a filter: it has at most one byte for filterShare bytes of its frame.
// Without it, the filter of a small log would be half as large as the log.
const filterShare = 40

// close makes a filter of the marks.
func (m *FilterBuilder) close() {
	f := &m.filters[m.open]
	f.Plain = f.Plain && (!m.inLine || !m.whole.hasControls)
	switch {
	case !m.inLine || !m.whole.hasControls:
		f.Bits = m.bits()
	case m.whole.tooLong:
		f.Bits = []byte{0xff} // whatever is looked for may be there
	default:
		m.markVisible(textOf(m.whole.line, 0))
		f.Bits = m.bits()
	}
	clear(m.marks[:])
	m.marked, m.inLine = 0, false
}

// bits packs the marks. They take as little as they can with at most a quarter of them
// set, so that a filter lets pass one in 32 of the ten-letter texts that are not in the
// frame; they take less still, and are fuller, if filterShare demands that.
func (m *FilterBuilder) bits() []byte {
	marks := m.marks[:]
	for size := MaxFilter; size > 1; size /= 2 {
		half := len(marks) / 2
		set := 0
		for i := 0; i < half; i += 8 {
			set += bits.OnesCount64(binary.LittleEndian.Uint64(marks[i:]) | binary.LittleEndian.Uint64(marks[half+i:]))
		}
		if size <= m.marked/filterShare && set > half/4 {
			break
		}
		for i := 0; i < half; i += 8 {
			binary.LittleEndian.PutUint64(marks[i:], binary.LittleEndian.Uint64(marks[i:])|binary.LittleEndian.Uint64(marks[half+i:]))
		}
		marks = marks[:half]
	}
	packed := make([]byte, len(marks)/8)
	for i := range packed {
		// The product gathers the lowest bits of eight bytes in its highest byte.
		packed[i] = byte(binary.LittleEndian.Uint64(marks[8*i:]) * 0x0102040810204080 >> 56)
	}
	return packed
}
