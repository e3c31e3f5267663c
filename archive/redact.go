package archive

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"regexp"
	"slices"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/joblog"
)

// Redacted replaces, in a redacted copy, the text that was taken out.
const Redacted = "[redacted]"

var (
	// ErrLongLine says that a line is too long to be searched as a whole.
	ErrLongLine = fmt.Errorf("a line longer than %d bytes cannot be redacted", MaxLine)
	// ErrNoMatch says that a pattern is not found in the log.
	ErrNoMatch = errors.New("it is not found in the log")
	// ErrEmptyMatch says that a pattern matches where there is no text.
	ErrEmptyMatch = errors.New("it matches the empty text")
)

// RedactionCount says how much a redaction took out.
type RedactionCount struct {
	Matches int64 `json:"matches"` // pieces of text; those that overlap are one
	Lines   int64 `json:"lines"`   // in which they were
}

// RedactLog stores a copy of a log, under a number, in which everything that a pattern
// matches in the text of a line is replaced by Redacted. Timestamps, byte order marks and
// line ends stay, so that a line keeps its number; patterns are matched against one line
// at a time, without these. from is the key of the object to be copied, and want the
// SHA-256 of its text.
//
// If it fails, nothing is stored. It fails with ErrExists if there is a copy with this
// number; with ErrDigestMismatch if the text has another digest; with ErrLongLine and the
// line's number; and with ErrNoMatch or ErrEmptyMatch and the position of the pattern in
// the list, never with the pattern itself.
func (a *Archive) RedactLog(ctx context.Context, from string, want Digest, key JobKey, number int, patterns []*regexp.Regexp) (Log, RedactionCount, error) {
	body, err := a.OpenLog(ctx, from)
	if err != nil {
		return Log{}, RedactionCount{}, err
	}
	r := newRedactor(body, patterns)
	// A copy may be longer than the log, and must not be truncated because of that.
	log, err := a.store(ctx, key.Redacted(number), math.MaxInt64, r, a.bucket.Put, func(*Log) error {
		if Digest(r.sum.Sum(nil)) != want {
			return fmt.Errorf("archive: read %s: %w", from, ErrDigestMismatch)
		}
		return r.missing()
	})
	err = errors.Join(err, body.Close())
	return log, r.count, err
}

// firstLines is how many lines a preview names.
const firstLines = 10

// RedactionPreview says how much a redaction would take out of a log, without quoting it.
type RedactionPreview struct {
	RedactionCount
	Bytes      int64   `json:"bytes"`       // of the text that would be taken out
	FirstLines []int64 `json:"first_lines"` // the first few lines in which it is, from 1
}

// PreviewRedaction returns what RedactLog would take out, stores nothing, and fails as
// RedactLog does.
func (a *Archive) PreviewRedaction(ctx context.Context, from string, want Digest, patterns []*regexp.Regexp) (RedactionPreview, error) {
	body, err := a.OpenLog(ctx, from)
	if err != nil {
		return RedactionPreview{}, err
	}
	r := newRedactor(bucket.WithContext(ctx, body), patterns)
	_, err = io.Copy(io.Discard, r)
	switch {
	case err != nil:
		err = fmt.Errorf("archive: read %s: %w", from, err)
	case Digest(r.sum.Sum(nil)) != want:
		err = fmt.Errorf("archive: read %s: %w", from, ErrDigestMismatch)
	default:
		err = r.missing()
	}
	return RedactionPreview{RedactionCount: r.count, Bytes: r.taken, FirstLines: r.first}, errors.Join(err, body.Close())
}

// redactor gives a log's lines with all matches replaced.
type redactor struct {
	lines    *bufio.Reader
	sum      hash.Hash // of what is read
	patterns []*regexp.Regexp
	found    []bool // by pattern
	count    RedactionCount
	taken    int64   // bytes taken out
	first    []int64 // lines in which something was
	line     int64
	rest     []byte // of the present line
	out      []byte // buffer of the line
}

// maxLineEnd is the length of the longest line end, which is no part of the line.
const maxLineEnd = len("\r\n")

func newRedactor(r io.Reader, patterns []*regexp.Regexp) *redactor {
	sum := sha256.New()
	return &redactor{
		lines: bufio.NewReaderSize(io.TeeReader(r, sum), MaxLine+maxLineEnd), sum: sum, patterns: patterns, found: make([]bool, len(patterns)),
	}
}

func (r *redactor) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		line, err := r.lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return 0, fmt.Errorf("line %d: %w", r.line+1, ErrLongLine)
		}
		if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
			return 0, err
		}
		r.line++
		if r.rest, err = r.redact(line); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// redact replaces the matches in a line, which comes with its line end. The result is
// valid until the next call.
func (r *redactor) redact(line []byte) ([]byte, error) {
	text := joblog.ParseLine(line).Text
	bare := bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	before, end := bare[:len(bare)-len(text)], line[len(bare):]
	spans, err := r.match(text)
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", r.line, err)
	}
	if len(spans) == 0 {
		return line, nil
	}
	if r.count.Lines++; len(r.first) < firstLines {
		r.first = append(r.first, r.line)
	}
	r.count.Matches += int64(len(spans))
	r.out = append(r.out[:0], before...)
	at := 0
	for _, s := range spans {
		r.out = append(append(r.out, text[at:s[0]]...), Redacted...)
		r.taken += int64(s[1] - s[0])
		at = s[1]
	}
	r.out = append(append(r.out, text[at:]...), end...)
	return r.out, nil
}

// match finds the pieces of a text that any pattern matches, in order; pieces that
// overlap are one.
func (r *redactor) match(text []byte) ([][]int, error) {
	var all [][]int
	for i, p := range r.patterns {
		for _, s := range p.FindAllIndex(text, -1) {
			if s[0] == s[1] {
				return nil, fmt.Errorf("pattern %d of %d: %w", i+1, len(r.patterns), ErrEmptyMatch)
			}
			r.found[i] = true
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b []int) int { return a[0] - b[0] })
	var spans [][]int
	for _, s := range all {
		if n := len(spans); n > 0 && s[0] < spans[n-1][1] {
			spans[n-1][1] = max(spans[n-1][1], s[1])
			continue
		}
		spans = append(spans, s)
	}
	return spans, nil
}

// missing returns an error if a pattern has matched nothing.
func (r *redactor) missing() error {
	var errs []error
	for i, found := range r.found {
		if !found {
			errs = append(errs, fmt.Errorf("pattern %d of %d: %w", i+1, len(r.patterns), ErrNoMatch))
		}
	}
	return errors.Join(errs...)
}
