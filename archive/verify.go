package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"slices"

	"github.com/jobvault/jobvault/archive/bucket"
)

// Verify compares an archived log with what PutLog said of it: want, of which
// Index and Truncated do not count. It returns nil if all is well, else the first of
// FaultAbsent to FaultObject that there is, and fails only if the bucket did not answer.
//
// Shallow, it asks for the object's size. Deep, it reads the object, and takes
// nothing on trust: frames, their checksums, the seek table, digest and counts.
// A change of a bit inside a compressed block may be one that decompresses to the
// same bytes; the object's own digest tells of that. A want without one was
// stored before there was any, and is not compared. The log must begin with each of the
// shorter ones in want; their own objects are for VerifyShorter.
func (a *Archive) Verify(ctx context.Context, want Log, deep bool) (*Fault, error) {
	check := a.verifySize
	if deep {
		check = a.verifyContent
	}
	damage, err := check(ctx, want)
	missing, err := a.Missing(ctx, err)
	switch {
	case missing:
		return &Fault{Kind: FaultAbsent, Key: want.Key, Detail: "there is no such object"}, nil
	case errors.Is(err, bucket.ErrUnreadable):
		return &Fault{Kind: FaultUnreadable, Key: want.Key, Detail: err.Error()}, nil
	}
	return damage, err
}

func (a *Archive) verifySize(ctx context.Context, want Log) (*Fault, error) {
	stored, err := a.bucket.Size(ctx, want.Key)
	if err != nil {
		return nil, err
	}
	return compareSize(want, stored), nil
}

func (a *Archive) verifyContent(ctx context.Context, want Log) (*Fault, error) {
	got := logDigest{sum: sha256.New()}
	begins := beginnings(want.Shorter)
	object, err := a.scanObject(ctx, want.Key, func(offset int64, raw []byte) {
		got.add(offset, raw)
		begins.add(raw)
	})
	if err != nil {
		return nil, err
	}
	if damage := got.compare(want, object.size); damage != nil {
		return damage, nil
	}
	if damage := compareSize(want, object.size); damage != nil {
		return damage, nil
	}
	if want.StoredSHA256 != (Digest{}) && object.sum != want.StoredSHA256 {
		return &Fault{Kind: FaultObject, Key: want.Key, Detail: fmt.Sprintf("the log is whole, but the object has SHA-256 %x; the ledger says %x", object.sum, want.StoredSHA256)}, nil
	}
	if detail := begins.differ(want.Shorter); detail != "" {
		return &Fault{Kind: FaultShorter, Key: want.Key, Detail: detail}, nil
	}
	return nil, nil
}

// VerifyShorter is Verify for a shorter log.
func (a *Archive) VerifyShorter(ctx context.Context, want ShorterLog, deep bool) (*Fault, error) {
	return a.Verify(ctx, want.asLog(), deep)
}

func compareSize(want Log, stored int64) *Fault {
	if stored == want.StoredBytes {
		return nil
	}
	return &Fault{Kind: FaultSize, Key: want.Key, Detail: fmt.Sprintf("the object has %d bytes, the ledger says %d", stored, want.StoredBytes)}
}

// logDigest is what a deep look at a log gathers. It counts newlines only: an
// Indexer, which looks at every line, would take longer than all the rest.
type logDigest struct {
	sum      hash.Hash
	raw      int64
	newlines int64
	partial  bool // the last line has no newline
	lines    []int64
	offsets  []int64
}

func (c *logDigest) add(offset int64, raw []byte) {
	c.offsets = append(c.offsets, offset)
	c.lines = append(c.lines, c.newlines+1)
	c.raw += int64(len(raw))
	c.sum.Write(raw)
	c.newlines += int64(bytes.Count(raw, []byte{'\n'}))
	c.partial = !bytes.HasSuffix(raw, []byte{'\n'})
}

// allLines counts a last line without a newline too.
func (c *logDigest) allLines() int64 {
	if c.partial {
		return c.newlines + 1
	}
	return c.newlines
}

func (c *logDigest) compare(want Log, stored int64) *Fault {
	lines := c.allLines()
	sum := c.sum.Sum(nil)
	switch {
	case !bytes.Equal(sum, want.SHA256[:]):
		return &Fault{Kind: FaultDigest, Key: want.Key, Detail: fmt.Sprintf("SHA-256 %x of %d bytes, %d stored; the ledger says %x of %d, %d stored",
			sum, c.raw, stored, want.SHA256, want.RawBytes, want.StoredBytes)}
	case c.raw != want.RawBytes:
		return &Fault{Kind: FaultBytes, Key: want.Key, Detail: fmt.Sprintf("the log has %d bytes, the ledger says %d", c.raw, want.RawBytes)}
	case lines != want.Lines:
		return &Fault{Kind: FaultLines, Key: want.Key, Detail: fmt.Sprintf("the log has %d lines, the ledger says %d", lines, want.Lines)}
	case want.FrameOffsets == nil && want.FrameLines == nil:
		return nil // nothing tells, of a shorter log
	case !slices.Equal(c.lines, want.FrameLines):
		return &Fault{Kind: FaultFrames, Key: want.Key, Detail: "first lines: " + firstDifference(c.lines, want.FrameLines)}
	case !slices.Equal(c.offsets, want.FrameOffsets):
		return &Fault{Kind: FaultFrames, Key: want.Key, Detail: "offsets: " + firstDifference(c.offsets, want.FrameOffsets)}
	}
	return nil
}

// firstDifference says where two lists, one value for each frame, differ.
func firstDifference(got, want []int64) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("frame %d of %d has %d, the ledger says %d", i+1, len(got), got[i], want[i])
		}
	}
	return fmt.Sprintf("the log has %d frames, the ledger says %d", len(got), len(want))
}
