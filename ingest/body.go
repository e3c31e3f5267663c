package ingest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// maxBody is GitHub's own limit for a payload.
const maxBody = 25 << 20

// smallBody is what any request may make us hold. A larger body takes one of
// largeBodies places until its request is answered, so that many large ones together,
// and what is made of them, stay within some largeBodies × maxBody.
const (
	smallBody   = 128 << 10
	largeBodies = 16
)

var (
	errTooLarge = errors.New("body too large")
	errBusy     = errors.New("too many large bodies at once")
)

// bodyReader reads request bodies within bounds. Memory grows with what has
// arrived, not with what was announced.
type bodyReader struct {
	large chan struct{}
}

func newBodyReader() *bodyReader {
	return &bodyReader{large: make(chan struct{}, largeBodies)}
}

// read reads a body. Call release, which it always returns, when nothing holds the body
// any more.
func (b *bodyReader) read(w http.ResponseWriter, req *http.Request) (body []byte, release func(), err error) {
	release = func() {}
	if req.ContentLength > maxBody {
		return nil, release, errTooLarge
	}
	var buf bytes.Buffer
	if n := req.ContentLength; n > 0 && n <= smallBody {
		buf.Grow(int(n) + bytes.MinRead)
	}
	bounded := http.MaxBytesReader(w, req.Body, maxBody)
	if _, err := io.CopyN(&buf, bounded, smallBody); errors.Is(err, io.EOF) {
		return buf.Bytes(), release, nil
	} else if err != nil {
		return nil, release, err
	}
	select {
	case b.large <- struct{}{}:
		release = func() { <-b.large }
	default:
		return nil, release, errBusy
	}
	if _, err := io.Copy(&buf, bounded); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, release, errTooLarge
		}
		return nil, release, err
	}
	return buf.Bytes(), release, nil
}
