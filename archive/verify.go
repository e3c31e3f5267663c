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

// DamageKind says what is wrong with an archived log.
type DamageKind string

// The kinds of damage, the most telling first: of several, Verify reports the
// first.
const (
	DamageAbsent     DamageKind = "absent"     // there is no object
	DamageUnreadable DamageKind = "unreadable" // cut short, changed, or no log
	DamageDigest     DamageKind = "digest"     // the log is another one
	DamageBytes      DamageKind = "bytes"      // of another length
	DamageLines      DamageKind = "lines"      // of another number of lines
	DamageFrames     DamageKind = "frames"     // its frames start elsewhere
	DamageSize       DamageKind = "size"       // the object has another size
	DamageObject     DamageKind = "object"     // the log is whole, and the object not the one that was stored
)

// Damage is how an archived log differs from what the ledger says of it.
type Damage struct {
	Kind   DamageKind
	Key    string
	Detail string // for people
}

// Verify compares an archived log with what PutLog said of it: want, of which
// Index and Truncated do not count. It returns nil if all is well, and fails
// only if the bucket did not answer.
//
// Shallow, it asks for the object's size. Deep, it reads the object, and takes
// nothing on trust: frames, their checksums, the seek table, digest and counts.
// A change of a bit inside a compressed block may be one that decompresses to the
// same bytes; the object's own digest tells of that. A want without one was
// stored before there was any, and is not compared.
func (a *Archive) Verify(ctx context.Context, want Log, deep bool) (*Damage, error) {
	check := a.verifySize
	if deep {
		check = a.verifyContent
	}
	damage, err := check(ctx, want)
	switch {
	case errors.Is(err, bucket.ErrNotFound):
		// In a bucket that is gone itself, nothing can be said of its objects.
		if err := a.bucket.Check(ctx); err != nil {
			return nil, err
		}
		return &Damage{DamageAbsent, want.Key, "there is no such object"}, nil
	case errors.Is(err, bucket.ErrUnreadable):
		return &Damage{DamageUnreadable, want.Key, err.Error()}, nil
	}
	return damage, err
}

func (a *Archive) verifySize(ctx context.Context, want Log) (*Damage, error) {
	stored, err := a.bucket.Size(ctx, want.Key)
	if err != nil {
		return nil, err
	}
	return compareSize(want, stored), nil
}

func (a *Archive) verifyContent(ctx context.Context, want Log) (*Damage, error) {
	got := logDigest{sum: sha256.New()}
	object, err := a.scanObject(ctx, want.Key, got.add)
	if err != nil {
		return nil, err
	}
	if damage := got.compare(want, object.size); damage != nil {
		return damage, nil
	}
	if damage := compareSize(want, object.size); damage != nil {
		return damage, nil
	}
	if want.StoredSHA256 != [32]byte{} && object.sum != want.StoredSHA256 {
		return &Damage{DamageObject, want.Key, fmt.Sprintf("the log is whole, but the object has SHA-256 %x; the ledger says %x", object.sum, want.StoredSHA256)}, nil
	}
	return nil, nil
}

func compareSize(want Log, stored int64) *Damage {
	if stored == want.StoredBytes {
		return nil
	}
	return &Damage{DamageSize, want.Key, fmt.Sprintf("the object has %d bytes, the ledger says %d", stored, want.StoredBytes)}
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

func (c *logDigest) compare(want Log, stored int64) *Damage {
	lines := c.allLines()
	sum := c.sum.Sum(nil)
	switch {
	case !bytes.Equal(sum, want.SHA256[:]):
		return &Damage{DamageDigest, want.Key, fmt.Sprintf("SHA-256 %x of %d bytes, %d stored; the ledger says %x of %d, %d stored",
			sum, c.raw, stored, want.SHA256, want.RawBytes, want.StoredBytes)}
	case c.raw != want.RawBytes:
		return &Damage{DamageBytes, want.Key, fmt.Sprintf("the log has %d bytes, the ledger says %d", c.raw, want.RawBytes)}
	case lines != want.Lines:
		return &Damage{DamageLines, want.Key, fmt.Sprintf("the log has %d lines, the ledger says %d", lines, want.Lines)}
	case !slices.Equal(c.lines, want.FrameLines):
		return &Damage{DamageFrames, want.Key, "first lines: " + firstDifference(c.lines, want.FrameLines)}
	case !slices.Equal(c.offsets, want.FrameOffsets):
		return &Damage{DamageFrames, want.Key, "offsets: " + firstDifference(c.offsets, want.FrameOffsets)}
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
