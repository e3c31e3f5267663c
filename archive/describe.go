package archive

import "context"

// Describe reads an archived log back, whole, and says of it what PutLog said
// when it was written. Fails with ErrNotFound, and with ErrUnreadable if the
// object is cut short, changed, or no log. An object does not tell whether the
// log went on beyond the limit: one that is just as long as the limit is taken
// for truncated.
func (a *Archive) Describe(ctx context.Context, key JobKey) (Log, error) {
	log := Log{Key: key.Log()}
	src := newFrameSource(nil, 0)
	object, err := a.readFrames(ctx, log.Key, func(offset int64, raw []byte) {
		log.FrameOffsets = append(log.FrameOffsets, offset)
		src.add(raw)
	})
	if err != nil {
		return Log{}, err
	}
	src.describe(&log)
	log.StoredBytes, log.StoredSHA256 = object.size, object.sum
	log.Truncated = log.RawBytes == a.limit
	return log, nil
}
