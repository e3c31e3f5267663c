package bucket

import (
	"bytes"
	"context"
	"fmt"
	"hash"
	"hash/crc32"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
)

// upload is an object on its way to the bucket in parts.
type upload struct {
	bucket *s3Bucket
	key    string
	id     string
	sum    hash.Hash32 // CRC-32C of all parts
	parts  []minio.CompletePart
}

// maxParts is how many parts S3 takes: 80 GB compressed.
const maxParts = 10000

// beginUpload opens an upload whose parts, and whose whole, have a CRC-32C.
func (b *s3Bucket) beginUpload(ctx context.Context, key string) (*upload, error) {
	opts := b.putOptions()
	opts.UserMetadata = map[string]string{headerChecksumAlgorithm: "CRC32C", headerChecksumType: fullObject}
	id, err := b.core().NewMultipartUpload(ctx, b.bucket, b.prefix+key, opts)
	if err != nil {
		return nil, err
	}
	return &upload{bucket: b, key: key, id: id, sum: crc32.New(castagnoli)}, nil
}

// sendPart uploads the next part.
func (u *upload) sendPart(ctx context.Context, body []byte) error {
	number := len(u.parts) + 1
	if number > maxParts {
		return fmt.Errorf("more than %d parts of %d bytes", maxParts, partSize)
	}
	_, _ = u.sum.Write(body) // never fails
	b, checksum := u.bucket, crc32cOf(body)
	part, err := b.core().PutObjectPart(ctx, b.bucket, b.prefix+u.key, u.id, number, bytes.NewReader(body), int64(len(body)), minio.PutObjectPartOptions{
		Sha256Hex:            sha256Of(body),
		CustomHeader:         http.Header{headerCRC32C: {checksum}},
		DisableContentSha256: true, // as in putOptions
	})
	if err != nil {
		return err
	}
	u.parts = append(u.parts, minio.CompletePart{PartNumber: number, ETag: part.ETag, ChecksumCRC32C: checksum})
	return nil
}

// complete makes the parts an object, with the checksum of the whole; free, only if the key
// is free.
func (u *upload) complete(ctx context.Context, free bool) (minio.UploadInfo, error) {
	opts := minio.PutObjectOptions{UserMetadata: map[string]string{headerCRC32C: encode(u.sum), headerChecksumType: fullObject}}
	if free {
		opts.SetMatchETagExcept("*")
	}
	return u.bucket.core().CompleteMultipartUpload(ctx, u.bucket.bucket, u.bucket.prefix+u.key, u.id, u.parts, opts)
}

// abort has the server forget the parts. If it fails, why the upload did is of more use, and
// the bucket's rule for incomplete uploads removes them.
func (u *upload) abort(ctx context.Context) {
	ctx, cancel := finishing(ctx, stall)
	defer cancel()
	_ = u.bucket.core().AbortMultipartUpload(ctx, u.bucket.bucket, u.bucket.prefix+u.key, u.id)
}

// moment is how long a server has to answer about what is left behind by somebody who was
// told to stop: one that is well takes less, and nobody waits for one that hangs.
const moment = 2 * time.Second

// finishing is a context for cleaning up, which goes on when ctx ends: for as long as most,
// and once ctx has ended for a moment only.
func finishing(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), most)
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(moment)
		defer t.Stop()
		select {
		case <-t.C:
			cancel()
		case <-clean.Done():
		}
	})
	return clean, func() { stop(); cancel() }
}
