package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"

	"github.com/jobvault/jobvault/archive/bucket"
	"golang.org/x/sync/errgroup"
)

// archivedState is the ledger's state of jobs that have a log in the bucket.
const archivedState = "archived"

// objects verifies the objects of those jobs whose latest entry is in a manifest.
func (c *chainVerifier) objects(ctx context.Context, i int) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(c.o.Parallel)
	date := day(c.dates[i])
	m, err := c.scanManifest(gctx, c.dates[i], func(_ *Manifest, l ManifestEntry) error {
		if c.latest[l.JobID].manifest != uint32(i) {
			return nil
		}
		l.Raw = nil
		g.Go(func() error {
			err := c.object(gctx, date, l)
			c.Step(int64(len(c.latest)))
			return err
		})
		return nil
	}, func(Fault) error { return nil }) // told when it was read first
	// What went wrong beside the reading comes first: it ends that.
	if gerr := g.Wait(); gerr != nil {
		return gerr
	}
	if err == nil && m.StoredSHA256 != c.found[i].StoredSHA256 {
		err = fmt.Errorf("archive: the manifest of %s changed while it was verified", date)
	}
	return err
}

// object compares one job's objects with its entry.
func (c *chainVerifier) object(ctx context.Context, date string, l ManifestEntry) error {
	tell := func(kind, key, format string, args ...any) {
		c.fault(Fault{Kind: kind, Date: date, Line: l.Number, JobID: l.JobID, Key: key, Detail: fmt.Sprintf(format, args...)})
	}
	if err := c.details(ctx, l, tell); err != nil {
		return err
	}
	if l.State != archivedState || l.SettledSHA256 != "" {
		if err := c.settled(ctx, l, tell); err != nil {
			return err
		}
	}
	if l.State == archivedState {
		if key := l.Key().LogNumbered(len(l.Shorter) + 1); l.ObjectKey != key {
			tell(FaultKey, l.ObjectKey, "the manifest names this object; the job's own is %s", key)
			return nil
		}
		if err := c.shorter(ctx, l, tell); err != nil {
			return err
		}
		return c.log(ctx, l.ManifestLine, tell)
	}
	return c.redactions(ctx, l, tell)
}

func (c *chainVerifier) details(ctx context.Context, l ManifestEntry, tell func(kind, key, format string, args ...any)) error {
	if l.DetailsSHA256 == "" || l.DetailsBytes == nil {
		return nil
	}
	key := l.Key().Details()
	if !c.o.Deep {
		size, err := c.bucket.Size(ctx, key)
		absent, err := c.Missing(ctx, err)
		switch {
		case err != nil:
			return err
		case absent:
			tell(FaultDetails, key, "there is no such object")
		case size != *l.DetailsBytes:
			tell(FaultDetails, key, "it has %d bytes, the manifest says %d", size, *l.DetailsBytes)
		}
		return nil
	}
	raw, err := c.Details(ctx, l.Key())
	absent, err := c.Missing(ctx, err)
	sum := sha256.Sum256(raw)
	switch {
	case absent:
		tell(FaultDetails, key, "there is no such object")
	case errors.Is(err, bucket.ErrUnreadable):
		tell(FaultDetails, key, "%v", err)
	case err != nil:
		return err
	case hex.EncodeToString(sum[:]) != l.DetailsSHA256:
		tell(FaultDetails, key, "it has SHA-256 %x, the manifest says %s", sum, l.DetailsSHA256)
	}
	return nil
}

// log looks at an archived log, or at a redacted copy of it.
func (c *chainVerifier) log(ctx context.Context, l ManifestLine, tell func(kind, key, format string, args ...any)) error {
	damage, err := c.compareListed(ctx, l)
	absent, err := c.Missing(ctx, err)
	switch {
	case absent:
		tell(FaultAbsent, l.ObjectKey, "there is no such object")
	case errors.Is(err, bucket.ErrUnreadable):
		tell(FaultUnreadable, l.ObjectKey, "%v", err)
	case err != nil:
		return err
	case damage != nil:
		tell(damage.Kind, l.ObjectKey, "%s", damage.Detail)
	}
	return nil
}

// compareListed says how a log differs from what a manifest says of it: by its
// size, or, deep, by all that it is.
func (c *chainVerifier) compareListed(ctx context.Context, l ManifestLine) (*Fault, error) {
	differs := func(kind string, what string, got, want any) (*Fault, error) {
		return &Fault{Kind: kind, Key: l.ObjectKey, Detail: fmt.Sprintf("%s %v, the manifest says %v", what, got, want)}, nil
	}
	if l.RawBytes == nil || l.StoredBytes == nil || l.Lines == nil {
		return differs(FaultSize, "its sizes are", "known", "nothing")
	}
	if !c.o.Deep {
		size, err := c.bucket.Size(ctx, l.ObjectKey)
		if err == nil && size != *l.StoredBytes {
			return differs(FaultSize, "its size is", size, *l.StoredBytes)
		}
		return nil, err
	}
	got, begins := logDigest{sum: sha256.New()}, beginnings(l.Shorter)
	object, err := c.scanObject(ctx, l.ObjectKey, func(offset int64, raw []byte) {
		got.add(offset, raw)
		begins.add(raw)
	})
	if err != nil {
		return nil, err
	}
	c.Count(func(sum *Chain) { sum.RawBytes += got.raw })
	switch sum, stored := hexSum(got.sum), hex.EncodeToString(object.sum[:]); {
	case sum != l.SHA256:
		return differs(FaultDigest, "the log's SHA-256 is", sum, l.SHA256)
	case got.raw != *l.RawBytes:
		return differs(FaultBytes, "the log's size is", got.raw, *l.RawBytes)
	case got.allLines() != *l.Lines:
		return differs(FaultLines, "the number of its lines is", got.allLines(), *l.Lines)
	case object.size != *l.StoredBytes:
		return differs(FaultSize, "its size is", object.size, *l.StoredBytes)
	case l.StoredSHA256 != "" && stored != l.StoredSHA256:
		return differs(FaultObject, "the log is whole, but the object's SHA-256 is", stored, l.StoredSHA256)
	}
	if detail := begins.differ(l.Shorter); detail != "" {
		return &Fault{Kind: FaultShorter, Key: l.ObjectKey, Detail: detail}, nil
	}
	return nil, nil
}

// shorter looks at the logs whose place a job's log has taken.
func (c *chainVerifier) shorter(ctx context.Context, l ManifestEntry, tell func(kind, key, format string, args ...any)) error {
	for i, s := range l.Shorter {
		if key := l.Key().LogNumbered(i + 1); s.ObjectKey != key || s.Number != i+1 {
			tell(FaultKey, s.ObjectKey, "the manifest names this object as log %d; the job's own is %s", s.Number, key)
			continue
		}
		line := ManifestLine{ObjectKey: s.ObjectKey, RawBytes: &s.RawBytes, StoredBytes: &s.StoredBytes, Lines: &s.Lines, SHA256: hex.EncodeToString(s.SHA256[:])}
		if s.StoredSHA256 != (Digest{}) {
			line.StoredSHA256 = hex.EncodeToString(s.StoredSHA256[:])
		}
		if err := c.log(ctx, line, tell); err != nil {
			return err
		}
	}
	return nil
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
