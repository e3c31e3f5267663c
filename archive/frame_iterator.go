package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/jobvault/jobvault/archive/bucket"
)

// frameIterator gives the frames of a log, whose offsets are known from the ledger, one
// after the other. As long as the cache has room, the next frames are decoded in parallel
// while one is read, and one request fetches all of them. Without room, each frame is
// fetched when it is needed, by a request of its own, so that a reader that waits for a
// slow client keeps no connection.
type frameIterator struct {
	cache  *frameCache
	bucket bucket.Bucket
	layout LogLayout
	next   int            // frame to be fetched
	end    int            // frame after the last one
	body   io.ReadCloser  // at the next frame; nil: not open
	until  int            // frame at which the body ends
	frames []*cachedFrame // fetched; the first one is the current frame
	broke  error          // the error that keeps further frames from being fetched
}

// frames returns an iterator over the frames first up to, but not including, end.
func (a *Archive) frames(layout LogLayout, first, end int) *frameIterator {
	return &frameIterator{cache: a.cache, bucket: a.bucket, layout: layout, next: first, end: end}
}

// each gives visit the bytes of each frame, in order, and then closes the iterator.
// Frames are counted from 0. Frames that were fetched before an error are given first.
func (r *frameIterator) each(ctx context.Context, visit func(index int, raw []byte) error) (err error) {
	defer func() { err = errors.Join(err, r.close()) }()
	for {
		for r.wantsMore() {
			r.fetchNext(ctx)
		}
		if len(r.frames) == 0 {
			return r.broke
		}
		raw, err := r.raw(ctx)
		if err != nil {
			return err
		}
		if err := visit(r.frames[0].index, raw); err != nil {
			return err
		}
		r.cache.release(r.frames[0])
		r.frames = slices.Delete(r.frames, 0, 1)
	}
}

func (r *frameIterator) wantsMore() bool {
	if r.next == r.end || r.broke != nil {
		return false
	}
	return len(r.frames) == 0 || len(r.frames) <= framesAhead && r.cache.hasRoom()
}

// fetchNext fetches the next frame and starts decoding it, or notes the error.
func (r *frameIterator) fetchNext(ctx context.Context) {
	b, err := r.cache.load(ctx, r.next, func(f *frame) error { return r.fetch(ctx, f) })
	if err != nil {
		r.broke = err
		return
	}
	r.frames = append(r.frames, b)
}

// raw returns the bytes of the current frame, after fetching it again if it was dropped.
func (r *frameIterator) raw(ctx context.Context) ([]byte, error) {
	for {
		b := r.frames[0]
		<-b.decoded
		if b.err != nil {
			return nil, fmt.Errorf("%w: frame at byte %d: %w", bucket.ErrUnreadable, r.layout.offset(b.index), b.err)
		}
		if raw, ok := r.cache.get(b); ok {
			return raw, nil
		}
		again, err := r.cache.load(ctx, b.index, func(f *frame) error { return r.fetchAgain(ctx, b.index, f) })
		if err != nil {
			return nil, err
		}
		r.frames[0] = again
	}
}

// fetch reads the next frame as it is stored.
func (r *frameIterator) fetch(ctx context.Context, f *frame) error {
	fresh := r.body == nil
	err := r.continueBody(ctx, f)
	if err != nil && !fresh && ctx.Err() == nil {
		// A server closes a connection that was idle for long.
		err = r.continueBody(ctx, f)
	}
	if err == nil {
		r.next++
	}
	if r.next == r.until {
		err = errors.Join(err, r.closeBody())
	}
	return err
}

// continueBody reads the next frame from the open body, or opens a body at that frame.
func (r *frameIterator) continueBody(ctx context.Context, f *frame) (err error) {
	if r.body == nil {
		r.until = r.next + 1
		if r.cache.hasRoom() {
			r.until = r.end
		}
		if r.body, err = r.open(ctx, r.next, r.until); err != nil {
			return err
		}
	}
	if err = f.readStored(bucket.WithContext(ctx, r.body), r.layout, r.next); err != nil {
		err = errors.Join(err, r.closeBody())
	}
	return err
}

// fetchAgain reads a frame that was there before.
func (r *frameIterator) fetchAgain(ctx context.Context, index int, f *frame) error {
	body, err := r.open(ctx, index, index+1)
	if err != nil {
		return err
	}
	return errors.Join(f.readStored(bucket.WithContext(ctx, body), r.layout, index), body.Close())
}

func (r *frameIterator) open(ctx context.Context, first, end int) (io.ReadCloser, error) {
	from := r.layout.offset(first)
	return r.bucket.Get(ctx, r.layout.Key, from, r.layout.offset(end)-from)
}

func (r *frameIterator) closeBody() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body = nil
	return err
}

func (r *frameIterator) close() error {
	for _, b := range r.frames {
		r.cache.release(b)
	}
	return r.closeBody()
}
