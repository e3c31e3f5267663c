package archive

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/klauspost/compress/zstd"
)

// OpenLog reads a whole log as GitHub sent it. Close it after use. Where there is
// a writer and a LogLayout, CopyLog is faster.
func (a *Archive) OpenLog(ctx context.Context, key string) (io.ReadCloser, error) {
	body, err := a.bucket.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxFrame))
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

// OpenStored reads the log's frames as they are stored, which are Zstandard, and
// not the seek table after them: what a client is sent with `Content-Encoding:
// zstd`. StoredSize tells how many bytes it gives. Nothing is decoded, so damage
// is found by the client, by each frame's checksum; only an object that is too
// short fails here, with ErrUnreadable. Fails with ErrNotFound. Close it after use.
func (a *Archive) OpenStored(ctx context.Context, layout LogLayout) (io.ReadCloser, error) {
	if err := layout.check(); err != nil {
		return nil, err
	}
	body, err := a.bucket.Get(ctx, layout.Key, 0, layout.StoredSize())
	if err != nil {
		return nil, err
	}
	return &storedReader{ReadCloser: body, key: layout.Key, left: layout.StoredSize()}, nil
}

// storedReader fails where the object ends too early.
type storedReader struct {
	io.ReadCloser
	key  string
	left int64
}

func (r *storedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.left -= int64(n)
	if r.left > 0 && errors.Is(err, io.EOF) {
		err = fmt.Errorf("archive: read %s: %w: %w", r.key, bucket.ErrUnreadable, errCutShort)
	}
	return n, err
}
