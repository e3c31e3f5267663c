package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/jobvault/jobvault/archive/bucket"
)

// framesAhead is how many frames are decoded in advance while one is visited.
const framesAhead = 2

// scanObject gives visit the bytes of each frame of a log, in order, and where the frame
// starts in the object; visit must not keep raw. It returns the object's size and digest.
// It fails with ErrNotFound, with ErrUnreadable, or because the bucket did not answer.
// One request fetches the object, frames are decoded side by side, and a few are in
// memory whatever the log's size.
func (a *Archive) scanObject(ctx context.Context, key string, visit func(offset int64, raw []byte)) (o stored, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body, err := a.bucket.Get(ctx, key, 0, -1)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	sum := sha256.New()
	r := newFrameScanner(io.TeeReader(bucket.WithContext(ctx, body), sum))
	ahead := make(chan *frame, framesAhead)
	var fetched error
	go func() {
		defer close(ahead)
		fetched = a.fetchFrames(ctx, r, ahead)
	}()
	var table seekTable
	for f := range ahead {
		if broken := <-f.decoded; broken != nil && err == nil {
			err = fmt.Errorf("%w: frame at byte %d: %w", bucket.ErrUnreadable, f.offset, broken)
			cancel()
		}
		if err == nil {
			visit(f.offset, f.raw)
			table.add(f)
		}
		framePool.Put(f)
	}
	if err == nil {
		err = fetched
	}
	if err == nil {
		err = r.end(table.bytes())
	}
	if err != nil {
		return o, fmt.Errorf("archive: read %s: %w", key, err)
	}
	o.size = r.source.n
	sum.Sum(o.sum[:0])
	return o, nil
}

// stored is an object as it is in the bucket.
type stored struct {
	size int64
	sum  Digest // SHA-256
}

// fetchFrames reads frames, and starts decoding each, until the seek table begins.
func (a *Archive) fetchFrames(ctx context.Context, r *frameScanner, ahead chan<- *frame) error {
	for {
		f := framePool.Get().(*frame)
		if err := r.next(f); err != nil {
			framePool.Put(f)
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		go func() { f.decoded <- f.decode(a.decoder) }()
		select {
		case ahead <- f:
		case <-ctx.Done():
			// The decoder may still use its buffers, so they are left to the garbage
			// collector.
			return ctx.Err()
		}
	}
}
