// Package archive keeps logs and job details in a bucket, byte for byte as GitHub sent
// them, so that the bucket alone tells what was archived: every digest in it can be
// checked, and the database can be rebuilt from it.
//
// A log is one object in the seekable Zstandard format: `zstd -dc` gives back GitHub's
// bytes. It is made of independent frames of 1 MiB, so a few lines of a huge log take one
// range read. Daily manifests list what was settled, and the log of removals what was
// removed; each has the digest of the one before it. See docs/design.md#the-bucket.
package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime"

	seekable "github.com/SaveTheRbtz/zstd-seekable-format-go/pkg"
	"github.com/klauspost/compress/zstd"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/archive/ngram"
)

// frameSize is how much of a log one frame holds: small enough to fetch for a
// few lines, large enough to compress well.
const frameSize = 1 << 20

// Log describes an archived log, or a redacted copy.
type Log struct {
	LogLayout
	SHA256       Digest
	StoredSHA256 Digest       // of the object as it is stored
	Truncated    bool         // GitHub's log was longer than the limit
	Shorter      []ShorterLog // what was archived of the job before, by their numbers; it begins with each
	Index        *joblog.Index
	Filters      []ngram.BloomFilter // of its frames; a small log has none
	FilterBytes  int64               // size of the object with the filters; 0: the log has none
}

// Archive writes and reads logs and job details in a bucket.
type Archive struct {
	bucket  bucket.Bucket
	encoder *zstd.Encoder
	decoder *zstd.Decoder
	cache   *frameCache
	limit   int64
}

// New returns an Archive in a bucket. Logs are truncated at limit bytes, uncompressed.
func New(b bucket.Bucket, limit int64) (*Archive, error) {
	// All logs share one encoder: it runs at most one EncodeAll per CPU and keeps only
	// the tables of those, so memory does not grow with the number of logs.
	enc, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)),
		zstd.WithWindowSize(frameSize))
	if err != nil {
		return nil, fmt.Errorf("archive: encoder: %w", err)
	}
	// Likewise, all reads share one decoder.
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxFrame))
	if err != nil {
		return nil, fmt.Errorf("archive: decoder: %w", err)
	}
	return &Archive{bucket: b, encoder: enc, decoder: dec, cache: newFrameCache(dec), limit: limit}, nil
}

// Bucket is the bucket that New was given.
func (a *Archive) Bucket() bucket.Bucket { return a.bucket }

// PutLog streams a log into the bucket, in one pass of hashing, indexing of lines and
// compression, and then writes its filters. It fails with ErrExists if the job has a log
// already, and with r's error if r fails; then nothing is stored. If it fails with
// ErrFilters, the log is stored and returned: AdoptLog makes the filters again.
func (a *Archive) PutLog(ctx context.Context, key JobKey, r io.Reader) (Log, error) {
	log, err := a.store(ctx, key.Log(), a.limit, r, a.bucket.Put, nil)
	if err != nil {
		return log, err
	}
	return a.withFilters(ctx, log)
}

// AdoptLog is PutLog for a log that is in the bucket already: it reads the log back as
// Describe does, fails as Describe does, and writes its filters. A log that does not have
// the wanted SHA-256 (nil: any) gets no filters, and is returned with ErrDigestMismatch.
// AdoptLog may be repeated.
func (a *Archive) AdoptLog(ctx context.Context, logKey string, want *Digest) (Log, error) {
	log, err := a.Describe(ctx, logKey)
	if err != nil {
		return log, err
	}
	if want != nil && log.SHA256 != *want {
		return log, ErrDigestMismatch
	}
	return a.withFilters(ctx, log)
}

// ErrDigestMismatch says that a log does not have the wanted SHA-256.
var ErrDigestMismatch = errors.New("this is another log")

// RestoreLog is PutLog for a job whose log is lost or damaged: the new object replaces
// the old one once it is complete. If the log does not have the wanted SHA-256 (nil:
// any), it fails with ErrDigestMismatch, and returns the Log too. After any error except
// ErrFilters, which comes with the Log of the new one, the old object is unchanged.
func (a *Archive) RestoreLog(ctx context.Context, logKey string, r io.Reader, want *Digest) (Log, error) {
	log, err := a.store(ctx, logKey, a.limit, r, a.bucket.Replace, func(log *Log) error {
		if want != nil && log.SHA256 != *want {
			return ErrDigestMismatch
		}
		return nil
	})
	if err != nil {
		return log, err
	}
	return a.withFilters(ctx, log)
}

// store compresses a log, truncated at limit bytes, into the bucket, unless check returns
// an error once the log has been read.
func (a *Archive) store(ctx context.Context, key string, limit int64, r io.Reader, put func(context.Context, string, io.Reader) (int64, error), check func(*Log) error) (Log, error) {
	log := Log{LogLayout: LogLayout{Key: key}}
	pr, pw := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := a.compress(ctx, pw, r, limit, &log)
		if err == nil && check != nil {
			err = check(&log)
		}
		pw.CloseWithError(err)
		done <- err
	}()
	size, err := put(ctx, log.Key, pr)
	// Ends the writer if Put gave up early.
	pr.CloseWithError(errPutEnded)
	// The error of r or of the compression takes precedence: Put only passes it on.
	if cerr := <-done; errors.Is(cerr, ErrDigestMismatch) {
		return log, cerr
	} else if cerr != nil && !errors.Is(cerr, errPutEnded) {
		return Log{}, cerr
	}
	if err != nil {
		return Log{}, err
	}
	log.StoredBytes = size
	return log, nil
}

var errPutEnded = errors.New("archive: put ended")

// compress writes r as frames and a seek table to w.
func (a *Archive) compress(ctx context.Context, w io.Writer, r io.Reader, limit int64, log *Log) error {
	stored := sha256.New()
	sw, err := seekable.NewWriter(io.MultiWriter(w, stored), a.encoder)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	src := newFrameSource(r, limit)
	err = sw.WriteMany(ctx, src.next, seekable.WithWriteCallback(func(f seekable.FrameOffsetEntry) {
		log.FrameOffsets = append(log.FrameOffsets, int64(f.CompressedOffset))
	}))
	if err != nil {
		return fmt.Errorf("archive: compress: %w", err)
	}
	if err := sw.Close(); err != nil {
		return fmt.Errorf("archive: seek table: %w", err)
	}
	src.describe(log)
	stored.Sum(log.StoredSHA256[:0])
	return nil
}

// frameSource cuts a log into frames, and meanwhile hashes and indexes it.
type frameSource struct {
	r          io.Reader
	left       int64 // of the limit
	raw        int64
	sum        hash.Hash
	index      *joblog.Indexer
	filters    *ngram.FilterBuilder // nil: the log is too small for filters
	frameLines []int64
	truncated  bool
	ended      bool
}

func newFrameSource(r io.Reader, limit int64) *frameSource {
	return &frameSource{r: r, left: limit, sum: sha256.New(), index: joblog.NewIndexer()}
}

// next reads one frame; nil at the end.
func (s *frameSource) next() ([]byte, error) {
	if s.ended {
		return nil, nil
	}
	size := min(frameSize, s.left)
	// Most logs are far smaller than a frame, so the first buffer grows with the log. A
	// log that fills one frame usually fills another.
	expected := int64(smallLog)
	if s.raw > 0 {
		expected = size
	}
	frame, err := bucket.ReadUpTo(s.r, size, expected)
	if err != nil {
		return nil, err
	}
	s.left -= int64(len(frame))
	if len(frame) < frameSize {
		s.ended = true
		if s.left == 0 {
			s.truncated, err = hasMore(s.r)
		}
	}
	if len(frame) == 0 {
		return nil, err
	}
	s.add(frame)
	return frame, err
}

// add takes the next frame into account.
func (s *frameSource) add(frame []byte) {
	if s.raw == 0 && len(frame) >= ngram.MinFiltered {
		s.filters = new(ngram.FilterBuilder)
	}
	if s.filters != nil {
		s.filters.Add(frame)
	}
	s.frameLines = append(s.frameLines, s.index.Line())
	s.raw += int64(len(frame))
	s.sum.Write(frame)
	s.index.Add(frame)
}

// smallLog is the size of the buffer that a log begins with.
const smallLog = 64 << 10

func hasMore(r io.Reader) (bool, error) {
	var b [1]byte
	_, err := io.ReadFull(r, b[:])
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	return err == nil, err
}

func (s *frameSource) describe(log *Log) {
	log.RawBytes = s.raw
	log.Index = s.index.Finish()
	log.Lines = log.Index.Lines
	log.FrameLines = s.frameLines
	if s.filters != nil {
		log.Filters = s.filters.Finish()
	}
	log.Truncated = s.truncated
	s.sum.Sum(log.SHA256[:0])
}
