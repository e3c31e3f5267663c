package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	"github.com/jobvault/jobvault/archive/bucket"
)

// ShorterLog is an archived log whose place a longer one has taken, which begins with it.
// Its object stays where it is until the log is removed: manifests have listed it, readers
// may be reading it, and it may be locked.
type ShorterLog struct {
	Number       int       `json:"number"` // of its object, see JobKey.LogNumbered
	ObjectKey    string    `json:"object_key"`
	RawBytes     int64     `json:"raw_bytes"`
	StoredBytes  int64     `json:"stored_bytes"`
	Lines        int64     `json:"lines"`
	SHA256       Digest    `json:"sha256"`
	StoredSHA256 Digest    `json:"stored_sha256,omitzero"`
	ArchivedAt   time.Time `json:"archived_at"`
}

// ErrNotLonger says that a text is not a longer one that begins with the archived log: it
// is shorter, as long, or another one.
var ErrNotLonger = errors.New("it is no longer log that begins with the archived one")

// PutLonger is PutLog for a log that is to take the place of an archived one: it must be
// longer than that, and begin with it, byte for byte. It is stored beside it, under the next
// number. It fails with ErrNotLonger, and as PutLog; then nothing is stored.
func (a *Archive) PutLonger(ctx context.Context, than Log, r io.Reader) (Log, error) {
	return a.storeLonger(ctx, than, r, a.bucket.Put)
}

// RestoreLonger is PutLonger for a longer log that is damaged, and that nobody was told of:
// the new object replaces it once it is complete.
func (a *Archive) RestoreLonger(ctx context.Context, than Log, r io.Reader) (Log, error) {
	return a.storeLonger(ctx, than, r, a.bucket.Replace)
}

func (a *Archive) storeLonger(ctx context.Context, than Log, r io.Reader, put func(context.Context, string, io.Reader) (int64, error)) (Log, error) {
	key, err := longerKey(than)
	if err != nil {
		return Log{}, err
	}
	b := newBeginning(than)
	log, err := a.store(ctx, key, a.limit, &beginningReader{r: r, b: b}, put, func(log *Log) error {
		if log.RawBytes <= than.RawBytes { // cut at the limit
			return ErrNotLonger
		}
		return b.check()
	})
	if err != nil {
		return Log{}, err
	}
	return a.withFilters(ctx, log)
}

// AdoptLonger is PutLonger for a longer log that is in the bucket already. It fails with
// ErrNotFound if there is none, and as AdoptLog. It may be repeated.
func (a *Archive) AdoptLonger(ctx context.Context, than Log) (Log, error) {
	key, err := longerKey(than)
	if err != nil {
		return Log{}, err
	}
	return a.adoptLonger(ctx, than, key)
}

func (a *Archive) adoptLonger(ctx context.Context, than Log, key string) (Log, error) {
	b := newBeginning(than)
	log, err := a.describe(ctx, key, b)
	if err == nil {
		err = b.check()
	}
	if err != nil {
		return Log{}, err
	}
	log.Truncated = log.RawBytes == a.limit
	return a.withFilters(ctx, log)
}

// longerKey is where the next longer log is stored.
func longerKey(than Log) (string, error) {
	key, _, _ := ParseKey(than.Key)
	number := LogNumber(than.Key)
	if number == 0 {
		return "", fmt.Errorf("archive: %q is no key of a log: %w", than.Key, bucket.ErrUnreadable)
	}
	return key.LogNumbered(number + 1), nil
}

// beginning compares the first bytes of a text with a log.
type beginning struct {
	want Digest
	left int64 // bytes of the log that did not come yet
	sum  hash.Hash
	more bool // bytes came after them
}

func newBeginning(of Log) *beginning {
	return &beginning{want: of.SHA256, left: of.RawBytes, sum: sha256.New()}
}

// add takes the next bytes of the text.
func (b *beginning) add(p []byte) {
	n := min(b.left, int64(len(p)))
	b.sum.Write(p[:n])
	b.left -= n
	b.more = b.more || int64(len(p)) > n
}

// isOther tells, as soon as it can, that the text begins otherwise.
func (b *beginning) isOther() bool { return b.left == 0 && Digest(b.sum.Sum(nil)) != b.want }

// check fails with ErrNotLonger, at the end of the text, unless that is longer than the log
// and begins with it.
func (b *beginning) check() error {
	if b.left > 0 || !b.more || b.isOther() {
		return ErrNotLonger
	}
	return nil
}

// logBeginnings are the logs that a text is to begin with.
type logBeginnings []*beginning

func beginnings(shorter []ShorterLog) logBeginnings {
	var bs logBeginnings
	for _, s := range shorter {
		bs = append(bs, newBeginning(s.asLog()))
	}
	return bs
}

// add takes the next bytes of the text.
func (bs logBeginnings) add(p []byte) {
	for _, b := range bs {
		b.add(p)
	}
}

// Write is add.
func (bs logBeginnings) Write(p []byte) (int, error) {
	bs.add(p)
	return len(p), nil
}

// differ says, at the end of the text, with which of these logs it does not begin; empty: it
// begins with each.
func (bs logBeginnings) differ(shorter []ShorterLog) string {
	for i, b := range bs {
		if b.check() != nil {
			return fmt.Sprintf("it does not begin with the log of %d bytes with SHA-256 %x, whose place it took", shorter[i].RawBytes, shorter[i].SHA256)
		}
	}
	return ""
}

// beginningReader fails with ErrNotLonger once a text begins otherwise than a log: the rest
// of it need not be read.
type beginningReader struct {
	r       io.Reader
	b       *beginning
	decided bool
}

func (r *beginningReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.b.add(p[:n])
	if !r.decided && r.b.left == 0 {
		r.decided = true
		if r.b.isOther() {
			return 0, ErrNotLonger
		}
	}
	return n, err
}

// AdoptLogs reads all that was archived of a job, from the bucket alone: AdoptLog of its
// last log, and in Shorter those whose place it has taken. A log with the next number that
// does not begin with the one before it is none of them, and returned as stray: its key;
// empty: there is none. A shorter log counts as archived when its object was written. It
// fails as AdoptLog, with the error of the first log that is of no use and the last whole
// one before it, if there is one.
func (a *Archive) AdoptLogs(ctx context.Context, key JobKey, written func(logKey string) (time.Time, error)) (log Log, stray string, err error) {
	if log, err = a.AdoptLog(ctx, key.Log(), nil); err != nil {
		return log, "", err
	}
	for {
		next, _ := longerKey(log)
		longer, err := a.adoptNext(ctx, log, next, written)
		switch {
		case errors.Is(err, bucket.ErrNotFound):
			return log, "", nil
		case errors.Is(err, ErrNotLonger):
			return log, next, nil
		case err != nil:
			return log, "", err
		}
		log = longer
	}
}

// AdoptNumbered is AdoptLogs of the logs with these numbers, in their order, at least one:
// others are lost.
func (a *Archive) AdoptNumbered(ctx context.Context, key JobKey, numbers []int, written func(logKey string) (time.Time, error)) (log Log, stray string, err error) {
	if log, err = a.AdoptLog(ctx, key.LogNumbered(numbers[0]), nil); err != nil {
		return log, "", err
	}
	for _, n := range numbers[1:] {
		longer, err := a.adoptNext(ctx, log, key.LogNumbered(n), written)
		if errors.Is(err, ErrNotLonger) {
			return log, key.LogNumbered(n), nil
		}
		if err != nil {
			return log, "", err
		}
		log = longer
	}
	return log, "", nil
}

// adoptNext is AdoptLonger under a key, with in Shorter all whose place it has taken.
func (a *Archive) adoptNext(ctx context.Context, log Log, key string, written func(logKey string) (time.Time, error)) (Log, error) {
	longer, err := a.adoptLonger(ctx, log, key)
	if err != nil {
		return Log{}, err
	}
	at, err := written(log.Key)
	longer.Shorter = append(slices.Clone(log.Shorter), log.AsShorter(at))
	return longer, err
}

// AsShorter is a log as it is remembered once a longer one has taken its place.
func (l Log) AsShorter(archivedAt time.Time) ShorterLog {
	return ShorterLog{
		Number: LogNumber(l.Key), ObjectKey: l.Key, RawBytes: l.RawBytes, StoredBytes: l.StoredBytes, Lines: l.Lines,
		SHA256: l.SHA256, StoredSHA256: l.StoredSHA256, ArchivedAt: archivedAt,
	}
}

// asLog is a shorter log as Verify takes it. Where its frames are, nothing tells.
func (s ShorterLog) asLog() Log {
	return Log{
		LogLayout: LogLayout{Key: s.ObjectKey, RawBytes: s.RawBytes, StoredBytes: s.StoredBytes, Lines: s.Lines},
		SHA256:    s.SHA256, StoredSHA256: s.StoredSHA256,
	}
}

// RestoreShorter makes the object of a shorter log, which is lost or damaged, again of the
// log that took its place: the new object replaces the old one once it is complete. It fails
// with ErrDigestMismatch if that does not begin with it, and as OpenLog; then nothing is
// changed.
func (a *Archive) RestoreShorter(ctx context.Context, of Log, want ShorterLog) (Log, error) {
	body, err := a.OpenLog(ctx, of.Key)
	if err != nil {
		return Log{}, err
	}
	// It was not longer than the limit, whatever that is now.
	log, err := a.store(ctx, want.ObjectKey, want.RawBytes, body, a.bucket.Replace, func(log *Log) error {
		if log.SHA256 != want.SHA256 {
			return ErrDigestMismatch
		}
		return nil
	})
	return log, errors.Join(err, body.Close())
}
