package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"sync"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/klauspost/compress/zstd"
)

// maxFrame bounds the decoded size of a frame when it is read, at eight times what is
// written, so that an object with false sizes costs little memory.
const maxFrame = 8 << 20

// maxStored bounds the stored size of a frame: incompressible data grows by a header for
// each block.
const maxStored = maxFrame + 64<<10

// frame is one frame of a log that is being read, with its buffers.
type frame struct {
	offset  int64 // in the object
	header  zstd.Header
	stored  []byte     // as it is in the object
	raw     []byte     // what it holds, once it is decoded
	decoded chan error // of scanObject: one value for each decode
}

// framePool keeps the buffers of frames that are no longer read.
var framePool = sync.Pool{New: func() any { return &frame{decoded: make(chan error, 1)} }}

// readStored reads a frame whose offset and size are known, and parses its header.
func (f *frame) readStored(r io.Reader, layout LogLayout, index int) error {
	f.offset = layout.offset(index)
	size := int(layout.offset(index+1) - f.offset)
	f.stored = slices.Grow(f.stored[:0], size)[:size]
	source := &sourceReader{r: r}
	if _, err := io.ReadFull(source, f.stored); err != nil {
		if source.broke != nil {
			return source.broke
		}
		return fmt.Errorf("%w: frame at byte %d: %w", bucket.ErrUnreadable, f.offset, errCutShort)
	}
	err := f.header.Decode(f.stored)
	switch {
	case err != nil:
	case f.header.Skippable:
		err = errHeader
	case !f.header.HasCheckSum:
		err = errNoChecksum
	default:
		return nil
	}
	return fmt.Errorf("%w: frame at byte %d: %w", bucket.ErrUnreadable, f.offset, err)
}

// decode decompresses the frame, whose header has been read, and checks it.
func (f *frame) decode(d *zstd.Decoder) error {
	raw, err := d.DecodeAll(f.stored, f.raw[:0])
	if err != nil {
		return err
	}
	f.raw = raw
	return f.checkHeader()
}

var errHeader = errors.New("frame header is not as written")

// checkHeader compares the frame's header with the one that PutLog would write for the
// frame's content. Decoders ignore one of its bits, and a window that is too large.
func (f *frame) checkHeader() error {
	want := zstd.Header{
		SingleSegment:    f.header.SingleSegment,
		WindowSize:       uint64(max(zstd.MinWindowSize, 1<<bits.Len(uint(len(f.raw))))),
		FrameContentSize: uint64(len(f.raw)),
		HasCheckSum:      true,
	}
	b, err := want.AppendTo(nil)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(f.stored, b) {
		return errHeader
	}
	return nil
}
