package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/internal/testenv"
)

// logsIn are the keys of all logs and filters in a bucket.
func logsIn(t testing.TB, b bucket.Bucket) []string {
	t.Helper()
	var keys []string
	for o, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	return keys
}

// variantOf draws a text that has something of another one: it goes on after it, is cut, has
// a byte changed, or has nothing to do with it.
func variantOf(rt *rapid.T, archived []byte) []byte {
	some := rapid.SliceOfN(rapid.Byte(), 0, 40)
	v := bytes.Clone(archived)
	switch rapid.SampledFrom([]string{"as it is", "longer", "cut", "changed", "changed and longer", "another"}).Draw(rt, "variant") {
	case "longer":
		v = append(v, some.Draw(rt, "more")...)
	case "cut":
		v = v[:rapid.IntRange(0, len(v)).Draw(rt, "cut at")]
	case "changed", "changed and longer":
		if len(v) > 0 {
			v[rapid.IntRange(0, len(v)-1).Draw(rt, "changed at")] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		}
		if rapid.Bool().Draw(rt, "goes on") {
			v = append(v, some.Draw(rt, "more")...)
		}
	case "another":
		v = some.Draw(rt, "another")
	}
	return v
}

// Whatever a server answers: only a longer log that begins with the archived one is stored,
// and the archived one is never touched.
func TestOnlyALongerLogThatBeginsWithIt(t *testing.T) {
	t.Parallel()
	const limit = 200
	id := int64(0)
	b := buckettest.Open(t, "file://"+t.TempDir())
	a := newArchive(t, b, limit)
	rapid.Check(t, func(rt *rapid.T) {
		id++
		k := archive.JobKey{RepositoryID: 1, RunID: 1, RunAttempt: 1, JobID: id}
		archived := rapid.SliceOfN(rapid.Byte(), 0, limit-1).Draw(rt, "archived")
		was := putLog(t, a, k, archived)
		sent := variantOf(rt, archived)
		got, err := a.PutLonger(t.Context(), was, iotest.OneByteReader(bytes.NewReader(sent)))
		want := len(sent) > len(archived) && bytes.HasPrefix(sent, archived)
		if want != (err == nil) || err != nil && !errors.Is(err, archive.ErrNotLonger) {
			rt.Fatalf("archived %q, sent %q: %v", archived, sent, err)
		}
		if now := readLog(t, a, k.Log()); !bytes.Equal(now, archived) {
			rt.Fatalf("the archived log %q became %q", archived, now)
		}
		if !want {
			if _, err := b.Size(t.Context(), k.LogNumbered(2)); !errors.Is(err, bucket.ErrNotFound) {
				rt.Fatalf("archived %q, sent %q: something was stored: %v", archived, sent, err)
			}
			return
		}
		kept := sent[:min(len(sent), limit)]
		if got.Key != k.LogNumbered(2) || got.Truncated != (len(sent) > limit) || !bytes.Equal(readLog(t, a, got.Key), kept) {
			rt.Fatalf("archived %q, sent %q, stored %+v", archived, sent, got)
		}
		again, err := a.AdoptLonger(t.Context(), was)
		if again.Truncated = got.Truncated; err != nil || again.SHA256 != got.SHA256 || again.StoredSHA256 != got.StoredSHA256 {
			rt.Fatalf("adopted %+v, %v; put %+v", again, err, got)
		}
	})
}

// A limit that was made smaller since cuts no log short of what is archived.
func TestALowerLimitReplacesNothing(t *testing.T) {
	t.Parallel()
	b := buckettest.Open(t, "file://"+t.TempDir())
	was := putLog(t, newArchive(t, b, 1<<40), key, []byte("0123456789"))
	for _, limit := range []int64{5, 10} {
		if _, err := newArchive(t, b, limit).PutLonger(t.Context(), was, strings.NewReader("0123456789 and more")); !errors.Is(err, archive.ErrNotLonger) {
			t.Errorf("with a limit of %d: %v", limit, err)
		}
	}
	if keys := logsIn(t, b); len(keys) != 1 {
		t.Errorf("there are %v", keys)
	}
}

// On each store: a longer log has a key and filters of its own, what is read of the
// shorter one stays as it was, and a body that breaks off leaves nothing.
func TestLongerLogsOnEachStore(t *testing.T) {
	t.Parallel()
	raw := text(3<<20 + 1<<16)
	const cut = 1<<20 + 1<<18
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) { longerLogs(t, b, raw, cut) })
	t.Run("s3 with Object Lock", func(t *testing.T) {
		t.Parallel()
		b := buckettest.Open(t, testenv.S3LockedBucketURL(t)+"&lock=governance&lock_days=1")
		longerLogs(t, b, raw, cut)
		for _, k := range []string{key.Log(), key.LogNumbered(2)} {
			if _, _, versions := lockedVersions(t, b, k); len(versions) != 1 {
				t.Errorf("%s has %d versions", k, len(versions))
			}
		}
	})
}

func longerLogs(t *testing.T, b bucket.Bucket, raw []byte, cut int) {
	a := newArchive(t, b, 1<<40)
	was := putLog(t, a, key, raw[:cut])
	reading, err := a.OpenLog(t.Context(), was.Key)
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	broken := errors.New("the connection broke")
	for _, n := range []int{0, 10, cut, cut + 10, len(raw)} {
		_, err := a.PutLonger(t.Context(), was, io.MultiReader(bytes.NewReader(raw[:n]), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			t.Errorf("broken after %d bytes: %v", n, err)
		}
	}
	if keys := logsIn(t, b); len(keys) != 2 {
		t.Fatalf("after bodies that broke off there are %v", keys)
	}
	now, err := a.PutLonger(t.Context(), was, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.PutLonger(t.Context(), was, bytes.NewReader(append(bytes.Clone(raw), '!'))); !errors.Is(err, bucket.ErrExists) {
		t.Errorf("a second one: %v", err)
	}
	if got, err := io.ReadAll(reading); err != nil || !bytes.Equal(got, raw[:cut]) {
		t.Errorf("who was reading got %d bytes of %d, %v", len(got), cut, err)
	}
	if !bytes.Equal(readLog(t, a, now.Key), raw) || !bytes.Equal(readLog(t, a, was.Key), raw[:cut]) {
		t.Error("the logs do not read as they were put")
	}
	for _, l := range []archive.Log{was, now} {
		if f, err := a.Filters(t.Context(), l.Key, l.FilterBytes, l.SHA256[:], len(l.FrameOffsets)); err != nil || len(f) != len(l.FrameOffsets) {
			t.Errorf("filters of %s: %d, %v", l.Key, len(f), err)
		}
	}
	want := []string{key.Filter(), key.Log(), archive.FilterKey(key.LogNumbered(2)), key.LogNumbered(2)}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(logsIn(t, b)))); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	found, stray, err := a.AdoptLogs(t.Context(), key, func(string) (time.Time, error) { return at, nil })
	if err != nil || stray != "" || found.SHA256 != now.SHA256 {
		t.Fatalf("from the bucket alone: %s, stray %q, %v", found.Key, stray, err)
	}
	if diff := cmp.Diff([]archive.ShorterLog{was.AsShorter(at)}, found.Shorter); diff != "" {
		t.Errorf("shorter logs (-want +got):\n%s", diff)
	}
}

// Two that put a longer log at once: one does, the other is told, and it is whole.
func TestTwoPutALongerLogAtOnce(t *testing.T) {
	t.Parallel()
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		a := newArchive(t, b, 1<<40)
		raw := text(1 << 18)
		was := putLog(t, a, key, raw[:1000])
		var wg sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			wg.Go(func() { _, errs[i] = a.PutLonger(t.Context(), was, bytes.NewReader(raw)) })
		}
		wg.Wait()
		stored := 0
		for _, err := range errs {
			if err == nil {
				stored++
			} else if !errors.Is(err, bucket.ErrExists) {
				t.Error(err)
			}
		}
		if stored != 1 {
			t.Errorf("%d were stored", stored)
		}
		if log, err := a.AdoptLonger(t.Context(), was); err != nil || log.RawBytes != int64(len(raw)) {
			t.Errorf("adopted %+v, %v", log, err)
		}
	})
}

// What is in the next log's place and is no longer log is not taken, and no whole one
// gives way; what is damaged does.
func TestWhatIsInTheNextLogsPlace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		put     func(t *testing.T, a *archive.Archive)
		adopted error
		stray   bool
	}{
		"nothing":      {func(*testing.T, *archive.Archive) {}, bucket.ErrNotFound, false},
		"another log":  {putNext("another log, and a long one"), archive.ErrNotLonger, true},
		"the same":     {putNext("the log"), archive.ErrNotLonger, true},
		"a part of it": {putNext("the"), archive.ErrNotLonger, true},
		"no log": {func(t *testing.T, a *archive.Archive) {
			buckettest.Put(t, a.Bucket(), key.LogNumbered(2), []byte("<html>"))
		}, bucket.ErrUnreadable, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newArchive(t, buckettest.Open(t, "file://"+t.TempDir()), 1<<40)
			was := putLog(t, a, key, []byte("the log"))
			c.put(t, a)
			if _, err := a.AdoptLonger(t.Context(), was); !errors.Is(err, c.adopted) {
				t.Errorf("adopted: %v, want %v", err, c.adopted)
			}
			found, stray, err := a.AdoptLogs(t.Context(), key, func(string) (time.Time, error) { return time.Time{}, nil })
			if found.SHA256 != was.SHA256 || (stray != "") != c.stray || (err != nil) != errors.Is(c.adopted, bucket.ErrUnreadable) {
				t.Errorf("from the bucket alone: %s, stray %q, %v", found.Key, stray, err)
			}
			if !errors.Is(c.adopted, bucket.ErrUnreadable) {
				return
			}
			now, err := a.RestoreLonger(t.Context(), was, strings.NewReader("the log goes on"))
			if err != nil || string(readLog(t, a, now.Key)) != "the log goes on" {
				t.Errorf("restored %+v, %v", now, err)
			}
		})
	}
	if _, err := newArchive(t, buckettest.Open(t, "file://"+t.TempDir()), 9).PutLonger(context.Background(), archive.Log{}, strings.NewReader("x")); !errors.Is(err, bucket.ErrUnreadable) {
		t.Errorf("longer than nothing: %v", err)
	}
}

// putNext puts a whole log under the next log's key.
func putNext(raw string) func(*testing.T, *archive.Archive) {
	return func(t *testing.T, a *archive.Archive) {
		elsewhere := archive.JobKey{RepositoryID: 9, RunID: 9, RunAttempt: 9, JobID: 9}
		log := putLog(t, a, elsewhere, []byte(raw))
		buckettest.Put(t, a.Bucket(), key.LogNumbered(2), buckettest.Get(t, a.Bucket(), log.Key, 0, -1))
	}
}

// A deep look tells whether a log begins with what it was before, and a lost shorter one is
// made of it again.
func TestALogIsVerifiedWithWhatItWasBefore(t *testing.T) {
	t.Parallel()
	a := newArchive(t, buckettest.Open(t, "file://"+t.TempDir()), 1<<40)
	raw := text(1<<20 + 5000)
	was := putLog(t, a, key, raw[:1<<20+100])
	now, err := a.PutLonger(t.Context(), was, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	shorter := was.AsShorter(time.Time{})
	now.Shorter = []archive.ShorterLog{shorter}
	verify(t, a, "as it was put", now, "", "")
	var copied bytes.Buffer
	if err := a.CopyStored(t.Context(), &copied, now); err != nil {
		t.Error(err)
	}
	for what, changed := range map[string]archive.ShorterLog{
		"another digest": {RawBytes: shorter.RawBytes, SHA256: archive.Digest{1}},
		"another length": {RawBytes: shorter.RawBytes - 1, SHA256: shorter.SHA256},
		"all of it":      {RawBytes: now.RawBytes, SHA256: now.SHA256},
	} {
		other := now
		other.Shorter = []archive.ShorterLog{changed}
		verify(t, a, what, other, "", archive.FaultShorter)
		if err := a.CopyStored(t.Context(), io.Discard, other); !errors.Is(err, bucket.ErrUnreadable) {
			t.Errorf("%s: copied with %v", what, err)
		}
	}
	for _, deep := range []bool{false, true} {
		if damage, err := a.VerifyShorter(t.Context(), shorter, deep); damage != nil || err != nil {
			t.Errorf("shorter, deep %t: %v, %v", deep, damage, err)
		}
	}
	if err := a.Bucket().Remove(t.Context(), was.Key); err != nil {
		t.Fatal(err)
	}
	if damage, err := a.VerifyShorter(t.Context(), shorter, false); damage == nil || damage.Kind != archive.FaultAbsent || err != nil {
		t.Errorf("lost: %v, %v", damage, err)
	}
	wrong := shorter
	wrong.SHA256 = archive.Digest{7}
	if _, err := a.RestoreShorter(t.Context(), now, wrong); !errors.Is(err, archive.ErrDigestMismatch) {
		t.Errorf("made of a log that does not begin with it: %v", err)
	}
	if _, err := a.RestoreShorter(t.Context(), now, shorter); err != nil {
		t.Fatal(err)
	}
	if damage, err := a.VerifyShorter(t.Context(), shorter, true); damage != nil || err != nil {
		t.Errorf("made again: %v, %v", damage, err)
	}
}

func TestNumberedKeys(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		k := archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 3, JobID: rapid.Int64Range(1, 1<<60).Draw(rt, "job")}
		n := rapid.IntRange(1, 1<<31-1).Draw(rt, "number")
		log := k.LogNumbered(n)
		for key, want := range map[string]string{log: archive.LogName, archive.FilterKey(log): archive.FilterName} {
			if got, name, ok := archive.ParseKey(key); !ok || got != k || name != want || archive.LogNumber(key) != n {
				rt.Errorf("%q is %v, %q, %v, number %d of %d", key, got, name, ok, archive.LogNumber(key), n)
			}
		}
	})
	if k := (archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 3, JobID: 4}); k.LogNumbered(1) != k.Log() || archive.FilterKey(k.Log()) != k.Filter() || k.LogNumbered(2) != "v1/1/2/3/4/log-2.zst" {
		t.Error("the first log has a number, or the second none")
	}
	for _, key := range []string{"log-1.zst", "log-0.zst", "log-02.zst", "log--2.zst", "log-2", "log-2.zst.zst", "log-.zst", "log-99999999999.zst", "log-1.filter", "log-+2.filter", "job-2.json"} {
		if _, name, ok := archive.ParseKey("v1/1/2/3/4/" + key); ok {
			t.Errorf("%s is %s", key, name)
		}
	}
	if diff := cmp.Diff([]string{"v1/1/2/3/4/log.zst", "v1/1/2/3/4/log.filter", "v1/1/2/3/4/log-2.zst", "v1/1/2/3/4/log-2.filter"},
		archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 3, JobID: 4}.LogObjects(2)); diff != "" {
		t.Error(diff)
	}
}
