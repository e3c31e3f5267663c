package archive

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/jobvault/jobvault/archive/bucket"
)

// removals compares the log of removals with itself, and with the last record that each
// manifest names.
func (c *chainVerifier) removals(ctx context.Context) error {
	numbers, err := c.Removals(ctx, func(o bucket.Object) {
		c.fault(Fault{Kind: FaultKey, Key: o.Key, Detail: "it lies in the log of removals and is named like no record"})
	})
	if err != nil {
		return err
	}
	sums, before := make(map[int64]Digest, len(numbers)), int64(0)
	for _, n := range numbers {
		r, err := c.ReadRemovals(ctx, n)
		switch {
		case errors.Is(err, bucket.ErrUnreadable):
			c.fault(Fault{Kind: FaultRemovals, Key: RemovalsKey(n), Detail: err.Error()})
		case err != nil:
			return err
		}
		c.checkFollows(n, r, before, sums[before])
		sums[n], before = r.SHA256, n
	}
	for _, m := range c.found {
		c.checkHead(m, sums)
	}
	return nil
}

// checkFollows reports a fault unless record n follows the one before it, with that one's
// digest.
func (c *chainVerifier) checkFollows(n int64, r RemovalsRecord, before int64, sum Digest) {
	switch {
	case n != before+1:
		c.fault(Fault{Kind: FaultRemovals, Key: RemovalsKey(before + 1), Detail: fmt.Sprintf("the log of removals has record %d, and not this one", n)})
	case r.Number == n && r.PreviousSHA256 != sum:
		c.fault(Fault{Kind: FaultRemovals, Key: RemovalsKey(n), Detail: fmt.Sprintf("it follows a record with SHA-256 %x; record %d has %x", r.PreviousSHA256, before, sum)})
	}
}

// checkHead reports a fault unless the record that a manifest names exists and is
// unchanged.
func (c *chainVerifier) checkHead(m Manifest, sums map[int64]Digest) {
	if m.Removals == nil {
		return
	}
	f := Fault{Kind: FaultRemovals, Date: day(m.Date), Key: RemovalsKey(m.Removals.Number)}
	switch sum, ok := sums[m.Removals.Number]; {
	case !ok:
		f.Key = path.Clean(RemovalsPrefix)
		f.Detail = fmt.Sprintf("it names record %d of the log of removals, which is not there", m.Removals.Number)
	case sum != m.Removals.SHA256:
		f.Detail = fmt.Sprintf("it says that record %d of the log of removals has SHA-256 %x; the one that is there has %x", m.Removals.Number, m.Removals.SHA256, sum)
	default:
		return
	}
	c.fault(f)
}
