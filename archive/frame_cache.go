package archive

import (
	"container/list"
	"context"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	// maxCached is how many decoded frames wait for their readers, of all logs
	// together.
	maxCached = 64
	// maxLoading is how many frames are fetched and decoded at the same time.
	maxLoading = 32
)

// frameCache is an LRU cache that bounds what all readers together hold in memory. A
// decoded frame stays in it until it is read. When there are too many, the least recently
// used one is dropped: its reader is waiting for a slow client, and will fetch it again.
type frameCache struct {
	decoder *zstd.Decoder
	loading chan struct{}

	mu    sync.Mutex
	order list.List // of *cachedFrame; the most recently used comes first
}

func newFrameCache(d *zstd.Decoder) *frameCache {
	return &frameCache{decoder: d, loading: make(chan struct{}, maxLoading)}
}

// cachedFrame is a frame on its way to a reader.
type cachedFrame struct {
	index   int           // in the log, from 0
	decoded chan struct{} // closed when it is in the cache, or err says why not
	err     error

	frame *frame // nil: it was dropped
	place *list.Element
}

// load fetches a frame and starts decoding it.
func (s *frameCache) load(ctx context.Context, index int, fetch func(*frame) error) (*cachedFrame, error) {
	select {
	case s.loading <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	f := framePool.Get().(*frame)
	if err := fetch(f); err != nil {
		framePool.Put(f)
		<-s.loading
		return nil, err
	}
	b := &cachedFrame{index: index, decoded: make(chan struct{})}
	go func() {
		if b.err = f.decode(s.decoder); b.err == nil {
			s.put(b, f)
		} else {
			framePool.Put(f)
		}
		<-s.loading
		close(b.decoded)
	}()
	return b, nil
}

func (s *frameCache) put(b *cachedFrame, f *frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.frame, b.place = f, s.order.PushFront(b)
	if s.order.Len() > maxCached {
		last := s.order.Remove(s.order.Back()).(*cachedFrame)
		// Not into the pool: its reader may be looking at it.
		last.frame = nil
	}
}

// get returns the bytes of a decoded frame, which are valid until the reader releases it.
// ok is false if the frame was dropped.
func (s *frameCache) get(b *cachedFrame) (raw []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.frame == nil {
		return nil, false
	}
	s.order.MoveToFront(b.place)
	return b.frame.raw, true
}

// release removes a frame that is no longer read.
func (s *frameCache) release(b *cachedFrame) {
	<-b.decoded
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.frame != nil {
		s.order.Remove(b.place)
		framePool.Put(b.frame)
		b.frame = nil
	}
}

// hasRoom reports whether there is room for frames that no reader waits for yet.
func (s *frameCache) hasRoom() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.order.Len() < maxCached/2
}
