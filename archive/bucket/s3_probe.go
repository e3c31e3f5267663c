package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
)

// probeLock is for how long the probe's object is locked in a bucket that locks: as short
// as can be without a server whose clock is ahead calling it past.
const probeLock = 10 * time.Minute

// s3Probe is one probe of a bucket. It works as Put, Get and Purge do, with their requests.
type s3Probe struct {
	*s3Bucket // with a lock of its own
	wanted    *objectLock
	key       string
	versioned bool
	stored    minio.ObjectInfo // the probe's object, as HEAD tells it
	lacks     []Lack
}

// Probe tries what an archive needs. See Bucket.
func (b *s3Bucket) Probe(ctx context.Context, write bool) ([]Lack, error) {
	if err := b.Check(ctx); err != nil {
		return nil, err
	}
	if !write {
		return nil, b.probeReads(ctx)
	}
	p := &s3Probe{
		s3Bucket: &s3Bucket{client: b.client, bucket: b.bucket, prefix: b.prefix, url: b.url},
		wanted:   b.lock, key: newProbeKey(),
	}
	err := p.run(ctx)
	return p.lacks, err
}

func (p *s3Probe) lack(l Lack) { p.lacks = append(p.lacks, l) }

// run writes the object, looks at it, and removes it, whatever happened.
func (p *s3Probe) run(ctx context.Context) error {
	if err := p.chooseLock(ctx); err != nil {
		return err
	}
	written, err := p.write(ctx)
	if !written {
		return err
	}
	for _, step := range []func(context.Context) error{p.writeAgain, p.writeParts, p.readRange, p.askVersions, p.askLock, p.list} {
		if err == nil {
			err = step(ctx)
		}
	}
	return errors.Join(err, p.remove(ctx))
}

// fail names the step of a probe that failed, and what to allow if the store refuses it.
func (p *s3Probe) fail(step string, err error, allow string) error {
	var resp minio.ErrorResponse
	switch {
	case err == nil:
		return nil
	case errors.As(err, &resp) && resp.StatusCode == http.StatusForbidden:
		err = fmt.Errorf("%w: allow %s, with these credentials: %w", ErrRefused, allow, err)
	case isNotImplemented(err) || resp.StatusCode == http.StatusMethodNotAllowed:
		err = fmt.Errorf("%w: it does not know how to do that; use a server that does: %w", ErrUnfit, err)
	}
	return fmt.Errorf("archive: probe of bucket %s: %s: %w", p.bucket, step, err)
}

// unfit says what the store does wrong.
func (p *s3Probe) unfit(format string, args ...any) error {
	return fmt.Errorf("archive: probe of bucket %s: %w: %s", p.bucket, ErrUnfit, fmt.Sprintf(format, args...))
}

// chooseLock has the object locked for some minutes where it would be locked anyway. Else,
// each probe of a bucket that locks for years would leave an object for years.
func (p *s3Probe) chooseLock(ctx context.Context) error {
	enabled, mode, _, _, err := p.client.GetObjectLockConfig(ctx, p.bucket)
	switch {
	case p.wanted != nil:
		p.lock = &objectLock{mode: p.wanted.mode, period: probeLock}
	case err != nil || enabled != "Enabled":
		// A server that does not understand or allow the question is taken at its word
		// once the object is there: see remove.
		p.lack(LackLocks)
	case mode != nil && mode.IsValid():
		p.lock = &objectLock{mode: *mode, period: probeLock}
	}
	return ctx.Err()
}

// write puts the object. It is not written if the credentials may not lock it for a time of
// its own, and the bucket would lock it for one of the bucket's.
func (p *s3Probe) write(ctx context.Context) (written bool, err error) {
	info, err := p.ifFree(ctx, p.key, true, func(free bool) (minio.UploadInfo, error) { return p.sendWhole(ctx, p.key, probeBody, free) })
	var resp minio.ErrorResponse
	if p.lock != nil && p.wanted == nil && errors.As(err, &resp) && resp.StatusCode == http.StatusForbidden {
		p.lack(LackShortLocks)
		return false, nil
	}
	if err != nil {
		return false, p.fail("write", err, p.writeActions())
	}
	return true, p.stat(ctx, info.ETag, LackChecksums)
}

// writeActions are what must be allowed to put an object.
func (p *s3Probe) writeActions() string {
	if p.lock != nil {
		return "s3:PutObject and s3:PutObjectRetention"
	}
	return "s3:PutObject"
}

// stat compares what HEAD tells of the object with what was sent.
func (p *s3Probe) stat(ctx context.Context, etag string, noChecksum Lack) error {
	var err error
	p.stored, err = p.client.StatObject(ctx, p.bucket, p.prefix+p.key, minio.StatObjectOptions{Checksum: true})
	if err != nil {
		return p.fail("HEAD", err, "s3:GetObject")
	}
	if p.stored.ETag != etag || p.stored.Size != int64(len(probeBody)) {
		return p.unfit("HEAD tells of %d bytes with ETag %q; %d bytes with %q were put", p.stored.Size, p.stored.ETag, len(probeBody), etag)
	}
	switch sum := p.stored.ChecksumCRC32C; {
	case !ofWhole(sum):
		p.lack(noChecksum)
	case sum != crc32cOf(probeBody):
		return p.unfit("HEAD tells CRC-32C %q; %s was put", sum, crc32cOf(probeBody))
	}
	return nil
}

// writeAgain puts the object under the condition that it is not there.
func (p *s3Probe) writeAgain(ctx context.Context) error {
	if p.unconditional.Load() {
		p.lack(LackConditions)
		return nil
	}
	_, err := p.sendWhole(ctx, p.key, probeBody, true)
	switch {
	case err == nil || isNotImplemented(err):
		p.lack(LackConditions)
		return nil
	case isTaken(err):
		return nil
	}
	return p.fail("write under If-None-Match", err, p.writeActions())
}

// writeParts puts the object in parts, first under the condition that it is not there.
func (p *s3Probe) writeParts(ctx context.Context) error {
	var etag string
	u, err := p.beginUpload(ctx, p.key)
	if err == nil {
		if err = u.sendPart(ctx, probeBody); err == nil {
			etag, err = p.complete(ctx, u)
		}
		if etag == "" {
			u.abort(ctx)
		}
	}
	if err != nil || etag == "" {
		return p.fail("write in parts", err, p.writeActions())
	}
	return p.stat(ctx, etag, LackPartChecksums)
}

// complete makes an upload's parts an object, in the place of the one that is there, and
// returns its ETag; none if the server has kept the object and forgotten the parts.
func (p *s3Probe) complete(ctx context.Context, u *upload) (etag string, err error) {
	info, err := u.complete(ctx, true)
	if isTaken(err) {
		if info, err = u.complete(ctx, false); err != nil {
			return "", ctx.Err()
		}
		return info.ETag, nil
	}
	p.lack(LackPartConditions)
	if isNotImplemented(err) {
		info, err = u.complete(ctx, false)
	}
	return info.ETag, err
}

// readRange reads a part of the object.
func (p *s3Probe) readRange(ctx context.Context) error {
	const offset, length = 9, 7
	got, err := p.readSome(ctx, p.key, offset, length)
	if err != nil {
		return p.fail("read", err, "s3:GetObject")
	}
	if want := probeBody[offset : offset+length]; !bytes.Equal(got, want) {
		return p.unfit("asked for bytes %d to %d of an object, it gave %d bytes that are not those: a few lines of a log could not be read; use a server, or a proxy, that knows Range", offset, offset+length-1, len(got))
	}
	return nil
}

// readSome reads a range, and a little more if it is given more.
func (b *s3Bucket) readSome(ctx context.Context, key string, offset, length int64) ([]byte, error) {
	r, err := b.Get(ctx, key, offset, length)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(io.LimitReader(r, length+1))
	return got, errors.Join(err, r.Close())
}

// probeReads reads a byte of the first object that is listed, if there is one.
func (b *s3Bucket) probeReads(ctx context.Context) error {
	p := &s3Probe{s3Bucket: b}
	for o, err := range b.List(ctx, "") {
		if err != nil {
			return p.fail("list", err, "s3:ListBucket")
		}
		if o.Size < 2 || checkKey(o.Key) != nil {
			continue
		}
		got, err := b.readSome(ctx, o.Key, 1, 1)
		if errors.Is(err, ErrNotFound) {
			continue // removed meanwhile
		}
		if err == nil && len(got) != 1 {
			err = p.unfit("asked for one byte of an object, it gave more: a few lines of a log could not be read; use a server, or a proxy, that knows Range")
		}
		return p.fail("read", err, "s3:GetObject")
	}
	return nil
}
