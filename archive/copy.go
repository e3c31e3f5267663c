package archive

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/jobvault/jobvault/archive/bucket"
)

// chunkSize is how much is written at once, in bytes.
const chunkSize = 32 << 10

var chunkPool = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// CopyLog writes a whole log to w, exactly as GitHub sent it, in pieces of at most 32
// KiB. One request fetches the object, while frames are decoded side by side. It fails
// with ErrNotFound, and with ErrUnreadable where the object is damaged or is not as long
// as the ledger says; what comes before that is written by then. It stops at once at an
// error of w.
//
// Memory: a piece of 32 KiB, and up to three frames of 1 MiB with their compressed bytes.
// All readers of an Archive together hold at most 64 frames, and 32 more that are being
// fetched. Beyond that, the reader that has waited longest for w keeps only its piece,
// and its frames are fetched when they are needed, each by a request of its own: so any
// number of slow readers can be served.
func (a *Archive) CopyLog(ctx context.Context, w io.Writer, layout LogLayout) error {
	if err := layout.check(); err != nil {
		return err
	}
	left := layout.RawBytes
	err := a.copyFrames(ctx, w, layout, 0, len(layout.FrameOffsets), func(_ int, raw []byte) (int, int, error) {
		left -= int64(len(raw))
		if left < 0 {
			return 0, 0, fmt.Errorf("%w: the log is longer than %d bytes", bucket.ErrUnreadable, layout.RawBytes)
		}
		return 0, len(raw), nil
	})
	if err == nil && left > 0 {
		err = fmt.Errorf("%w: the log has %d bytes, the ledger says %d", bucket.ErrUnreadable, layout.RawBytes-left, layout.RawBytes)
	}
	if err != nil {
		return fmt.Errorf("archive: copy %s: %w", layout.Key, err)
	}
	return nil
}

// copyFrames writes to w the parts that cut selects from the frames first up to, but not
// including, end.
func (a *Archive) copyFrames(ctx context.Context, w io.Writer, layout LogLayout, first, end int, cut func(index int, raw []byte) (from, to int, err error)) error {
	r := a.frames(layout, first, end)
	return r.each(ctx, func(index int, raw []byte) error {
		from, to, err := cut(index, raw)
		if err != nil {
			return err
		}
		return r.write(ctx, w, from, to)
	})
}

// write writes a part of the current frame. While w is busy, it holds on to one chunk
// only.
func (r *frameIterator) write(ctx context.Context, w io.Writer, from, to int) error {
	chunk := chunkPool.Get().(*[chunkSize]byte)
	defer chunkPool.Put(chunk)
	for from < to {
		raw, err := r.raw(ctx)
		if err != nil {
			return err
		}
		n := copy(chunk[:], raw[from:to])
		if _, err := w.Write(chunk[:n]); err != nil {
			return err
		}
		from += n
	}
	return nil
}
