package archive

import (
	"fmt"
	"sort"
)

// LogLayout is what one needs to know to find and read an archived log, or a part of it.
type LogLayout struct {
	Key          string
	RawBytes     int64   // as GitHub sent it
	StoredBytes  int64   // of the object
	Lines        int64   // a last line without a newline counts
	FrameLines   []int64 // line, from 1, that each frame's first byte belongs to
	FrameOffsets []int64 // where each frame starts in the object
}

// check fails for a layout that PutLog cannot have returned, because its numbers become
// ranges and sizes of buffers.
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

// offset returns where frame i, from 0, starts in the object. If i is the number of
// frames, that is where the seek table starts.
func (r LogLayout) offset(i int) int64 {
	if i < len(r.FrameOffsets) {
		return r.FrameOffsets[i]
	}
	return r.StoredBytes - seekTableSize(len(r.FrameOffsets))
}

// frameRange returns the frames that hold lines first to last, as far as these exist:
// from frame up to, but not including, end. A line may begin in the frame before the
// first frame that starts with its number.
func (r LogLayout) frameRange(first, last int64) (frame, end int) {
	first, last = max(first, 1), min(last, r.Lines)
	if first > last {
		return 0, 0
	}
	frame = max(sort.Search(len(r.FrameLines), func(i int) bool { return r.FrameLines[i] >= first })-1, 0)
	end = sort.Search(len(r.FrameLines), func(i int) bool { return r.FrameLines[i] > last })
	return frame, end
}

// StoredSize returns the size of the log's frames as they are stored: that of the object
// without its seek table.
func (r LogLayout) StoredSize() int64 { return r.offset(len(r.FrameOffsets)) }
