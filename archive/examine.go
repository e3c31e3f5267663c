package archive

import "io"

// Examine reads a log to its end and says of it what PutLog would, but stores
// nothing: Key, StoredBytes and FrameOffsets are not set.
func (a *Archive) Examine(r io.Reader) (Log, error) {
	src := newFrameSource(r, a.limit)
	for {
		frame, err := src.next()
		if err != nil {
			return Log{}, err
		}
		if frame == nil {
			break
		}
	}
	var log Log
	src.describe(&log)
	return log, nil
}
