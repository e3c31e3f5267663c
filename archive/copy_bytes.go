package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/jobvault/jobvault/archive/bucket"
)

// CopyBytes writes length bytes of a log from offset from; a negative length stands for
// all that follow. Bytes beyond the end are left out silently. It asks the bucket for one
// range of the object, and for the seek table, unless the log has a single frame or is
// copied whole. It fails and uses memory as CopyLog does.
func (a *Archive) CopyBytes(ctx context.Context, w io.Writer, layout LogLayout, from, length int64) error {
	if err := layout.check(); err != nil {
		return err
	}
	from = max(from, 0)
	to := layout.RawBytes
	if length >= 0 && length < to-from {
		to = from + length
	}
	if from >= to {
		return nil
	}
	if from == 0 && to == layout.RawBytes {
		return a.CopyLog(ctx, w, layout)
	}
	if err := a.copyBytes(ctx, w, layout, from, to); err != nil {
		return fmt.Errorf("archive: bytes %d-%d of %s: %w", from, to, layout.Key, err)
	}
	return nil
}

func (a *Archive) copyBytes(ctx context.Context, w io.Writer, layout LogLayout, from, to int64) error {
	offsets, err := a.rawOffsets(ctx, layout)
	if err != nil {
		return err
	}
	first := sort.Search(len(offsets), func(i int) bool { return offsets[i] > from }) - 1
	end := sort.Search(len(offsets), func(i int) bool { return offsets[i] >= to })
	return a.copyFrames(ctx, w, layout, first, end, func(i int, raw []byte) (int, int, error) {
		start := offsets[i]
		if int64(len(raw)) != offsets[i+1]-start {
			return 0, 0, fmt.Errorf("%w: %w", bucket.ErrUnreadable, errSeekTable)
		}
		return int(max(from-start, 0)), int(min(to-start, int64(len(raw)))), nil
	})
}

// rawOffsets returns where in the log each frame begins and, last, where the log ends.
func (a *Archive) rawOffsets(ctx context.Context, layout LogLayout) ([]int64, error) {
	if len(layout.FrameOffsets) == 1 {
		return []int64{0, layout.RawBytes}, nil
	}
	body, err := a.bucket.Get(ctx, layout.Key, layout.StoredSize(), layout.StoredBytes-layout.StoredSize())
	if err != nil {
		return nil, err
	}
	// Of a server that sends more than it was asked for, the rest is not read.
	b, err := io.ReadAll(io.LimitReader(body, seekTableSize(len(layout.FrameOffsets))+1))
	if err := errors.Join(err, body.Close()); err != nil {
		return nil, err
	}
	offsets, err := parseSeekTable(b, layout)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", bucket.ErrUnreadable, err)
	}
	return offsets, nil
}
