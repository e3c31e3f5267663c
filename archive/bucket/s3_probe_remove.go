package bucket

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
)

// removalTimeout bounds how long a probe that was ended goes on, to remove its object.
const removalTimeout = 10 * time.Second

// maxLeftovers is how much of earlier probes one probe removes at most.
const maxLeftovers = 100

// askVersions finds out whether the bucket keeps versions.
func (p *s3Probe) askVersions(ctx context.Context) error {
	c, err := p.client.GetBucketVersioning(ctx, p.bucket)
	switch {
	case err == nil || isNotImplemented(err):
		p.versioned = c.Status != ""
		if !c.Enabled() {
			p.lack(LackVersions)
		}
		return nil
	case refusedQuestion(err):
		p.versioned = true // as Purge takes it to be
		return nil
	}
	return p.fail("ask for versioning", err, "s3:GetBucketVersioning")
}

// askLock finds out whether the object is locked, if it should be.
func (p *s3Probe) askLock(ctx context.Context) error {
	if p.wanted == nil {
		return nil
	}
	version := p.stored.VersionID
	if l := p.retention(ctx, p.key, version); l.until.IsZero() {
		return p.unfit("the bucket's URL asks for locks; the store took one and tells of none, neither by GetObjectRetention nor at HEAD; use a server that has Object Lock, or allow s3:GetObjectRetention")
	}
	if err := p.removeVersion(ctx, p.key, version); err == nil {
		return p.unfit("the bucket's URL asks for locks; the store locked an object and deleted it all the same; use a server that has Object Lock")
	}
	return nil
}

// list looks for the object, and removes what earlier probes have left. An age is between
// two times of the store's own.
func (p *s3Probe) list(ctx context.Context) error {
	seen := false
	left := make(map[string]bool)
	opts := minio.ListObjectsOptions{Prefix: p.prefix + ProbePrefix, Recursive: true, WithVersions: p.versioned}
	for o := range p.client.ListObjectsIter(ctx, p.bucket, opts) {
		if o.Err != nil && p.versioned && refusedQuestion(o.Err) {
			p.lack(LackVersionLists)
			return nil
		}
		if o.Err != nil {
			return p.fail("list", o.Err, "s3:ListBucket")
		}
		key, err := p.keyListed(o.Key, ProbePrefix)
		if err != nil {
			return p.fail("list", err, "")
		}
		seen = seen || key == p.key
		if key != p.key && p.stored.LastModified.Sub(o.LastModified) > probeLeftover {
			left[key] = true
		}
		if len(left) == maxLeftovers {
			break
		}
	}
	if !seen && len(left) < maxLeftovers {
		return p.unfit("it does not list an object that was just put: rebuild and verify would miss objects; use a server whose lists are consistent")
	}
	for key := range left {
		_ = p.Purge(ctx, key) // what is locked still goes some other time
	}
	return ctx.Err()
}

// remove removes the object. Who may not remove anything has a bucket that only grows, and
// can work like that. A locked object is left to a later probe.
func (p *s3Probe) remove(ctx context.Context) error {
	ctx, cancel := finishing(ctx, removalTimeout)
	defer cancel()
	if p.lock != nil {
		_ = p.Remove(ctx, p.key) // hides it
		return nil
	}
	err := p.Purge(ctx, p.key)
	var resp minio.ErrorResponse
	switch {
	case err == nil:
	case errors.Is(err, ErrVersionsUnknown):
		_ = p.Remove(ctx, p.key)
	case errors.Is(err, ErrLocked):
		p.lack(LackShortLocks)
	case errors.Is(err, ErrRemains),
		errors.As(err, &resp) && (resp.StatusCode == http.StatusForbidden || isNotImplemented(err)):
		p.lack(LackRemoval)
	default:
		return p.fail("remove", err, "s3:DeleteObject")
	}
	return nil
}
