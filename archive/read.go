package archive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/klauspost/compress/zstd"
)

// Ref is what the ledger says of an archived log: enough to find and read it.
type Ref struct {
	Key          string
	StoredBytes  int64
	Lines        int64
	FrameLines   []int64
	FrameOffsets []int64
}

// OpenLog reads a whole log as GitHub sent it. Close it after use.
func (a *Archive) OpenLog(ctx context.Context, key string) (io.ReadCloser, error) {
	body, err := a.bucket.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	return decompress(body)
}

// decompress reads the frames of body one after the other, and closes it.
func decompress(body io.ReadCloser) (io.ReadCloser, error) {
	dec, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("archive: decoder: %w", err), body.Close())
	}
	return &logReader{dec: dec, body: body}, nil
}

type logReader struct {
	dec  *zstd.Decoder
	body io.Closer
}

func (r *logReader) Read(p []byte) (int, error) {
	n, err := r.dec.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("archive: decompress: %w", err)
	}
	return n, err
}

func (r *logReader) Close() error {
	r.dec.Close()
	return r.body.Close()
}

// CopyLines writes lines first to last of a log, from 1 and inclusive, to w,
// exactly as they are. It reads one range of the object, however long that is.
// Lines beyond the end are left out silently.
func (a *Archive) CopyLines(ctx context.Context, w io.Writer, ref Ref, first, last int64) (err error) {
	first, last = max(first, 1), min(last, ref.Lines)
	if first > last {
		return nil
	}
	frame, from, length := ref.span(first, last)
	body, err := a.bucket.Get(ctx, ref.Key, from, length)
	if err != nil {
		return err
	}
	r, err := decompress(body)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	lines := bufio.NewReaderSize(r, 64<<10)
	if err := copyLines(io.Discard, lines, first-ref.FrameLines[frame]); err != nil {
		return fmt.Errorf("archive: seek to line %d of %s: %w", first, ref.Key, err)
	}
	if err := copyLines(w, lines, last-first+1); err != nil {
		return fmt.Errorf("archive: lines %d-%d of %s: %w", first, last, ref.Key, err)
	}
	return nil
}

// span finds the frames that hold the lines: the first one, and the range of
// the object to read. A line may begin in a frame before the first one that
// starts with its number.
func (r Ref) span(first, last int64) (frame int, from, length int64) {
	frame = max(sort.Search(len(r.FrameLines), func(i int) bool { return r.FrameLines[i] >= first })-1, 0)
	end := sort.Search(len(r.FrameLines), func(i int) bool { return r.FrameLines[i] > last })
	from = r.FrameOffsets[frame]
	if end == len(r.FrameOffsets) {
		return frame, from, r.StoredBytes - from
	}
	return frame, from, r.FrameOffsets[end] - from
}

// copyLines copies n lines, however long each is; fewer if r ends.
func copyLines(w io.Writer, r *bufio.Reader, n int64) error {
	for n > 0 {
		part, err := r.ReadSlice('\n')
		if _, werr := w.Write(part); werr != nil {
			return werr
		}
		switch {
		case err == nil:
			n--
		case errors.Is(err, io.EOF):
			return nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
	return nil
}
