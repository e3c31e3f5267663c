package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/klauspost/compress/zstd"
)

// CopyStored writes a log's object to w exactly as it is stored. It decompresses it on
// the way, and fails with ErrUnreadable unless object and log have the sizes and digests
// in want, and the log begins with each of the shorter ones; then what w has received is of
// no use. It fails with ErrNotFound if there is
// no object. Lines and frames in want are ignored, and so is a StoredSHA256 of zeros.
func (a *Archive) CopyStored(ctx context.Context, w io.Writer, want Log) (err error) {
	body, err := a.bucket.Get(ctx, want.Key, 0, -1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	stored, raw := sha256.New(), sha256.New()
	source := &sourceReader{r: bucket.WithContext(ctx, body)}
	out := &sinkWriter{w: w}
	object := io.TeeReader(source, io.MultiWriter(out, stored))
	dec, err := zstd.NewReader(object, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxFrame))
	if err != nil {
		return fmt.Errorf("archive: decoder: %w", err)
	}
	defer dec.Close()
	begins := beginnings(want.Shorter)
	n, err := io.Copy(io.MultiWriter(raw, begins), dec)
	switch {
	case source.broke != nil:
		err = source.broke
	case out.broke != nil:
		err = out.broke
	case err != nil:
		err = fmt.Errorf("%w: %w", bucket.ErrUnreadable, err)
	case n != want.RawBytes || Digest(raw.Sum(nil)) != want.SHA256:
		err = fmt.Errorf("%w: the log has %d bytes and SHA-256 %x, the ledger says %d and %x", bucket.ErrUnreadable, n, raw.Sum(nil), want.RawBytes, want.SHA256)
	case begins.differ(want.Shorter) != "":
		err = fmt.Errorf("%w: %s", bucket.ErrUnreadable, begins.differ(want.Shorter))
	case source.n != want.StoredBytes:
		err = fmt.Errorf("%w: the object has %d bytes, the ledger says %d", bucket.ErrUnreadable, source.n, want.StoredBytes)
	case want.StoredSHA256 != (Digest{}) && Digest(stored.Sum(nil)) != want.StoredSHA256:
		err = fmt.Errorf("%w: the object has SHA-256 %x, the ledger says %x", bucket.ErrUnreadable, stored.Sum(nil), want.StoredSHA256)
	}
	if err != nil {
		return fmt.Errorf("archive: copy %s: %w", want.Key, err)
	}
	return nil
}

// sinkWriter keeps the error of its writer, because a decoder would replace it by an
// error of its own.
type sinkWriter struct {
	w     io.Writer
	broke error
}

func (s *sinkWriter) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil {
		s.broke = err
	}
	return n, err
}
