package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jobvault/jobvault/archive/bucket"
)

// removedState is the ledger's state of jobs whose log was removed.
const removedState = "removed"

// WriteRemovals stores the record after previous, which is nil for the first record. The
// record has the first of the lines, at least one and as many as fit: those in the
// returned record. It fails with ErrExists if the number is taken, and if a line does not
// pass its Check; then nothing is stored.
func (a *Archive) WriteRemovals(ctx context.Context, previous *RemovalsRecord, at time.Time, lines []RemovalsLine) (RemovalsRecord, error) {
	r := RemovalsRecord{Number: 1, WrittenAt: at.UTC()}
	if previous != nil {
		r.Number, r.PreviousSHA256 = previous.Number+1, previous.SHA256
	}
	var body []byte
	for _, l := range lines {
		b, err := l.encode()
		if err != nil {
			return RemovalsRecord{}, err
		}
		if len(r.Lines) == MaxRemovalsLines || len(r.Lines) > 0 && len(body)+len(b) > fullRemovals {
			break
		}
		body = append(append(body, b...), '\n')
		r.Lines = append(r.Lines, l)
	}
	head := removalsHeader{Removals: removalsVersion, Number: r.Number, WrittenAt: r.WrittenAt, Lines: len(r.Lines)}
	if previous != nil {
		head.PreviousSHA256 = new(r.PreviousSHA256)
	}
	b, err := json.Marshal(head)
	if err != nil {
		return RemovalsRecord{}, fmt.Errorf("archive: %w", err)
	}
	object := slices.Concat(b, []byte("\n"), body)
	r.SHA256 = sha256.Sum256(object)
	_, err = a.bucket.Put(ctx, RemovalsKey(r.Number), bytes.NewReader(object))
	return r, err
}

// ReadRemovals reads the record with a number. It fails with ErrNotFound, and with
// ErrUnreadable if it is not as WriteRemovals wrote it. It does not check whether the
// record follows the one before.
func (a *Archive) ReadRemovals(ctx context.Context, number int64) (RemovalsRecord, error) {
	key := RemovalsKey(number)
	b, err := a.read(ctx, key)
	if err != nil {
		return RemovalsRecord{}, err
	}
	r, err := parseRemovals(number, b)
	if err != nil {
		return r, fmt.Errorf("archive: %s: %w: %w", key, bucket.ErrUnreadable, err)
	}
	return r, nil
}

func parseRemovals(number int64, b []byte) (RemovalsRecord, error) {
	r := RemovalsRecord{SHA256: sha256.Sum256(b)}
	first, rest, _ := bytes.Cut(b, []byte("\n"))
	var head removalsHeader
	if err := json.Unmarshal(first, &head); err != nil {
		return r, fmt.Errorf("line 1: %w", err)
	}
	switch {
	case head.Removals > removalsVersion:
		return r, fmt.Errorf("it has format %d, which a newer jobvault reads", head.Removals)
	case head.Removals != removalsVersion || (head.PreviousSHA256 == nil) != (head.Number == 1):
		return r, fmt.Errorf("line 1 is no header")
	case head.Number != number:
		return r, fmt.Errorf("it says that it is number %d", head.Number)
	}
	r.Number, r.WrittenAt = head.Number, head.WrittenAt
	if head.PreviousSHA256 != nil {
		r.PreviousSHA256 = *head.PreviousSHA256
	}
	for len(rest) > 0 {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		n := len(r.Lines) + 2
		if !whole {
			return r, fmt.Errorf("line %d: %w", n, errCutShort)
		}
		if len(r.Lines) == MaxRemovalsLines {
			return r, fmt.Errorf("it has more than %d lines", MaxRemovalsLines)
		}
		var l RemovalsLine
		if err := json.Unmarshal(line, &l); err != nil {
			return r, fmt.Errorf("line %d: %w", n, err)
		}
		if err := l.check(); err != nil {
			return r, fmt.Errorf("line %d: %w", n, err)
		}
		r.Lines, rest = append(r.Lines, l), after
	}
	if len(r.Lines) != head.Lines {
		return r, fmt.Errorf("it tells of %d lines, and has %d", head.Lines, len(r.Lines))
	}
	return r, nil
}

// Check fails if a reader would not accept the line. A record with such a line would stop
// every reader, and under Object Lock for as long as the lock lasts.
func (l RemovalsLine) Check() error {
	_, err := l.encode()
	return err
}

// encode returns the line as it is written, without its newline.
func (l RemovalsLine) encode() ([]byte, error) {
	b, err := json.Marshal(l)
	if err == nil && len(b) > maxRemovalLine {
		err = fmt.Errorf("it takes %d bytes to tell", len(b))
	}
	var read RemovalsLine
	if err == nil {
		err = json.Unmarshal(b, &read)
	}
	if err == nil {
		err = read.check()
	}
	if err != nil {
		return nil, fmt.Errorf("archive: the removal of the log of job %d: %w", l.JobID, err)
	}
	return b, nil
}

// check fails unless the line says enough for its removal to be repeated.
func (l RemovalsLine) check() error {
	if k, _, ok := ParseKey(l.Key().Details()); !ok || k != l.Key() {
		return fmt.Errorf("it names no job")
	}
	if l.Settled.State != removedState || l.Settled.Removal == nil || l.Settled.Removal.SHA256 == (Digest{}) {
		return fmt.Errorf("job %d: it does not say what was removed", l.JobID)
	}
	last := 0
	for _, c := range l.Settled.Redactions {
		if c.Number <= last {
			return fmt.Errorf("job %d: copy %d comes after copy %d", l.JobID, c.Number, last)
		}
		last = c.Number
	}
	return nil
}

// Removals lists the numbers of the records in the bucket, in ascending order. It calls
// stray for objects among them that are no records.
func (a *Archive) Removals(ctx context.Context, stray func(bucket.Object)) ([]int64, error) {
	var numbers []int64
	for o, err := range a.bucket.List(ctx, RemovalsPrefix) {
		if err != nil {
			return nil, err
		}
		if n, ok := ParseRemovalsKey(o.Key); ok {
			numbers = append(numbers, n)
		} else {
			stray(o)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}
