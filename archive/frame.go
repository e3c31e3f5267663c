package archive

import (
	"bytes"
	"errors"
	"math/bits"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// maxFrame bounds what a frame may hold when it is read: eight times what is
// written, so that an object that lies about its sizes costs little memory.
const maxFrame = 8 << 20

// maxStored bounds a frame in the object: what does not compress grows by a
// header for each block.
const maxStored = maxFrame + 64<<10

// frame is one frame of a log that is being read, with its buffers.
type frame struct {
	offset  int64 // in the object
	header  zstd.Header
	stored  []byte     // as it is in the object
	raw     []byte     // what it holds, once decoded has given nil
	decoded chan error // gives one value for each decode
}

// framePool keeps the buffers of frames that nobody reads any more.
var framePool = sync.Pool{New: func() any { return &frame{decoded: make(chan error, 1)} }}

// decode decompresses the frame and tells decoded how that went.
func (f *frame) decode(d *zstd.Decoder) {
	raw, err := d.DecodeAll(f.stored, f.raw[:0])
	if err == nil {
		f.raw = raw
		err = f.checkHeader()
	}
	f.decoded <- err
}

var errHeader = errors.New("frame header is not as written")

// checkHeader compares the frame's header with the one that belongs to what the
// frame holds. Decoders overlook a bit of it, and a window that is too large.
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
