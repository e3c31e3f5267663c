package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"time"

	"github.com/klauspost/compress/zstd"
)

// WriteManifest stores the manifest of a day. lines must come sorted by their jobs; it
// fills in their Before. removals is the last record of the log of removals; nil: there
// is none. It fails with ErrExists if the day has a manifest already, and with the error
// that lines end with; then nothing is stored. It holds one line in memory at a time,
// however many there are.
func (a *Archive) WriteManifest(ctx context.Context, date time.Time, previous *Manifest, removals *RemovalsHead, lines iter.Seq2[ManifestLine, error]) (Manifest, error) {
	m := Manifest{Date: date, Whole: true, Removals: removals}
	if previous != nil {
		m.Previous, m.PreviousSHA256 = &previous.Date, previous.SHA256
	}
	pr, pw := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := writeManifest(pw, &m, lines)
		pw.CloseWithError(err)
		done <- err
	}()
	size, err := a.bucket.Put(ctx, ManifestKey(date), pr)
	pr.CloseWithError(errPutEnded)
	if werr := <-done; werr != nil && !errors.Is(werr, errPutEnded) {
		return Manifest{}, werr
	}
	if err != nil {
		return Manifest{}, err
	}
	m.StoredBytes = size
	return m, nil
}

func writeManifest(w io.Writer, m *Manifest, lines iter.Seq2[ManifestLine, error]) error {
	stored := sha256.New()
	enc, err := zstd.NewWriter(io.MultiWriter(w, stored), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(frameSize))
	if err != nil {
		return fmt.Errorf("archive: encoder: %w", err)
	}
	lw := &lineWriter{w: enc, sum: sha256.New()}
	err = lw.all(m, lines)
	// Also after an error: it ends the encoder's goroutines.
	if cerr := enc.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("archive: manifest: %w", err)
	}
	lw.sum.Sum(m.SHA256[:0])
	stored.Sum(m.StoredSHA256[:0])
	return nil
}

// lineWriter writes lines of JSON, and computes the digest of all that it has written.
type lineWriter struct {
	w   io.Writer
	sum hash.Hash
	buf bytes.Buffer
}

func (w *lineWriter) all(m *Manifest, lines iter.Seq2[ManifestLine, error]) error {
	header := manifestHeader{Manifest: manifestVersion, Date: m.Date.Format(time.DateOnly), Removals: m.Removals, Lists: manifestLists}
	if m.Previous != nil {
		header.Previous, header.PreviousSHA256 = new(m.Previous.Format(time.DateOnly)), new(hex.EncodeToString(m.PreviousSHA256[:]))
	}
	if err := w.line(header); err != nil {
		return err
	}
	last := int64(0)
	for l, err := range lines {
		if err != nil {
			return err
		}
		if l.JobID <= last {
			return fmt.Errorf("job %d comes after job %d", l.JobID, last)
		}
		last = l.JobID
		l.Before = w.before()
		if err := w.line(l); err != nil {
			return err
		}
		m.Jobs++
	}
	return w.line(manifestEnd{End: true, Jobs: m.Jobs, Before: w.before()})
}

// before returns the digest of all that was written so far.
func (w *lineWriter) before() string { return hex.EncodeToString(w.sum.Sum(nil)) }

func (w *lineWriter) line(v any) error {
	w.buf.Reset()
	enc := json.NewEncoder(&w.buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	if w.buf.Len() > maxManifestLine {
		return fmt.Errorf("a line has %d bytes", w.buf.Len())
	}
	w.sum.Write(w.buf.Bytes())
	_, err := w.w.Write(w.buf.Bytes())
	return err
}
