package bucket

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/minio/minio-go/v7"
)

func (b *s3Bucket) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		if err := checkPrefix(prefix); err != nil {
			yield(Object{}, err)
			return
		}
		fail := func(err error) { yield(Object{}, fmt.Errorf("archive: list %q: %w", prefix, err)) }
		// An iterator, not ListObjects: that one's goroutine waits for a reader.
		for o := range b.client.ListObjectsIter(ctx, b.bucket, minio.ListObjectsOptions{Prefix: b.prefix + prefix, Recursive: true}) {
			if o.Err != nil {
				fail(o.Err)
				return
			}
			key, err := b.keyListed(o.Key, prefix)
			if err != nil {
				fail(err)
				return
			}
			if key == "" || isProbe(key) {
				continue // the mark that some tools make of a folder, here the bucket's own; or nobody's
			}
			if !yield(Object{Key: key, Size: o.Size, ModTime: o.LastModified}, nil) {
				return
			}
		}
		// Between two pages minio-go ends a cancelled listing without a word.
		if err := ctx.Err(); err != nil {
			fail(err)
		}
	}
}

// keyListed is the key of something that is listed. A server that lists what it was not asked
// for is refused: what is listed under a job's prefix may be removed as that job's.
func (b *s3Bucket) keyListed(name, prefix string) (string, error) {
	if !strings.HasPrefix(name, b.prefix+prefix) {
		return "", fmt.Errorf("%w: asked for what is under %q, it lists %q too; use a server that heeds the prefix of a list", ErrUnfit, b.prefix+prefix, name)
	}
	return strings.TrimPrefix(name, b.prefix), nil
}
