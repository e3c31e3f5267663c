package archive

import (
	"context"
	"errors"
	"fmt"
	"io"

	seekable "github.com/SaveTheRbtz/zstd-seekable-format-go/pkg"
)

// Describe reads an archived log back, whole, and says of it what PutLog said
// when it was written. An object that is cut short, changed, or no log fails.
// An object does not tell whether the log went on beyond the limit: one that is
// just as long as the limit is taken for truncated.
func (a *Archive) Describe(ctx context.Context, key JobKey) (log Log, err error) {
	log.Key = key.Log()
	log.StoredBytes, err = a.bucket.Size(ctx, log.Key)
	if err != nil {
		return Log{}, err
	}
	offsets, sizes, err := a.seekTable(ctx, log.Key, log.StoredBytes)
	if err != nil {
		return Log{}, fmt.Errorf("archive: seek table of %s: %w", log.Key, err)
	}
	r, err := a.OpenLog(ctx, log.Key)
	if err != nil {
		return Log{}, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	src := newFrameSource(nil, 0)
	for i, size := range sizes {
		frame, err := readFrame(r, size, size)
		if err != nil {
			return Log{}, err
		}
		if int64(len(frame)) != size {
			return Log{}, fmt.Errorf("archive: %s: frame %d has %d bytes, the seek table says %d", log.Key, i, len(frame), size)
		}
		src.add(frame)
	}
	if more, err := hasMore(r); err != nil {
		return Log{}, err
	} else if more {
		return Log{}, fmt.Errorf("archive: %s: goes on after its last frame", log.Key)
	}
	src.describe(&log)
	log.FrameOffsets = offsets
	log.Truncated = log.RawBytes == a.limit
	return log, nil
}

// seekTable reads where each frame starts and how much it holds.
func (a *Archive) seekTable(ctx context.Context, key string, stored int64) (offsets, sizes []int64, err error) {
	r, err := seekable.NewReader(nil, nil, seekable.WithReaderEnvironment(tail{ctx, a.bucket, key, stored}))
	if err != nil {
		return nil, nil, err
	}
	table, err := r.SeekTable()
	if err != nil {
		return nil, nil, errors.Join(err, r.Close())
	}
	for i := range table.NumFrames() {
		f, _ := table.EntryByID(i)
		offsets = append(offsets, int64(f.CompressedOffset))
		sizes = append(sizes, int64(f.DecompressedSize))
	}
	return offsets, sizes, r.Close()
}

// tail reads the end of an object, where the seek table is.
type tail struct {
	ctx    context.Context
	bucket Bucket
	key    string
	stored int64
}

var errNoFrames = errors.New("only the seek table is read here")

func (t tail) GetFrameByIndex(seekable.FrameOffsetEntry) ([]byte, error) { return nil, errNoFrames }

// footerSize is that of a Seek_Table_Footer.
const footerSize = 9

func (t tail) ReadFooter() ([]byte, error) { return t.ReadSkipFrame(footerSize) }

func (t tail) ReadSkipFrame(fromEnd int64) ([]byte, error) {
	if fromEnd < 0 || fromEnd > t.stored {
		return nil, fmt.Errorf("%d bytes from the end of %d", fromEnd, t.stored)
	}
	body, err := t.bucket.Get(t.ctx, t.key, t.stored-fromEnd, fromEnd)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(body)
	return b, errors.Join(err, body.Close())
}
