package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/ngram"
	"github.com/jobvault/jobvault/internal/growth"
)

// someLog makes the object of a log, and what is said of it.
func someLog(t testing.TB, text string) (object []byte, log Log) {
	t.Helper()
	b := &memoryBucket{objects: make(map[string][]byte)}
	a, err := New(b, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	key := JobKey{1, 2, 3, 4}
	if log, err = a.PutLog(context.Background(), key, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return b.objects[key.Log()], log
}

// memoryBucket keeps objects in memory, and gives all that there is whatever it is
// asked for: what a bucket may do.
type memoryBucket struct {
	bucket.Bucket
	objects map[string][]byte
}

func (b *memoryBucket) Put(_ context.Context, key string, r io.Reader) (int64, error) {
	object, err := io.ReadAll(r)
	b.objects[key] = object
	return int64(len(object)), err
}

func (b *memoryBucket) Get(_ context.Context, key string, offset, _ int64) (io.ReadCloser, error) {
	object, ok := b.objects[key]
	if !ok {
		return nil, bucket.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(object[min(int(max(offset, 0)), len(object)):])), nil
}

// FuzzFilters: filters are those of the log, or unreadable; and they hold no more than
// they are made of.
func FuzzFilters(f *testing.F) {
	_, log := someLog(f, strings.Repeat("2026-03-01T12:00:00.0000000Z a line of a log\n", 100_000))
	good := formatFilters(log)
	f.Add(good, len(log.Filters))
	f.Add(good[:len(good)-1], len(log.Filters))
	f.Add(good, 1<<30)
	f.Add(good[:filterHead], 0)
	f.Add([]byte(filterMagic), -1)
	f.Add(bytes.Replace(good, []byte(filterMagic), []byte(filterMagic1), 1), len(log.Filters))
	f.Fuzz(func(t *testing.T, b []byte, frames int) {
		defer growth.Within(t, time.Now(), len(b))
		if frames < 0 {
			return // the ledger's own count
		}
		filters, err := parseFilters(b, log.SHA256[:], frames)
		if err != nil {
			if !errors.Is(err, errFilterSum) && !errors.Is(err, errFilterOther) {
				t.Error(err)
			}
			return
		}
		size := 0
		for _, filter := range filters {
			size += len(filter.Bits)
		}
		if len(filters) != min(frames, ngram.MaxFilters) || size > len(b) {
			t.Errorf("%d filters of %d bytes for %d frames, of %d bytes", len(filters), size, frames, len(b))
		}
	})
}

// FuzzSettled: a record is read, or unreadable.
func FuzzSettled(f *testing.F) {
	f.Add([]byte(`{"state":"expired","reason":"x","http_status":410,"settled_at":"2024-07-08T09:10:11Z"}`))
	f.Add([]byte(`{"state":"removed","removal":{"sha256":"` + strings.Repeat("0f", 32) + `"},"redactions":[{"number":1}]}`))
	f.Add([]byte(`{"removal":{"sha256":"xyz"}}`))
	f.Add([]byte(`{"redactions":[null],"settled_at":"0000-00-00"}`))
	f.Add([]byte("null"))
	key, objects := JobKey{1, 2, 3, 4}, &memoryBucket{objects: make(map[string][]byte)}
	a, err := New(objects, 1<<40)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		defer growth.Within(t, time.Now(), len(b))
		objects.objects[key.Settled()] = b
		if _, err := a.Settled(t.Context(), key); err != nil && !errors.Is(err, bucket.ErrUnreadable) {
			t.Error(err)
		}
	})
}

// FuzzLogObject: whatever is in the place of a log is read or unreadable, by all ways
// to read it.
func FuzzLogObject(f *testing.F) {
	object, log := someLog(f, strings.Repeat("a line of a log\n", 70_000)) // two frames
	objects := &memoryBucket{objects: make(map[string][]byte)}
	a, err := New(objects, 1<<40)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(object)
	f.Add(object[:len(object)-1])
	f.Add(object[:len(object)/2])
	f.Add(append(bytes.Clone(object), object...))
	f.Add([]byte("<html>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		defer growth.Within(t, time.Now(), len(b)+int(log.RawBytes))
		objects.objects[log.Key] = b
		if damage, err := a.Verify(t.Context(), log, true); err != nil || damage == nil && !bytes.Equal(b, object) {
			t.Errorf("damage %v, error %v", damage, err)
		}
		if err := a.CopyLog(t.Context(), io.Discard, log.LogLayout); err != nil && !errors.Is(err, bucket.ErrUnreadable) {
			t.Errorf("copied: %v", err)
		}
		if err := a.CopyBytes(t.Context(), io.Discard, log.LogLayout, 5, 1<<20); err != nil && !errors.Is(err, bucket.ErrUnreadable) {
			t.Errorf("a part: %v", err)
		}
	})
}

const maxDepth = 10_000 // encoding/json's own

// Objects of JSON are read if they are nested as deep as the bound allows; with one level
// more they are unreadable.
func TestDeepObjectsAreUnreadable(t *testing.T) {
	t.Parallel()
	key, date := JobKey{1, 2, 3, 4}, time.Date(2024, 7, 8, 0, 0, 0, 0, time.UTC)
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for depth, fits := range map[int]bool{maxDepth - 1: true, maxDepth: true, maxDepth + 1: false, 400_000: false} {
		deep := `,"x":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + "}"
		settled := `{"state":"expired"` + deep
		manifest := `{"manifest":1,"date":"2024-07-08","previous":null,"previous_sha256":null` + deep + "\n"
		a, err := New(&memoryBucket{objects: map[string][]byte{key.Settled(): []byte(settled), ManifestKey(date): enc.EncodeAll([]byte(manifest), nil)}}, 1<<40)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Settled(t.Context(), key); fits != (err == nil) || !fits && !errors.Is(err, bucket.ErrUnreadable) {
			t.Errorf("a record of %d levels: %v", depth, err)
		}
		_, err = a.ReadManifest(t.Context(), date, func(ManifestEntry) error { return nil })
		var fault Fault
		if !errors.As(err, &fault) || fits != (fault.Kind == FaultEnd) || !fits && fault.Kind != FaultHeader || len(err.Error()) > 500 {
			t.Errorf("a manifest of %d levels: %.300v", depth, err)
		}
	}
}

// Details are as long as can be read again, or are not stored.
func TestDetailsAreBounded(t *testing.T) {
	t.Parallel()
	objects := &memoryBucket{objects: make(map[string][]byte)}
	a, err := New(objects, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	for n, fits := range map[int]bool{maxDetails - 1: true, maxDetails: true, maxDetails + 1: false} {
		key := JobKey{1, 2, 3, int64(n)}
		_, err := a.PutDetails(t.Context(), key, make([]byte, n))
		if _, stored := objects.objects[key.Details()]; fits != (err == nil) || stored != fits {
			t.Errorf("%d bytes: %v, stored %t", n, err, stored)
		}
		objects.objects[key.Details()] = make([]byte, n) // by somebody else
		got, err := a.Details(t.Context(), key)
		if fits && (err != nil || len(got) != n) || !fits && !errors.Is(err, bucket.ErrUnreadable) {
			t.Errorf("%d bytes are read as %d, %v", n, len(got), err)
		}
	}
}

// A frame that says that it holds much is not believed: nothing is allocated for what
// is not there.
func TestFramesThatClaimMuchCostLittle(t *testing.T) {
	for _, size := range []uint64{maxFrame + 1, 1 << 30, 1 << 40, 1<<63 - 1} {
		header, err := (&zstd.Header{SingleSegment: true, FrameContentSize: size, HasCheckSum: true}).AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		// A block of RLE: one byte, many times. And a checksum.
		object := append(header, 0x03|0xf8, 0xff, 0x7f, 'x', 0, 0, 0, 0)
		key := JobKey{1, 2, 3, 4}
		a, err := New(&memoryBucket{objects: map[string][]byte{key.Log(): object, key.Settled(): object, ManifestKey(time.Unix(0, 0).UTC()): object}}, 1<<40)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if damage, err := a.Verify(t.Context(), Log{LogLayout: LogLayout{Key: key.Log()}}, true); damage == nil || damage.Kind != FaultUnreadable || err != nil {
			t.Errorf("%d bytes: %v, %v", size, damage, err)
		}
		if body, err := a.OpenLog(t.Context(), key.Log()); err == nil {
			if _, err := io.Copy(io.Discard, body); err == nil {
				t.Errorf("%d bytes are read as a log", size)
			}
			body.Close()
		}
		if _, err := a.ReadManifest(t.Context(), time.Unix(0, 0).UTC(), func(ManifestEntry) error { return nil }); err == nil {
			t.Errorf("%d bytes are a manifest", size)
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 4*maxFrame {
			t.Errorf("%d bytes cost %d", size, grown)
		}
	}
}

// Manifests take time in proportion to their lines, whatever is in them.
func TestManifestsAreLinear(t *testing.T) {
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	date := time.Date(2024, 7, 8, 0, 0, 0, 0, time.UTC)
	for _, line := range []string{"\n", "{}\n", `{"job_id":1}` + "\n", "x", "[[[[\n", `{"end":true}` + "\n"} {
		growth.Linear(t, 40_000, func(n int) func() {
			object := enc.EncodeAll([]byte(strings.Repeat(line, n/len(line))), nil)
			a, err := New(&memoryBucket{objects: map[string][]byte{ManifestKey(date): object}}, 1<<40)
			if err != nil {
				t.Fatal(err)
			}
			return func() {
				_, _ = a.scanManifest(context.Background(), date, func(*Manifest, ManifestEntry) error { return nil }, func(Fault) error { return nil })
			}
		})
	}
}
