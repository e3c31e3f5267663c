package archive

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/klauspost/compress/zstd"
)

// OpenLog opens a whole log for reading, as GitHub sent it. The caller must close it. If
// you have a writer and a LogLayout, CopyLog is faster.
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

// OpenStored opens the log's frames, without the seek table after them, as they are
// stored: in Zstandard, for a client that accepts `Content-Encoding: zstd`. It gives
// StoredSize bytes. Nothing is decoded, so it is the client that finds damage, by each
// frame's checksum; only an object that is too short fails here, with ErrUnreadable.
// OpenStored fails with ErrNotFound. The caller must close it.
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

// storedReader fails if the object ends too early.
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
