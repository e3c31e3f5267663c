package lookup

import (
	"context"
	"errors"
	"io"

	"github.com/jobvault/jobvault/archive"
)

// content is a log that can be read from anywhere, for http.ServeContent.
type content struct {
	ctx     context.Context
	archive *archive.Archive
	ref     archive.Ref
	end     int64 // where reading is likely to end; asking for more costs another request
	at      int64
	pipe    *io.PipeReader // nil: nothing is being read
}

var errSeek = errors.New("seek before the beginning")

func (c *content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.at
	case io.SeekEnd:
		offset += c.ref.RawBytes
	}
	if offset < 0 {
		return 0, errSeek
	}
	if offset != c.at {
		c.Close()
		c.at = offset
	}
	return offset, nil
}

func (c *content) Read(p []byte) (int, error) {
	if c.at >= c.ref.RawBytes {
		return 0, io.EOF
	}
	if c.pipe == nil {
		length := int64(-1)
		if c.end > c.at {
			length = c.end - c.at
		}
		from := c.at
		r, w := io.Pipe()
		c.pipe = r
		go func() { w.CloseWithError(c.archive.CopyBytes(c.ctx, w, c.ref, from, length)) }()
	}
	n, err := c.pipe.Read(p)
	c.at += int64(n)
	if errors.Is(err, io.EOF) && c.at < c.ref.RawBytes { // all that was asked for
		c.Close()
		err = nil
	}
	return n, err
}

// Close ends what is being read.
func (c *content) Close() {
	if c.pipe != nil {
		_ = c.pipe.Close() // never fails
		c.pipe = nil
	}
}
