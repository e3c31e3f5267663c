package archive

import (
	"bytes"
	"encoding/binary"
)

// seekTable is the seek table of some frames, as bytes: a skippable frame that has an
// entry for each of them, and a footer. The format is
// https://github.com/facebook/zstd/blob/dev/contrib/seekable_format/zstd_seekable_compression_format.md
type seekTable struct {
	entries []byte
}

// Constants of the seekable format.
const (
	seekTableMagic  = 0x184D2A5E
	seekFooterMagic = 0x8F92EAB1
	seekFooterSize  = 9
	seekEntrySize   = 12
	seekHeaderSize  = 8
	seekChecksums   = 0x80 // each entry has the checksum of what the frame holds
)

// seekTableSize returns the size of the seek table of a number of frames, in bytes.
func seekTableSize(frames int) int64 {
	return int64(seekHeaderSize + frames*seekEntrySize + seekFooterSize)
}

// add adds an entry for the next frame, which must be decoded: only then is its checksum
// known to be right.
func (t *seekTable) add(f *frame) {
	t.entries = binary.LittleEndian.AppendUint32(t.entries, uint32(len(f.stored)))
	t.entries = binary.LittleEndian.AppendUint32(t.entries, uint32(len(f.raw)))
	t.entries = append(t.entries, f.stored[len(f.stored)-checksumSize:]...)
}

func (t *seekTable) bytes() []byte {
	b := binary.LittleEndian.AppendUint32(nil, seekTableMagic)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(t.entries)+seekFooterSize))
	b = append(b, t.entries...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(t.entries)/seekEntrySize))
	b = append(b, seekChecksums)
	return binary.LittleEndian.AppendUint32(b, seekFooterMagic)
}

// parseSeekTable returns where in the log each frame begins and, last, where the log
// ends. It accepts a table only if it is as PutLog writes it, whose frames are all full but
// the last, and agrees with the ledger on the frames and on the sum of their sizes. So a
// table cannot say that a frame is elsewhere in the log than it is.
func parseSeekTable(b []byte, layout LogLayout) ([]int64, error) {
	frames := len(layout.FrameOffsets)
	if int64(len(b)) != seekTableSize(frames) {
		return nil, errCutShort
	}
	table := seekTable{entries: b[seekHeaderSize : len(b)-seekFooterSize]}
	if !bytes.Equal(b, table.bytes()) {
		return nil, errSeekTable
	}
	offsets := make([]int64, 1, frames+1)
	for i := range frames {
		entry := table.entries[i*seekEntrySize:]
		stored, raw := int64(binary.LittleEndian.Uint32(entry)), int64(binary.LittleEndian.Uint32(entry[4:]))
		full := i == frames-1 || raw == frameSize
		if stored != layout.offset(i+1)-layout.offset(i) || raw == 0 || raw > frameSize || !full {
			return nil, errSeekTable
		}
		offsets = append(offsets, offsets[i]+raw)
	}
	if offsets[frames] != layout.RawBytes {
		return nil, errSeekTable
	}
	return offsets, nil
}
