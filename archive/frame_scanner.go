package archive

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/klauspost/compress/zstd"
)

var (
	errCutShort   = errors.New("cut short")
	errNoChecksum = errors.New("frame without a checksum")
	errBlock      = errors.New("block of an unknown kind")
	errLarge      = fmt.Errorf("frame has more than %d bytes", maxStored)
	errSeekTable  = errors.New("seek table does not fit the frames")
	errTrailing   = errors.New("goes on after the seek table")
)

// frameScanner cuts an object into frames by their own headers, without decoding
// them. It believes no size that it has not bounded.
type frameScanner struct {
	r      *bufio.Reader
	source *sourceReader
	offset int64 // of the next frame
}

func newFrameScanner(body io.Reader) *frameScanner {
	source := &sourceReader{r: body}
	return &frameScanner{r: bufio.NewReaderSize(source, 16<<10), source: source}
}

// next reads a frame. It returns io.EOF where the seek table begins; any other error is
// ErrUnreadable, or the bucket's own.
func (r *frameScanner) next(f *frame) error {
	err := r.walk(f)
	if err == nil {
		f.offset = r.offset
		r.offset += int64(len(f.stored))
	}
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return r.explain(fmt.Errorf("frame at byte %d: %w", r.offset, err))
}

func (r *frameScanner) walk(f *frame) error {
	f.stored = f.stored[:0]
	head, err := r.r.Peek(zstd.HeaderMaxSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := f.header.Decode(head); errors.Is(err, io.ErrUnexpectedEOF) {
		return errCutShort
	} else if err != nil {
		return err
	}
	if f.header.Skippable {
		return io.EOF
	}
	if !f.header.HasCheckSum {
		return errNoChecksum
	}
	if err := r.take(f, f.header.HeaderSize); err != nil {
		return err
	}
	for last := false; !last; {
		if last, err = r.takeBlock(f); err != nil {
			return err
		}
	}
	return r.take(f, checksumSize)
}

// Sizes of Zstandard's Block_Header and Content_Checksum.
const (
	blockHeaderSize = 3
	checksumSize    = 4
)

func (r *frameScanner) takeBlock(f *frame) (last bool, err error) {
	if err := r.take(f, blockHeaderSize); err != nil {
		return false, err
	}
	b := f.stored[len(f.stored)-blockHeaderSize:]
	header := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
	size := header >> 3
	switch header >> 1 & 3 {
	case 1: // one byte, to be repeated
		size = 1
	case 3:
		return false, errBlock
	}
	return header&1 == 1, r.take(f, size)
}

// take moves n bytes into the frame.
func (r *frameScanner) take(f *frame, n int) error {
	from := len(f.stored)
	if from+n > maxStored {
		return errLarge
	}
	f.stored = slices.Grow(f.stored, n)[:from+n]
	_, err := io.ReadFull(r.r, f.stored[from:])
	if err != nil {
		return errCutShort
	}
	return nil
}

// end reads the seek table, which must equal the given one, and checks that the object
// ends after it.
func (r *frameScanner) end(table []byte) error {
	got := make([]byte, len(table))
	if _, err := io.ReadFull(r.r, got); err != nil {
		return r.explain(fmt.Errorf("seek table at byte %d: %w", r.offset, errCutShort))
	}
	if !bytes.Equal(got, table) {
		return r.explain(errSeekTable)
	}
	if _, err := r.r.ReadByte(); err != io.EOF {
		return r.explain(errTrailing)
	}
	return nil
}

// explain distinguishes a failure of the bucket from a damaged object.
func (r *frameScanner) explain(err error) error {
	if r.source.broke != nil {
		return r.source.broke
	}
	return fmt.Errorf("%w: %w", bucket.ErrUnreadable, err)
}

// sourceReader counts an object's bytes, and keeps the error of its reader, because
// io.ReadFull makes the end of an object and a broken connection look alike.
type sourceReader struct {
	r     io.Reader
	n     int64
	broke error
}

func (s *sourceReader) Read(p []byte) (int, error) {
	if s.broke != nil {
		return 0, s.broke
	}
	n, err := s.r.Read(p)
	s.n += int64(n)
	if err != nil && err != io.EOF { // bare: a wrapped one is no clean end
		s.broke = err
	}
	return n, err
}
