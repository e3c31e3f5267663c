package bucket

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/minio/minio-go/v7"
)

// checkStored compares what the server says it holds with what was sent. It asks twice
// before it calls that wrong: while another object takes the place of this one, some
// servers tell the ETag of one and the checksum of the other.
func (b *s3Bucket) checkStored(ctx context.Context, key, etag string, size int64, sum string) error {
	err := b.compareStored(ctx, key, etag, size, sum)
	if errors.Is(err, ErrStoreMismatch) {
		err = b.compareStored(ctx, key, etag, size, sum)
	}
	return err
}

// compareStored compares the size always, the checksum by the server's own account if it
// gives one, else by reading the object back.
func (b *s3Bucket) compareStored(ctx context.Context, key, etag string, size int64, sum string) error {
	stat, err := b.client.StatObject(ctx, b.bucket, b.prefix+key, minio.StatObjectOptions{Checksum: true})
	if err != nil {
		return b.error("check", key, err)
	}
	if stat.ETag != etag {
		return fmt.Errorf("another object was put there meanwhile: %w", ErrExists)
	}
	if stat.Size != size {
		return fmt.Errorf("%w: %d bytes stored, %d sent", ErrStoreMismatch, stat.Size, size)
	}
	got := stat.ChecksumCRC32C
	if !ofWhole(got) {
		if got, err = b.readBack(ctx, key, etag); err != nil {
			return err
		}
	}
	if got != sum {
		return fmt.Errorf("%w: CRC-32C %s stored, %s sent", ErrStoreMismatch, got, sum)
	}
	return nil
}

// ofWhole reports whether a checksum is one of a whole object. A composite one ("…-3") is of
// the parts' checksums; an empty one is none.
func ofWhole(checksum string) bool { return checksum != "" && !strings.Contains(checksum, "-") }

// readBack returns the checksum of what is stored, read under the condition that it has
// this ETag.
func (b *s3Bucket) readBack(ctx context.Context, key, etag string) (string, error) {
	var opts minio.GetObjectOptions
	if err := opts.SetMatchETag(etag); err != nil {
		return "", b.error("read back", key, err)
	}
	body, _, _, err := b.core().GetObject(ctx, b.bucket, b.prefix+key, opts)
	if err != nil {
		return "", b.error("read back", key, err)
	}
	sum := crc32.New(castagnoli)
	_, err = io.Copy(sum, body)
	if err := errors.Join(err, body.Close()); err != nil {
		return "", b.error("read back", key, err)
	}
	return encode(sum), nil
}
