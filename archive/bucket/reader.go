package bucket

import (
	"context"
	"io"
)

// ReadUpTo reads up to size bytes, into a buffer of expected bytes that grows with what
// comes; fewer than size mean the end. It does not use io.ReadFull, which reports a clean
// end before the buffer is full as io.ErrUnexpectedEOF, the error of a body that was cut
// short.
func ReadUpTo(r io.Reader, size, expected int64) ([]byte, error) {
	b := make([]byte, min(size, expected))
	for read := int64(0); ; {
		part, err := fill(r, b[read:])
		if err != nil {
			return nil, err
		}
		if read += int64(len(part)); read == size || read < int64(len(b)) {
			return b[:read], nil
		}
		b = append(b, make([]byte, min(size-read, read))...)
	}
}

// fill reads until a buffer is full, and returns what was read; less than the buffer means
// the end.
func fill(r io.Reader, b []byte) ([]byte, error) {
	for read := 0; read < len(b); {
		n, err := r.Read(b[read:])
		read += n
		if err == io.EOF { // bare: a wrapped one is no clean end
			return b[:read], nil
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// WithContext returns a reader that gives what r gives until ctx is done, and then fails
// with ctx's error.
func WithContext(ctx context.Context, r io.Reader) io.Reader { return contextReader{ctx, r} }

// contextReader fails with the context's error once the context is done.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
