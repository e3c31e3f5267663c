package archive_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/archive/joblog"
)

// inPlace is what may be where a log is to be restored. Each makes the object of
// a job, of which good is the whole one.
var inPlace = map[string]func(good []byte) []byte{
	"nothing":          func([]byte) []byte { return nil },
	"an empty object":  func([]byte) []byte { return []byte{} },
	"a log cut short":  func(good []byte) []byte { return good[:len(good)/2] },
	"a bit flipped":    func(good []byte) []byte { b := bytes.Clone(good); b[len(b)/3] ^= 1; return b },
	"an error page":    func([]byte) []byte { return []byte("<html>503</html>") },
	"the log, whole":   func(good []byte) []byte { return good },
	"more than parted": func(good []byte) []byte { return append(bytes.Clone(good), buckettest.Noise(inParts)...) },
}

// restoring is a job with something in the place of its log, which was once good.
type restoring struct {
	t    *testing.T
	b    bucket.Bucket
	a    *archive.Archive
	good archive.Log
	was  []byte // nil: nothing is there
}

// onEachPlace restores the log raw on each bucket, in each place.
func onEachPlace(t *testing.T, raw []byte, f func(r restoring)) {
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		a := newArchive(t, b, 1<<40)
		good := putLog(t, a, key, raw)
		object := buckettest.Get(t, b, good.Key, 0, -1)
		for name, damaged := range inPlace {
			t.Run(name, func(t *testing.T) {
				if err := b.Remove(t.Context(), good.Key); err != nil {
					t.Fatal(err)
				}
				was := damaged(object)
				if was != nil {
					buckettest.Put(t, b, good.Key, was)
				}
				f(restoring{t, b, a, good, was})
			})
		}
	})
}

// restore wants the log to be restored as it was once put.
func (r restoring) restore(raw []byte, want *archive.Digest) {
	r.t.Helper()
	got, err := r.a.RestoreLog(r.t.Context(), key.Log(), iotest.HalfReader(bytes.NewReader(raw)), want)
	if err != nil {
		r.t.Fatal(err)
	}
	if diff := cmp.Diff(r.good, got, cmpopts.IgnoreUnexported(joblog.Indexer{})); diff != "" {
		r.t.Errorf("described otherwise than when it was put (-put +restored):\n%s", diff)
	}
	if !bytes.Equal(readLog(r.t, r.a, got.Key), raw) {
		r.t.Error("the log is another one")
	}
	verify(r.t, r.a, "restored", got, "", "")
}

// untouched wants what was there to be there, to the byte.
func (r restoring) untouched(when string) {
	r.t.Helper()
	has, err := r.a.HasLog(r.t.Context(), key)
	if err != nil || has != (r.was != nil) {
		r.t.Errorf("%s: an object is there: %v, %v", when, has, err)
	}
	if has && !bytes.Equal(buckettest.Get(r.t, r.b, r.good.Key, 0, -1), r.was) {
		r.t.Errorf("%s: what was there is no more", when)
	}
}

// Where no digest is known, any log will do.
func TestRestoreAnyLog(t *testing.T) {
	t.Parallel()
	raw := text(1<<20 + 1<<16)
	onEachPlace(t, raw, func(r restoring) { r.restore(raw, nil) })
}

// Another log is read to its end, described, and not stored. Then the log that is wanted
// takes the place of whatever is there.
func TestRestoreTakesTheWantedLogAlone(t *testing.T) {
	t.Parallel()
	raw := text(1<<20 + 1<<16)
	want := archive.Digest(sha256.Sum256(raw))
	onEachPlace(t, raw, func(r restoring) {
		for name, other := range map[string][]byte{
			"empty": {}, "short": []byte("x\n"), "one byte less": raw[:len(raw)-1], "one byte more": append(bytes.Clone(raw), '\n'), "in parts": buckettest.Noise(inParts),
		} {
			got, err := r.a.RestoreLog(r.t.Context(), key.Log(), bytes.NewReader(other), &want)
			if !errors.Is(err, archive.ErrDigestMismatch) {
				r.t.Errorf("%s: %v, want ErrDigestMismatch", name, err)
			}
			if got.SHA256 != sha256.Sum256(other) || got.RawBytes != int64(len(other)) || got.Lines != countLines(other) {
				r.t.Errorf("%s: described as %d bytes, %d lines, SHA-256 %x", name, got.RawBytes, got.Lines, got.SHA256)
			}
			r.untouched(name)
		}
		r.restore(raw, &want)
	})
}

// A body that breaks off restores nothing, also where any log will do: what was
// read so far is no log.
func TestRestoreFromABrokenBody(t *testing.T) {
	t.Parallel()
	raw := text(1<<20 + 1<<16)
	want := archive.Digest(sha256.Sum256(raw))
	onEachPlace(t, raw, func(r restoring) {
		for broken, digest := range map[error]*archive.Digest{errors.New("connection reset"): nil, io.ErrUnexpectedEOF: &want} {
			for _, body := range [][]byte{nil, raw[:100], raw[:1<<20], buckettest.Noise(inParts)} {
				from := io.MultiReader(bytes.NewReader(body), iotest.ErrReader(broken))
				if _, err := r.a.RestoreLog(r.t.Context(), key.Log(), from, digest); !errors.Is(err, broken) || errors.Is(err, archive.ErrDigestMismatch) {
					r.t.Errorf("broken after %d bytes: %v, want %v", len(body), err, broken)
				}
				r.untouched(broken.Error())
			}
		}
	})
}

// Whoever gives up in the middle restores nothing.
func TestRestoreIsCancelled(t *testing.T) {
	t.Parallel()
	raw := text(1<<20 + 1<<16)
	onEachPlace(t, raw, func(r restoring) {
		ctx, cancel := context.WithCancel(r.t.Context())
		body := io.MultiReader(bytes.NewReader(raw[:1<<20]), readerFunc(func([]byte) (int, error) {
			cancel()
			return 0, io.EOF
		}), bytes.NewReader(raw[1<<20:]))
		if _, err := r.a.RestoreLog(ctx, key.Log(), body, nil); err == nil {
			r.t.Error("cancelled, and restored")
		}
		r.untouched("cancelled")
	})
}

// A log that was cut at the limit is wanted by the digest of what was kept.
func TestRestoreLogCutAtTheLimit(t *testing.T) {
	t.Parallel()
	raw := buckettest.Noise(2<<20 + 7)
	b := buckettest.Open(t, "file://"+t.TempDir())
	kept := putLog(t, newArchive(t, b, 2<<20), key, raw)
	if _, err := newArchive(t, b, 1<<40).RestoreLog(t.Context(), key.Log(), bytes.NewReader(raw), &kept.SHA256); !errors.Is(err, archive.ErrDigestMismatch) {
		t.Errorf("without the limit: %v, want ErrDigestMismatch", err)
	}
	r := restoring{t: t, b: b, a: newArchive(t, b, 2<<20), good: kept, was: buckettest.Get(t, b, kept.Key, 0, -1)}
	r.untouched("without the limit")
	got, err := r.a.RestoreLog(t.Context(), key.Log(), bytes.NewReader(raw), &kept.SHA256)
	if err != nil || !got.Truncated || got.SHA256 != kept.SHA256 {
		t.Errorf("with the limit: truncated %v, %v", got.Truncated, err)
	}
}

// A restored log is as safe from PutLog as any other.
func TestPutLogAfterARestore(t *testing.T) {
	t.Parallel()
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		a := newArchive(t, b, 1<<40)
		log, err := a.RestoreLog(t.Context(), key.Log(), strings.NewReader("whole\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.PutLog(t.Context(), key, strings.NewReader("less")); !errors.Is(err, bucket.ErrExists) {
			t.Errorf("put: %v, want ErrExists", err)
		}
		if got := readLog(t, a, log.Key); string(got) != "whole\n" {
			t.Errorf("the log is %q", got)
		}
	})
}

// readerFunc is a function that reads.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// inParts is more than the S3 backend sends at once.
const inParts = 8<<20 + 1
