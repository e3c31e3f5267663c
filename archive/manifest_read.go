package archive

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/klauspost/compress/zstd"
)

// maxManifestLine bounds a line of a manifest, in bytes. Reasons that GitHub gives are
// cut at far less.
const maxManifestLine = 1 << 20

// ManifestEntry is a line of a manifest and where it is.
type ManifestEntry struct {
	ManifestLine
	Number int64  // in the manifest, from 1
	Raw    []byte // the line itself, with its newline; the next one is read into it
}

// ReadManifest reads the manifest of a day and gives visit each job's line, in order. It
// fails with ErrNotFound, and with the first Fault; lines before the fault have been
// given to visit by then. It does not check which manifest should come before this one.
// Memory: a line, and a window of Zstandard.
func (a *Archive) ReadManifest(ctx context.Context, date time.Time, visit func(ManifestEntry) error) (Manifest, error) {
	return a.scanManifest(ctx, date, func(_ *Manifest, l ManifestEntry) error { return visit(l) }, func(f Fault) error { return f })
}

// scanManifest continues after faults as long as it can read, and gives each fault to
// report, whose error ends the scan. visit also gets what the header says.
func (a *Archive) scanManifest(ctx context.Context, date time.Time, visit func(*Manifest, ManifestEntry) error, report func(Fault) error) (m Manifest, err error) {
	key := ManifestKey(date)
	body, err := a.bucket.Get(ctx, key, 0, -1)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	stored := sha256.New()
	source := &sourceReader{r: io.TeeReader(bucket.WithContext(ctx, body), stored)}
	dec, err := zstd.NewReader(source, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxFrame))
	if err != nil {
		return m, fmt.Errorf("archive: decoder: %w", err)
	}
	defer dec.Close()
	s := &manifestScan{date: date, key: key, source: source, visit: visit, report: report, sum: sha256.New(), m: Manifest{Date: date}}
	if err := s.run(bufio.NewReaderSize(dec, maxManifestLine)); err != nil {
		var f Fault
		if errors.As(err, &f) {
			return s.m, err
		}
		return s.m, fmt.Errorf("archive: read %s: %w", key, err)
	}
	// Bytes that the decoder has given up on are still part of the object.
	if _, err := io.Copy(io.Discard, source); err != nil {
		return s.m, fmt.Errorf("archive: read %s: %w", key, err)
	}
	s.m.StoredBytes = source.n
	s.sum.Sum(s.m.SHA256[:0])
	stored.Sum(s.m.StoredSHA256[:0])
	return s.m, nil
}

// manifestScan goes through the lines of a manifest.
type manifestScan struct {
	date   time.Time
	key    string
	source *sourceReader
	visit  func(*Manifest, ManifestEntry) error
	report func(Fault) error

	sum     hash.Hash // of the lines so far
	n       int64     // lines so far
	lastJob int64
	end     *manifestEnd
	after   int    // lines after it
	broken  *Fault // the first line whose Before is wrong: those of all later lines must be wrong too
	m       Manifest
}

func (s *manifestScan) run(r *bufio.Reader) error {
	for {
		raw, err := r.ReadSlice('\n')
		if err == nil {
			s.n++
			err = s.line(raw)
			s.sum.Write(raw)
			if err != nil {
				return err
			}
			continue
		}
		s.sum.Write(raw)
		switch {
		case s.source.broke != nil:
			return s.source.broke
		case errors.Is(err, io.EOF) && len(raw) == 0:
			return s.finish()
		case errors.Is(err, io.EOF):
			err = errCutShort
		case errors.Is(err, bufio.ErrBufferFull):
			err = fmt.Errorf("it has more than %d bytes", maxManifestLine)
		}
		if err := s.fault(FaultUnreadable, s.n+1, 0, "%v", err); err != nil {
			return err
		}
		return s.finish()
	}
}

func (s *manifestScan) fault(kind string, line, job int64, format string, args ...any) error {
	return s.report(Fault{Kind: kind, Date: s.date.Format(time.DateOnly), Line: line, JobID: job, Key: s.key, Detail: fmt.Sprintf(format, args...)})
}

func (s *manifestScan) line(raw []byte) error {
	if s.n == 1 {
		s.m.Header = bytes.Clone(raw)
		return s.header(raw)
	}
	if s.end != nil {
		if s.after++; s.after > 1 {
			return nil
		}
		return s.fault(FaultEnd, s.n, 0, "there is a line after the end line")
	}
	var kind struct {
		End bool `json:"end"`
	}
	if err := json.Unmarshal(raw, &kind); err != nil {
		return s.fault(FaultUnreadable, s.n, 0, "%v", err)
	}
	if kind.End {
		var end manifestEnd
		if err := json.Unmarshal(raw, &end); err != nil {
			return s.fault(FaultUnreadable, s.n, 0, "%v", err)
		}
		s.end, s.m.End = &end, bytes.Clone(raw)
		s.checkBefore(end.Before, 0)
		return nil
	}
	l := ManifestEntry{Number: s.n, Raw: raw}
	if err := json.Unmarshal(raw, &l.ManifestLine); err != nil {
		return s.fault(FaultUnreadable, s.n, 0, "%v", err)
	}
	return s.job(l)
}

func (s *manifestScan) job(l ManifestEntry) error {
	s.m.Jobs++
	s.checkBefore(l.Before, l.JobID)
	if l.JobID <= s.lastJob {
		if err := s.fault(FaultOrder, s.n, l.JobID, "it comes after job %d", s.lastJob); err != nil {
			return err
		}
	}
	s.lastJob = l.JobID
	if k, _, ok := ParseKey(l.Key().Details()); !ok || k.JobID != l.JobID || l.State == "" {
		return s.fault(FaultUnreadable, s.n, l.JobID, "it names no job and state")
	}
	return s.visit(&s.m, l)
}

// checkBefore notes the first line whose Before is not the digest of what precedes it.
// What that means is known only at the end.
func (s *manifestScan) checkBefore(before string, job int64) {
	if s.broken != nil || before == hex.EncodeToString(s.sum.Sum(nil)) {
		return
	}
	after := "the header"
	if s.lastJob > 0 {
		after = fmt.Sprintf("line %d (job %d)", s.n-1, s.lastJob)
	}
	s.broken = &Fault{Kind: FaultLine, Line: s.n, JobID: job, Detail: after}
}

func (s *manifestScan) header(raw []byte) error {
	var h manifestHeader
	if err := json.Unmarshal(raw, &h); err != nil {
		return s.fault(FaultHeader, 1, 0, "%v", err)
	}
	s.m.Removals = h.Removals
	s.m.Whole = slices.Contains(h.Lists, SettledName) && slices.Contains(h.Lists, listedCopies)
	switch {
	case h.Manifest > manifestVersion:
		return s.fault(FaultHeader, 1, 0, "it has format %d, which a newer jobvault reads", h.Manifest)
	case h.Manifest != manifestVersion:
		return s.fault(FaultHeader, 1, 0, "this is no header of a manifest")
	case h.Date != s.date.Format(time.DateOnly):
		return s.fault(FaultHeader, 1, 0, "it says that it is of %q", h.Date)
	case h.Previous == nil && h.PreviousSHA256 == nil:
		return nil
	case h.Previous == nil || h.PreviousSHA256 == nil:
		return s.fault(FaultHeader, 1, 0, "previous and previous_sha256 go together")
	}
	previous, err := time.Parse(time.DateOnly, *h.Previous)
	if err != nil || !previous.Equal(s.date.AddDate(0, 0, -1)) {
		return s.fault(FaultHeader, 1, 0, "previous is %q, and not the day before", *h.Previous)
	}
	sum, ok := parseDigest(*h.PreviousSHA256)
	if !ok {
		return s.fault(FaultHeader, 1, 0, "previous_sha256 is no digest: %q", *h.PreviousSHA256)
	}
	s.m.Previous, s.m.PreviousSHA256 = &previous, sum
	return nil
}

// finish reports the faults that only the file as a whole shows.
func (s *manifestScan) finish() error {
	missing := int64(0)
	if s.end != nil {
		missing = s.end.Jobs - s.m.Jobs
	}
	if b := s.broken; b != nil {
		what := b.Detail + " was changed, or it and this line do not belong together"
		switch {
		case missing > 0:
			what = fmt.Sprintf("between %s and this line, lines are missing, or the former was changed; in all, the manifest lacks %d", b.Detail, missing)
		case missing < 0:
			what = fmt.Sprintf("%s, or a line beside it, does not belong here; in all, the manifest has %d too many", b.Detail, -missing)
		}
		if err := s.fault(FaultLine, b.Line, b.JobID, "what is before it has another digest than when it was written: %s", what); err != nil {
			return err
		}
	}
	switch {
	case s.end == nil:
		return s.fault(FaultEnd, s.n, 0, "there is no end line")
	case missing != 0:
		return s.fault(FaultEnd, s.n, 0, "it tells of %d jobs, there are %d", s.end.Jobs, s.m.Jobs)
	}
	return nil
}
