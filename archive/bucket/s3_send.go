package bucket

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"net/http"

	"github.com/minio/minio-go/v7"
)

// partSize is how much of an object of unknown size is held in memory and sent
// at a time.
const partSize = 8 << 20

// firstBuffer is the size of the buffer that an upload begins with: most objects are small.
const firstBuffer = 64 << 10

// Headers of checksums. A body is in memory when it is sent, so that they can come before
// it: many servers do not take them after it, in a trailer, or only over TLS.
const (
	headerCRC32C            = "X-Amz-Checksum-Crc32c"
	headerChecksumAlgorithm = "X-Amz-Checksum-Algorithm"
	headerChecksumType      = "X-Amz-Checksum-Type"
	fullObject              = "FULL_OBJECT" // not one of the parts' checksums
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode formats a checksum as S3 has it.
func encode(sum hash.Hash) string { return base64.StdEncoding.EncodeToString(sum.Sum(nil)) }

// crc32cOf is the CRC-32C of a body, as S3 has it.
func crc32cOf(body []byte) string {
	sum := crc32.New(castagnoli)
	_, _ = sum.Write(body) // never fails
	return encode(sum)
}

// sha256Of is the digest of a body that its request's signature covers.
func sha256Of(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// putOptions says how an object is put.
func (b *s3Bucket) putOptions() minio.PutObjectOptions {
	opts := minio.PutObjectOptions{
		ContentType: "application/octet-stream",
		// The digest is given with each body. Without this, minio-go signs a body that
		// goes over http in chunks, which fewer servers understand.
		DisableContentSha256: true,
	}
	b.lock.set(&opts)
	return opts
}

// core is the client for single requests.
func (b *s3Bucket) core() minio.Core { return minio.Core{Client: b.client} }

// send uploads an object in one request if it is smaller than a part, and otherwise in
// parts; free, only if the key is free.
func (b *s3Bucket) send(ctx context.Context, key string, r io.Reader, free bool) (minio.UploadInfo, error) {
	head, err := ReadUpTo(r, partSize, firstBuffer)
	if err != nil {
		return minio.UploadInfo{}, err
	}
	if len(head) == partSize {
		return b.sendParts(ctx, key, head, r, free)
	}
	return b.ifFree(ctx, key, free, func(free bool) (minio.UploadInfo, error) { return b.sendWhole(ctx, key, head, free) })
}

// ifFree sends a request under the condition that the key is free. Two kinds of servers are
// sent it without, after Put has found the key free. To one, conditions are not implemented;
// others of which that is true ignore them, which is no better. The other takes a delete
// marker for an object: it says that the key is taken, and that there is nothing.
func (b *s3Bucket) ifFree(ctx context.Context, key string, free bool, send func(free bool) (minio.UploadInfo, error)) (minio.UploadInfo, error) {
	info, err := send(free && !b.unconditional.Load())
	if !free || err == nil {
		return info, err
	}
	unknown := isNotImplemented(err)
	if !unknown && !b.isHidden(ctx, key, err) {
		return info, err
	}
	if info, err = send(false); err == nil && unknown {
		b.unconditional.Store(true)
	}
	return info, err
}

// isHidden reports whether a server that says that a condition is not met has nothing under
// the key but what is hidden, which is only where the bucket has versions: elsewhere the
// object that the condition met may be one that HEAD does not tell of yet. One that says that
// another takes the key at this moment is believed.
func (b *s3Bucket) isHidden(ctx context.Context, key string, err error) bool {
	var resp minio.ErrorResponse
	if !errors.As(err, &resp) || resp.Code != minio.PreconditionFailed {
		return false
	}
	if _, err = b.Size(ctx, key); !errors.Is(err, ErrNotFound) {
		return false
	}
	versioned, err := b.versioned(ctx)
	return err == nil && versioned
}

// isNotImplemented reports whether a server says of a request that it does not know how to
// answer it.
func isNotImplemented(err error) bool {
	var resp minio.ErrorResponse
	return errors.As(err, &resp) && (resp.StatusCode == http.StatusNotImplemented || resp.Code == "NotImplemented")
}

// sendWhole uploads an object in one request.
func (b *s3Bucket) sendWhole(ctx context.Context, key string, body []byte, free bool) (minio.UploadInfo, error) {
	opts := b.putOptions()
	opts.UserMetadata = map[string]string{headerCRC32C: crc32cOf(body)}
	if free {
		opts.SetMatchETagExcept("*")
	}
	return b.core().PutObject(ctx, b.bucket, b.prefix+key, bytes.NewReader(body), int64(len(body)), "", sha256Of(body), opts)
}

// sendParts uploads an object in parts: head is the first, r gives the rest. One part is in
// memory at a time.
func (b *s3Bucket) sendParts(ctx context.Context, key string, head []byte, r io.Reader, free bool) (minio.UploadInfo, error) {
	u, err := b.beginUpload(ctx, key)
	if err != nil {
		return minio.UploadInfo{}, err
	}
	for part := head; len(part) > 0 && err == nil; {
		if err = u.sendPart(ctx, part); err == nil {
			part, err = fill(r, part[:partSize])
		}
	}
	var info minio.UploadInfo
	if err == nil {
		info, err = b.ifFree(ctx, key, free, func(free bool) (minio.UploadInfo, error) { return u.complete(ctx, free) })
	}
	if err != nil {
		u.abort(ctx)
	}
	return info, err
}
