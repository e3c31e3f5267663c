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
	mode   minio.RetentionMode
	period time.Duration
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
	days, err := strconv.Atoi(q.Get("lock_days"))
	if err != nil || days < 1 || days > maxLockDays {
		return nil, fmt.Errorf("lock_days must be a number from 1 to %d", maxLockDays)
	}
	l.period = time.Duration(days) * 24 * time.Hour
	return l, nil
}

// set makes an upload's options lock the object from now on.
func (l *objectLock) set(opts *minio.PutObjectOptions) {
	if l == nil {
		return
	}
	opts.Mode, opts.RetainUntilDate = l.mode, time.Now().Add(l.period)
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

// explainKept asks why a version could not be removed, because servers report a lock only
// as denied access. If the question fails, the removal's own error stands.
func (b *s3Bucket) explainKept(ctx context.Context, key, version string, err error) error {
	if l := b.retention(ctx, key, version); l.until.After(time.Now()) {
		return fmt.Errorf("archive: purge %s: %w until %s (%s)", key, ErrLocked, l.until.UTC().Format(time.RFC3339), l.mode)
	}
	hold, herr := b.client.GetObjectLegalHold(ctx, b.bucket, b.prefix+key, minio.GetObjectLegalHoldOptions{VersionID: version})
	if herr == nil && hold != nil && *hold == minio.LegalHoldEnabled {
		return fmt.Errorf("archive: purge %s: %w by a legal hold of the bucket's", key, ErrLocked)
	}
	return err
}

// retention is how a version is locked.
type retention struct {
	mode  minio.RetentionMode
	until time.Time // zero: it is not, or nobody tells
}

// retention asks how a version is locked. Some servers answer the question itself in a form
// of their own, or not at all, and say it in the headers of HEAD.
func (b *s3Bucket) retention(ctx context.Context, key, version string) retention {
	mode, until, err := b.client.GetObjectRetention(ctx, b.bucket, b.prefix+key, version)
	if err == nil && mode != nil && until != nil && mode.IsValid() {
		return retention{*mode, *until}
	}
	info, err := b.client.StatObject(ctx, b.bucket, b.prefix+key, minio.StatObjectOptions{VersionID: version})
	if err != nil {
		return retention{}
	}
	headed := retention{mode: minio.RetentionMode(info.Metadata.Get("X-Amz-Object-Lock-Mode"))}
	if headed.until, err = time.Parse(time.RFC3339, info.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date")); err != nil || !headed.mode.IsValid() {
		return retention{}
	}
	return headed
}
