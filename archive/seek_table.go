package archive

import "encoding/binary"

// seekTable is the table that belongs to frames, as bytes: a skippable frame of
// an entry for each, and a footer. The format is
// https://github.com/facebook/zstd/blob/dev/contrib/seekable_format/zstd_seekable_compression_format.md
type seekTable struct {
	entries []byte
}

// Of the seekable format.
const (
	seekTableMagic  = 0x184D2A5E
	seekFooterMagic = 0x8F92EAB1
	seekFooterSize  = 9
	seekEntrySize   = 12
	seekChecksums   = 0x80 // each entry has the checksum of what the frame holds
)

// add takes the next frame, decoded: only then its checksum is known to be right.
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
