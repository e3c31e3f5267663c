package archive

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"slices"
	"sync"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/ngram"
)

// The filters of a log are one object beside it, with these parts: filterMagic; the
// SHA-256 of the log; a byte for each frame; the bits of the filters; and a CRC-32C of
// all that. A frame's byte is a sum: 128 if the frame begins within a line; 64 if its
// filter has NonASCIIFold; 32 if it is Plain; and, if its filter has bits, one more than the
// binary logarithm of their number of bytes. Version 2 had no Plain, nor had version 1, whose
// filters are RawOnly; both are the same otherwise.
const (
	filterMagic        = "jobvault filters 3\n"
	filterMagic2       = "jobvault filters 2\n"
	filterMagic1       = "jobvault filters 1\n"
	filterMidLine      = 0x80
	filterNonASCIIFold = 0x40
	filterPlain        = 0x20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// withFilters writes the filters of a log, if it has any, and notes their size. They
// replace filters that exist already, since filters can always be made again from the
// log.
func (a *Archive) withFilters(ctx context.Context, log Log) (Log, error) {
	if len(log.Filters) == 0 {
		return log, nil
	}
	log.FilterBytes = log.filterBytes()
	if err := a.putFilters(ctx, FilterKey(log.Key), formatFilters(log)); err != nil {
		log.FilterBytes = 0
		return log, fmt.Errorf("%w: %w", ErrFilters, err)
	}
	return log, nil
}

// ErrFilters says that a log is in the bucket, and its filters could not be written.
var ErrFilters = errors.New("the log is stored, its filters are not")

// filterBytes is the size of what formatFilters makes; 0 for a log without filters.
func (l Log) filterBytes() int64 {
	if len(l.Filters) == 0 {
		return 0
	}
	size := filterHead + len(l.Filters) + checksumSize
	for _, f := range l.Filters {
		size += len(f.Bits)
	}
	return int64(size)
}

func (a *Archive) putFilters(ctx context.Context, key string, b []byte) error {
	_, err := a.bucket.Put(ctx, key, bytes.NewReader(b))
	if !errors.Is(err, bucket.ErrExists) {
		return err
	}
	if there, err := a.read(ctx, key); err == nil && bytes.Equal(there, b) {
		return nil
	}
	_, err = a.bucket.Replace(ctx, key, bytes.NewReader(b))
	return err
}

func formatFilters(log Log) []byte {
	b := append(make([]byte, 0, log.filterBytes()), filterMagic...)
	b = append(b, log.SHA256[:]...)
	for _, f := range log.Filters {
		head := byte(bits.Len(uint(len(f.Bits))))
		if f.StartsMidLine {
			head |= filterMidLine
		}
		if f.NonASCIIFold {
			head |= filterNonASCIIFold
		}
		if f.Plain {
			head |= filterPlain
		}
		b = append(b, head)
	}
	for _, f := range log.Filters {
		b = append(b, f.Bits...)
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// Filters reads the filters of the log with this key, digest and number of frames; size
// is that of the object with the filters, in bytes. It fails with ErrNotFound, and with
// ErrUnreadable if they are damaged or another log's.
func (a *Archive) Filters(ctx context.Context, logKey string, size int64, sha256 []byte, frames int) (Filters, error) {
	return a.readFilters(ctx, FilterKey(logKey), new([]byte), size, sha256, frames)
}

// filterPool keeps the memory of filters that are no longer used.
var filterPool = sync.Pool{New: func() any { return new([]byte) }}

// Candidates reads the filters of a log as Filters does, and returns the frames in which
// a matching line may begin. There may be none.
func (a *Archive) Candidates(ctx context.Context, logKey string, size int64, sha256 []byte, frames int, p *ngram.Pattern) ([]Candidate, error) {
	buffer := filterPool.Get().(*[]byte)
	defer filterPool.Put(buffer)
	filters, err := a.readFilters(ctx, FilterKey(logKey), buffer, size, sha256, frames)
	if err != nil {
		return nil, err
	}
	return filters.candidates(frames, p), nil
}

// readFilters reads filters into a buffer; the filters' bits are slices of it.
func (a *Archive) readFilters(ctx context.Context, key string, buffer *[]byte, size int64, sha256 []byte, frames int) (Filters, error) {
	if maxSize := int64(filterHead + ngram.MaxFilters*(1+ngram.MaxFilter) + checksumSize); size < 0 || size > maxSize {
		return nil, fmt.Errorf("archive: the ledger says that %s has %d bytes", key, size)
	}
	body, err := a.bucket.Get(ctx, key, 0, size)
	if err != nil {
		return nil, err
	}
	*buffer = slices.Grow((*buffer)[:0], int(size))[:size]
	source := &sourceReader{r: body}
	_, short := io.ReadFull(source, *buffer)
	if err := errors.Join(source.broke, body.Close()); err != nil {
		return nil, fmt.Errorf("archive: read %s: %w", key, err)
	}
	filters, err := parseFilters(*buffer, sha256, frames)
	if short != nil {
		err = errFilterSum
	}
	if err != nil {
		return nil, fmt.Errorf("archive: %s: %w: %w", key, bucket.ErrUnreadable, err)
	}
	return filters, nil
}

// filterHead is what comes before the frames' bytes.
const filterHead = len(filterMagic) + 32

var (
	errFilterSum   = errors.New("changed, or cut short")
	errFilterOther = errors.New("the filters of another log, or of another version")
)

func parseFilters(b, sha256 []byte, frames int) (Filters, error) {
	end := len(b) - checksumSize
	if end < filterHead || binary.LittleEndian.Uint32(b[end:]) != crc32.Checksum(b[:end], castagnoli) {
		return nil, errFilterSum
	}
	magic := string(b[:len(filterMagic)])
	if magic != filterMagic && magic != filterMagic2 && magic != filterMagic1 || !bytes.Equal(b[len(filterMagic):filterHead], sha256) {
		return nil, errFilterOther
	}
	flags := byte(filterMidLine | filterNonASCIIFold)
	if magic == filterMagic {
		flags |= filterPlain
	}
	frames = min(frames, ngram.MaxFilters)
	if end < filterHead+frames {
		return nil, errFilterSum
	}
	heads, rest := b[filterHead:filterHead+frames], b[filterHead+frames:end]
	filters := make(Filters, frames)
	for i, head := range heads {
		size := 1 << (head &^ flags) >> 1
		if size > min(len(rest), ngram.MaxFilter) {
			return nil, errFilterSum
		}
		filters[i] = ngram.BloomFilter{
			StartsMidLine: head&filterMidLine != 0, NonASCIIFold: head&filterNonASCIIFold != 0, RawOnly: magic == filterMagic1,
			Plain: head&flags&filterPlain != 0, Bits: rest[:size:size],
		}
		rest = rest[size:]
	}
	if len(rest) > 0 {
		return nil, errFilterSum
	}
	return filters, nil
}

// Filters returns the filters of a log's first frames; none if the log has no filters.
type Filters []ngram.BloomFilter

// Candidate is a frame in which a matching line may begin.
type Candidate struct {
	Frame         int  // from 0
	StartsMidLine bool // it begins within a line
	Plain         bool // the lines that begin in it are plain, see ngram.BloomFilter
}

// AllFrames returns all of a log's frames, 0 to frames-1, as candidates.
func AllFrames(frames int) []Candidate { return Filters(nil).candidates(frames, nil) }

// candidates returns those of a log's frames, 0 to frames-1, in which a matching line may
// begin; frames without a filter are always among them.
func (f Filters) candidates(frames int, p *ngram.Pattern) []Candidate {
	var candidates []Candidate
	for i := range frames {
		c := Candidate{Frame: i}
		if i < len(f) {
			// A line that begins in the last frame with a filter may continue in the
			// frames without.
			if (i+1 < len(f) || len(f) == frames) && !p.MayBeIn(f[i]) {
				continue
			}
			c.StartsMidLine, c.Plain = f[i].StartsMidLine, f[i].Plain
		}
		candidates = append(candidates, c)
	}
	return candidates
}

// MergeFrames merges consecutive candidates into ranges.
func MergeFrames(candidates []Candidate) []FrameRange {
	var joined []FrameRange
	for _, c := range candidates {
		if n := len(joined); n > 0 && joined[n-1].End == c.Frame {
			joined[n-1].End++
			joined[n-1].Plain = joined[n-1].Plain && c.Plain
			continue
		}
		joined = append(joined, FrameRange{First: c.Frame, End: c.Frame + 1, StartsMidLine: c.StartsMidLine, Plain: c.Plain})
	}
	return joined
}
