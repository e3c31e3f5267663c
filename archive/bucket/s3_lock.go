package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// ErrNoLock says that the URL asks for locked objects, but the bucket has no Object Lock.
var ErrNoLock = errors.New("the bucket has no Object Lock, and can have it only from when it is made; make one that has it, or leave lock and lock_days out of its URL")

// objectLock is how long objects are locked, from when they are put.
type objectLock struct {
	mode minio.RetentionMode
	days int
}

// maxLockDays is a hundred years.
const maxLockDays = 36500

// parseLock reads lock=governance|compliance&lock_days=N; nil if there is none.
func parseLock(q url.Values) (*objectLock, error) {
	if !q.Has("lock") && !q.Has("lock_days") {
		return nil, nil
	}
	if !q.Has("lock") || !q.Has("lock_days") {
		return nil, errors.New("lock and lock_days go together")
	}
	l := &objectLock{mode: minio.RetentionMode(strings.ToUpper(q.Get("lock")))}
	if l.mode != minio.Governance && l.mode != minio.Compliance {
		return nil, errors.New("lock must be governance or compliance")
	}
	var err error
	if l.days, err = strconv.Atoi(q.Get("lock_days")); err != nil || l.days < 1 || l.days > maxLockDays {
		return nil, fmt.Errorf("lock_days must be a number from 1 to %d", maxLockDays)
	}
	return l, nil
}

// set makes an upload's options lock the object from now on.
func (l *objectLock) set(opts *minio.PutObjectOptions) {
	if l == nil {
		return
	}
	opts.Mode, opts.RetainUntilDate = l.mode, time.Now().AddDate(0, 0, l.days)
}

// checkLock asks whether the bucket can lock objects.
func (b *s3Bucket) checkLock(ctx context.Context) error {
	enabled, _, _, _, err := b.client.GetObjectLockConfig(ctx, b.bucket)
	var resp minio.ErrorResponse
	if errors.As(err, &resp) && resp.Code == "ObjectLockConfigurationNotFoundError" || err == nil && enabled != "Enabled" {
		err = ErrNoLock
	}
	if err != nil {
		return fmt.Errorf("archive: Object Lock of bucket %s: %w", b.bucket, err)
	}
	return nil
}
