package archive

import "context"

// Describe reads all of an archived log, and returns what PutLog returned when it was
// written. It fails with ErrNotFound, and with ErrUnreadable if the object is cut short,
// changed, or no log. It does not check whether the filters exist. An object does not say
// whether the log was truncated at the limit: a log that is exactly as long as the limit
// is taken for truncated. Nor does it say what was archived of the job before.
func (a *Archive) Describe(ctx context.Context, logKey string) (Log, error) {
	log, err := a.describe(ctx, logKey, nil)
	if err != nil {
		return Log{}, err
	}
	log.Truncated = log.RawBytes == a.limit
	log.FilterBytes = log.filterBytes()
	return log, nil
}

// DescribeRedacted is Describe for the redacted copy with a number; it returns what
// RedactLog returned.
func (a *Archive) DescribeRedacted(ctx context.Context, key JobKey, number int) (Log, error) {
	return a.describe(ctx, key.Redacted(number), nil)
}

// describe reads a log; of its text it tells begins, nil: nobody.
func (a *Archive) describe(ctx context.Context, key string, begins *beginning) (Log, error) {
	log := Log{LogLayout: LogLayout{Key: key}}
	src := newFrameSource(nil, 0)
	object, err := a.scanObject(ctx, log.Key, func(offset int64, raw []byte) {
		log.FrameOffsets = append(log.FrameOffsets, offset)
		src.add(raw)
		if begins != nil {
			begins.add(raw)
		}
	})
	if err != nil {
		return Log{}, err
	}
	src.describe(&log)
	log.StoredBytes, log.StoredSHA256 = object.size, object.sum
	return log, nil
}
