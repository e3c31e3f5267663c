package archive_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
)

// verify wants the kinds of damage, shallow and deep; empty is none.
func verify(t *testing.T, a *archive.Archive, name string, want archive.Log, shallow, deep string) {
	t.Helper()
	for _, c := range []struct {
		deep bool
		want string
	}{{false, shallow}, {true, deep}} {
		d, err := a.Verify(t.Context(), want, c.deep)
		if err != nil {
			t.Errorf("%s, deep %v: %v", name, c.deep, err)
			continue
		}
		var got string
		if d != nil {
			got = d.Kind
			if d.Key != want.Key || d.Detail == "" {
				t.Errorf("%s, deep %v: says %+v", name, c.deep, d)
			}
		}
		if got != c.want {
			t.Errorf("%s, deep %v: found %q, want %q: %+v", name, c.deep, got, c.want, d)
		}
	}
}

// checkVerified wants a log to be whole, whatever the ledger says of its index and its cut.
func checkVerified(t *testing.T, a *archive.Archive, _ *countingBucket, log archive.Log, _ []byte) {
	log.Index, log.Truncated = nil, !log.Truncated // do not count
	verify(t, a, "as it was put", log, "", "")
}

// Where the encoder begins to write other headers.
func TestVerifyLogsOfEachSize(t *testing.T) {
	t.Parallel()
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		a := newArchive(t, b, 1<<40)
		var job int64
		for _, n := range []int{1, 255, 256, 257, 1023, 1024, 1025, 65535 + 256, 65536 + 256, 128<<10 + 1, 1<<20 - 1, 1 << 20, 1<<20 + 1, 4<<20 + 1024} {
			for what, raw := range map[string][]byte{"noise": buckettest.Noise(n), "text": text(n)} {
				job++
				verify(t, a, fmt.Sprintf("%d bytes of %s", n, what), putLog(t, a, archive.JobKey{JobID: job}, raw), "", "")
			}
		}
	})
}

// text is a generated log of n bytes.
func text(n int) []byte {
	b, err := io.ReadAll(githubsim.GeneratedLog(uint64(n), int64(n), githubsim.LogStyle{ANSI: true}).Reader())
	if err != nil {
		panic(err)
	}
	return b
}

func TestVerifyAgainstTheLedger(t *testing.T) {
	t.Parallel()
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		a := newArchive(t, b, 1<<40)
		good := putLog(t, a, key, strangeLogs()["many lines"])
		for name, c := range map[string]struct {
			change        func(l *archive.Log)
			shallow, deep string
		}{
			"no object":        {func(l *archive.Log) { l.Key = archive.JobKey{JobID: 99}.Log() }, "absent", "absent"},
			"digest":           {func(l *archive.Log) { l.SHA256[31] ^= 1 }, "", "digest"},
			"digest and all":   {func(l *archive.Log) { *l = archive.Log{LogLayout: archive.LogLayout{Key: l.Key}} }, "size", "digest"},
			"bytes":            {func(l *archive.Log) { l.RawBytes++ }, "", "bytes"},
			"bytes and lines":  {func(l *archive.Log) { l.RawBytes--; l.Lines-- }, "", "bytes"},
			"lines":            {func(l *archive.Log) { l.Lines++ }, "", "lines"},
			"lines and frames": {func(l *archive.Log) { l.Lines++; l.FrameLines = nil }, "", "lines"},
			"frame lines":      {func(l *archive.Log) { l.FrameLines[1]++ }, "", "frames"},
			"frame offsets":    {func(l *archive.Log) { l.FrameOffsets[2]-- }, "", "frames"},
			"fewer frames":     {func(l *archive.Log) { l.FrameLines = l.FrameLines[:1] }, "", "frames"},
			"frames and size":  {func(l *archive.Log) { l.FrameOffsets = append(l.FrameOffsets, 7); l.StoredBytes++ }, "size", "frames"},
			"size":             {func(l *archive.Log) { l.StoredBytes++ }, "size", "size"},
		} {
			want := good
			want.FrameLines, want.FrameOffsets = slices.Clone(good.FrameLines), slices.Clone(good.FrameOffsets)
			c.change(&want)
			verify(t, a, name, want, c.shallow, c.deep)
		}
	})
}

func TestVerifyTellsBothDigests(t *testing.T) {
	t.Parallel()
	a := newArchive(t, buckettest.Open(t, "file://"+t.TempDir()), 1<<40)
	good := putLog(t, a, key, []byte("what was archived\n"))
	want := good
	want.SHA256 = [32]byte{0xab}
	d, err := a.Verify(t.Context(), want, true)
	if err != nil || d == nil {
		t.Fatal(d, err)
	}
	for _, part := range []string{fmt.Sprintf("%x", good.SHA256), fmt.Sprintf("%x", want.SHA256), "18 bytes", fmt.Sprint(good.StoredBytes)} {
		if !strings.Contains(d.Detail, part) {
			t.Errorf("%q does not say %s", d.Detail, part)
		}
	}
}

// damage stores an object that is not what it was, and returns what the ledger
// says of it.
func damage(t *testing.T, b bucket.Bucket, good archive.Log, job int64, object []byte) archive.Log {
	t.Helper()
	good.Key = archive.JobKey{JobID: job}.Log()
	buckettest.Put(t, b, good.Key, object)
	return good
}

func TestVerifyObjectsCutShort(t *testing.T) {
	t.Parallel()
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		a := newArchive(t, b, 1<<40)
		good := putLog(t, a, key, strangeLogs()["many lines"])
		whole := buckettest.Get(t, b, good.Key, 0, -1)
		table := good.StoredBytes - int64(8+12*len(good.FrameOffsets)+9)
		second := good.FrameOffsets[1]
		for i, n := range []int64{
			0, 1, 4, 5, 10, second - 4, second - 1, second, second + 1, second + 4, second + 17, second + 1000,
			table - 1, table, table + 1, table + 4, table + 8, table + 20, good.StoredBytes - 9, good.StoredBytes - 1,
		} {
			want := damage(t, b, good, int64(100+i), whole[:n])
			verify(t, a, fmt.Sprintf("%d bytes of %d", n, len(whole)), want, "size", "unreadable")
		}
		verify(t, a, "table only", damage(t, b, good, 200, whole[table:]), "size", "unreadable")
		verify(t, a, "a frame left out", damage(t, b, good, 201, append(bytes.Clone(whole[:second]), whole[good.FrameOffsets[2]:]...)), "size", "unreadable")
	})
}

func TestVerifyObjectsThatAreSomethingElse(t *testing.T) {
	t.Parallel()
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		a := newArchive(t, b, 1<<40)
		good := putLog(t, a, key, buckettest.Noise(5000))
		other := putLog(t, a, archive.JobKey{JobID: 5}, reversed(buckettest.Noise(5000)))
		empty := putLog(t, a, archive.JobKey{JobID: 6}, nil)
		whole := buckettest.Get(t, b, good.Key, 0, -1)
		if other.StoredBytes != good.StoredBytes {
			t.Fatalf("the logs are stored in %d and %d bytes", good.StoredBytes, other.StoredBytes)
		}
		enc, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		huge := enc.EncodeAll(make([]byte, 8<<20+1), nil)
		for i, c := range []struct {
			name          string
			object        []byte
			shallow, deep string
		}{
			{"another job's log", buckettest.Get(t, b, other.Key, 0, -1), "", "digest"},
			{"an empty log", buckettest.Get(t, b, empty.Key, 0, -1), "size", "digest"},
			{"an error page", []byte("<html>503 Service Unavailable</html>"), "size", "unreadable"},
			{"zeros", make([]byte, len(whole)), "", "unreadable"},
			{"a byte more", append(bytes.Clone(whole), 0), "size", "unreadable"},
			{"twice the log", append(bytes.Clone(whole), whole...), "size", "unreadable"},
			{"no seek table", enc.EncodeAll(buckettest.Noise(5000), nil), "size", "unreadable"},
			{"a frame of zeros without end", huge, "size", "unreadable"},
			{"a frame that claims 4 GB", claim(whole, 0xfffffff0), "size", "unreadable"},
		} {
			verify(t, a, c.name, damage(t, b, good, int64(100+i), c.object), c.shallow, c.deep)
		}
	})
}

func reversed(b []byte) []byte {
	slices.Reverse(b)
	return b
}

// claim gives the first frame a header that says it holds n bytes.
func claim(object []byte, n uint32) []byte {
	var h zstd.Header
	if err := h.Decode(object); err != nil {
		panic(err)
	}
	b := binary.LittleEndian.AppendUint32(append(bytes.Clone(object[:4]), 0xa4), n)
	return append(b, object[h.HeaderSize:]...)
}

// oneObject is a bucket with one object.
type oneObject struct {
	bucket.Bucket // none: the rest is not called
	body          func() io.Reader
}

func (b oneObject) Get(context.Context, string, int64, int64) (io.ReadCloser, error) {
	return io.NopCloser(b.body()), nil
}

// A flipped bit is found wherever it is, also where the log reads back as it was:
// Zstandard can say some things in two ways.
func TestVerifyFindsEveryFlippedBit(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string][]byte{
		"empty": nil, "line": []byte("hello\n"), "noise": buckettest.Noise(1500), "zeros": make([]byte, 3000), "text": text(700), "longer text": text(3000),
	} {
		t.Run(name, func(t *testing.T) {
			b := buckettest.Open(t, "file://"+t.TempDir())
			good := putLog(t, newArchive(t, b, 1<<40), key, raw)
			object := buckettest.Get(t, b, good.Key, 0, -1)
			a := newArchive(t, oneObject{body: func() io.Reader { return bytes.NewReader(object) }}, 1<<40)
			for i := range object {
				for bit := range 8 {
					object[i] ^= 1 << bit
					d, err := a.Verify(t.Context(), good, true)
					if err != nil {
						t.Fatal(err)
					}
					if d == nil {
						t.Errorf("byte %d of %d, bit %d: not found", i, len(object), bit)
					} else if d.Kind == archive.FaultObject && !bytes.Equal(readLog(t, a, good.Key), raw) {
						t.Errorf("byte %d of %d, bit %d: the log is called whole and is not", i, len(object), bit)
					}
					object[i] ^= 1 << bit
				}
			}
		})
	}
}

// Many frames in flight: damage in any of them is found, and nothing is left
// running.
func TestVerifyFindsDamageInAnyFrame(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	b := buckettest.Open(t, "file://"+t.TempDir())
	good := putLog(t, newArchive(t, b, 1<<40), key, buckettest.Noise(9<<20+5))
	object := buckettest.Get(t, b, good.Key, 0, -1)
	a := newArchive(t, oneObject{body: func() io.Reader { return bytes.NewReader(object) }}, 1<<40)
	for i, offset := range good.FrameOffsets {
		object[offset+12] ^= 4
		d, err := a.Verify(t.Context(), good, true)
		if err != nil || d == nil || d.Kind != archive.FaultUnreadable || !strings.Contains(d.Detail, fmt.Sprint("byte ", offset)) {
			t.Errorf("frame %d: %+v, %v", i, d, err)
		}
		object[offset+12] ^= 4
	}
}

// A bucket that breaks off is no damage, wherever it does.
func TestVerifyTellsABrokenBucketFromDamage(t *testing.T) {
	t.Parallel()
	b := buckettest.Open(t, "file://"+t.TempDir())
	good := putLog(t, newArchive(t, b, 1<<40), key, text(2<<20))
	object := buckettest.Get(t, b, good.Key, 0, -1)
	for _, n := range []int64{0, 3, 100, good.FrameOffsets[1], good.FrameOffsets[1] + 9, good.StoredBytes - 5, good.StoredBytes} {
		for _, broken := range []error{errors.New("connection reset"), io.ErrUnexpectedEOF, fmt.Errorf("wrapped: %w", io.EOF)} {
			a := newArchive(t, oneObject{body: func() io.Reader {
				return io.MultiReader(bytes.NewReader(object[:n]), iotest.ErrReader(broken))
			}}, 1<<40)
			if d, err := a.Verify(t.Context(), good, true); d != nil || !errors.Is(err, broken) {
				t.Errorf("%v after %d bytes: %+v, %v", broken, n, d, err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := newArchive(t, b, 1<<40)
	if d, err := a.Verify(ctx, good, true); d != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %+v, %v", d, err)
	}
}

// Of a bucket that is gone, no log is absent.
func TestVerifyWithoutTheBucket(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := buckettest.Open(t, "file://"+dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s3 := buckettest.Open(t, strings.Replace(testenv.S3BucketURL(t), "s3://test-", "s3://absent-", 1))
	for _, b := range []bucket.Bucket{file, s3} {
		for _, deep := range []bool{false, true} {
			if d, err := newArchive(t, b, 1).Verify(t.Context(), archive.Log{LogLayout: archive.LogLayout{Key: key.Log()}}, deep); d != nil || err == nil {
				t.Errorf("%s, deep %v: %+v, %v", b, deep, d, err)
			}
		}
	}
}
