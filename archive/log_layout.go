package archive

import (
	"fmt"
	"sort"
)

// LogLayout is what it takes to find and read an archived log, or a part of it.
type LogLayout struct {
	Key          string
	RawBytes     int64   // as GitHub sent it
	StoredBytes  int64   // of the object
	Lines        int64   // a last line without a newline counts
	FrameLines   []int64 // line, from 1, that each frame's first byte belongs to
	FrameOffsets []int64 // where each frame starts in the object
}

// check refuses what PutLog never said of a log: these numbers become ranges and
// sizes of buffers.
func (r LogLayout) check() error {
	if len(r.FrameLines) != len(r.FrameOffsets) {
		return fmt.Errorf("archive: the ledger says of %s that %d frames begin lines, and %d are stored", r.Key, len(r.FrameLines), len(r.FrameOffsets))
	}
	if at := r.offset(0); at != 0 {
		return fmt.Errorf("archive: the ledger says that %s begins at byte %d", r.Key, at)
	}
	line := int64(1)
	for i := range r.FrameOffsets {
		if size := r.offset(i+1) - r.offset(i); size <= 0 || size > maxStored {
			return fmt.Errorf("archive: the ledger says that frame %d of %s has %d bytes", i, r.Key, size)
		}
		if r.FrameLines[i] < line {
			return fmt.Errorf("archive: the ledger says that frame %d of %s begins in line %d", i, r.Key, r.FrameLines[i])
		}
		line = r.FrameLines[i]
	}
	return nil
}

// offset is where frame i, from 0, starts in the object; beyond the last one,
// where the seek table does.
func (r LogLayout) offset(i int) int64 {
	if i < len(r.FrameOffsets) {
		return r.FrameOffsets[i]
	}
	return r.StoredBytes - seekTableSize(len(r.FrameOffsets))
}

// frameRange finds the frames that hold those of the lines that there are: from frame up
// to, and without, end. A line may begin in a frame before the first one that starts
// with its number.
func (r LogLayout) frameRange(first, last int64) (frame, end int) {
	first, last = max(first, 1), min(last, r.Lines)
	if first > last {
		return 0, 0
	}
	frame = max(sort.Search(len(r.FrameLines), func(i int) bool { return r.FrameLines[i] >= first })-1, 0)
	end = sort.Search(len(r.FrameLines), func(i int) bool { return r.FrameLines[i] > last })
	return frame, end
}

// StoredSize is how many bytes the log's frames have as they are stored: the
// object without its seek table.
func (r LogLayout) StoredSize() int64 { return r.offset(len(r.FrameOffsets)) }
