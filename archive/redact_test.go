package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
)

const redactStamp = "2024-07-08T16:48:09.3750041Z "

func expressions(texts ...string) []*regexp.Regexp {
	var out []*regexp.Regexp
	for _, s := range texts {
		out = append(out, regexp.MustCompile(s))
	}
	return out
}

func readAll(t testing.TB, a *archive.Archive, key string) []byte {
	t.Helper()
	body, err := a.OpenLog(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	got, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRedactLog(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", archive.MaxLine-len("s3cret"))
	for name, c := range map[string]struct {
		log, want string
		patterns  []string
		matches   int64
		lines     int64
	}{
		"plain":                    {redactStamp + "a s3cret b\nc\n", redactStamp + "a [redacted] b\nc\n", []string{"s3cret"}, 1, 1},
		"CRLF":                     {redactStamp + "s3cret\r\nc s3cret\r\n", redactStamp + "[redacted]\r\nc [redacted]\r\n", []string{"s3cret"}, 2, 2},
		"carriage return is end":   {"s3cret\r\nb\n", "[redacted]\r\nb\n", []string{"s3cret."}, 0, 0},
		"byte order mark":          {"\ufeff" + redactStamp + "s3cret\n", "\ufeff" + redactStamp + "[redacted]\n", []string{"^s3cret$"}, 1, 1},
		"colours":                  {redactStamp + "\x1b[31ms3cret\x1b[0m\n", redactStamp + "\x1b[31m[redacted]\x1b[0m\n", []string{"s3cret"}, 1, 1},
		"no newline at the end":    {"a\ns3cret", "a\n[redacted]", []string{"s3cret"}, 1, 1},
		"only line":                {"s3cret", "[redacted]", []string{"s3cret"}, 1, 1},
		"time stamp is no text":    {redactStamp + "2024 s3cret\n", redactStamp + "[redacted] [redacted]\n", []string{"2024", "s3cret"}, 2, 1},
		"patterns overlap":         {"abcdef abc\n", "[redacted]f [redacted]\n", []string{"abc", "bcde"}, 2, 1},
		"one finds no replacement": {"s3cret\nred\n", "[redacted]\n[redacted]\n", []string{"s3cret", "red"}, 2, 2},
		"side by side":             {"abab\n", "[redacted][redacted]\n", []string{"ab"}, 2, 1},
		"bytes that are no text":   {"\xff\xfes3cret\xff\n", "\xff\xfe[redacted]\xff\n", []string{"s3cret"}, 1, 1},
		"longest line":             {long + "s3cret\r\n", long + "[redacted]\r\n", []string{"s3cret"}, 1, 1},
		"longest line, cut":        {long + "s3cret", long + "[redacted]", []string{"s3cret"}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArchive(t, buckettest.Open(t, "file://"+t.TempDir()), 1<<40)
			log := putLog(t, a, key, []byte(c.log))
			copied, count, err := a.RedactLog(t.Context(), key.Log(), log.SHA256, key, 1, expressions(c.patterns...))
			if c.matches == 0 {
				if !errors.Is(err, archive.ErrNoMatch) {
					t.Errorf("%v, want ErrNoMatch", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := readAll(t, a, key.Redacted(1)); string(got) != c.want {
				t.Errorf("%.100q, want %.100q", got, c.want)
			}
			if count != (archive.RedactionCount{Matches: c.matches, Lines: c.lines}) {
				t.Errorf("counted %+v", count)
			}
			if copied.Lines != log.Lines || copied.Key != key.Redacted(1) {
				t.Errorf("the copy is %+v", copied)
			}
			if got := readAll(t, a, key.Log()); string(got) != c.log {
				t.Error("the log itself is changed")
			}
			described, err := a.DescribeRedacted(t.Context(), key, 1)
			if diff := cmp.Diff(copied, described); err != nil || diff != "" {
				t.Errorf("described %v (-put +described):\n%s", err, diff)
			}
			if damage, err := a.Verify(t.Context(), copied, true); damage != nil || err != nil {
				t.Errorf("verified: %v, %v", damage, err)
			}
		})
	}
}

// What fails stores nothing, and says nothing of the pattern.
func TestRedactLogFails(t *testing.T) {
	t.Parallel()
	b := buckettest.Open(t, "file://"+t.TempDir())
	a := newArchive(t, b, 1<<40)
	log := putLog(t, a, key, []byte("one\ns3cret\n"+strings.Repeat("x", archive.MaxLine)+"\ntoo "+strings.Repeat("x", archive.MaxLine)+"\n"))
	short := archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 3, JobID: 5}
	small := putLog(t, a, short, []byte("one\ns3cret\n"))
	for name, c := range map[string]struct {
		key      archive.JobKey
		sum      [32]byte
		patterns []string
		want     error
		says     string
	}{
		"long line":     {key, log.SHA256, []string{"s3cret"}, archive.ErrLongLine, "line 4:"},
		"no match":      {short, small.SHA256, []string{"one", "hunter2"}, archive.ErrNoMatch, "pattern 2 of 2"},
		"empty":         {short, small.SHA256, []string{"s3cret", `\b`}, archive.ErrEmptyMatch, "line 1: pattern 2 of 2"},
		"another log":   {short, log.SHA256, []string{"s3cret"}, archive.ErrDigestMismatch, ""},
		"across lines":  {short, small.SHA256, []string{`one\ns3cret`}, archive.ErrNoMatch, ""},
		"there is none": {archive.JobKey{RepositoryID: 9, RunID: 9, RunAttempt: 9, JobID: 9}, log.SHA256, []string{"s3cret"}, bucket.ErrNotFound, ""},
	} {
		_, _, err := a.RedactLog(t.Context(), c.key.Log(), c.sum, c.key, 1, expressions(c.patterns...))
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v that says %q", name, err, c.want, c.says)
		}
		for _, secret := range []string{"hunter2", "s3cret"} {
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error repeats the pattern: %v", name, err)
			}
		}
		if _, err := b.Size(t.Context(), c.key.Redacted(1)); !errors.Is(err, bucket.ErrNotFound) {
			t.Errorf("%s: there is a copy (%v)", name, err)
		}
	}
	if _, _, err := a.RedactLog(t.Context(), short.Log(), small.SHA256, short, 1, expressions("s3cret")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.RedactLog(t.Context(), short.Log(), small.SHA256, short, 1, expressions("s3cret")); !errors.Is(err, bucket.ErrExists) {
		t.Errorf("a second copy with the number: %v, want ErrExists", err)
	}
}

// An object that ends too early at the border of a frame passes for whole to whoever
// only decompresses it.
func TestRedactLogSeesThatTheEndIsMissing(t *testing.T) {
	t.Parallel()
	b := buckettest.Open(t, "file://"+t.TempDir())
	a := newArchive(t, b, 1<<40)
	raw := bytes.Repeat([]byte(redactStamp+"s3cret\n"), 100_000)
	log := putLog(t, a, key, raw)
	object := buckettest.Get(t, b, key.Log(), 0, log.FrameOffsets[2])
	if _, err := b.Replace(t.Context(), key.Log(), bytes.NewReader(object)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.RedactLog(t.Context(), key.Log(), log.SHA256, key, 1, expressions("s3cret")); !errors.Is(err, archive.ErrDigestMismatch) {
		t.Errorf("%v, want ErrDigestMismatch", err)
	}
}

// Lines go on across frames, a copy may be longer than the log and than the limit, and
// every line stays where it was.
func TestRedactLogAcrossFrames(t *testing.T) {
	t.Parallel()
	var raw, want bytes.Buffer
	for i := 0; raw.Len() < 3<<20; i++ {
		line := fmt.Sprintf("%sline %d %s", redactStamp, i, strings.Repeat("-", i%977))
		fmt.Fprintf(&raw, "%s k%d\n", line, i%10)
		fmt.Fprintf(&want, "%s [redacted]\n", line)
	}
	a := newArchive(t, buckettest.Open(t, "file://"+t.TempDir()), int64(raw.Len()))
	log := putLog(t, a, key, raw.Bytes())
	copied, count, err := a.RedactLog(t.Context(), key.Log(), log.SHA256, key, 7, expressions(`k\d$`))
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, a, key.Redacted(7)); !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%d bytes are not the %d wanted", len(got), want.Len())
	}
	if count.Matches != log.Lines || copied.Truncated || len(copied.FrameLines) < 3 {
		t.Errorf("counted %+v, the copy is %+v", count, copied.LogLayout)
	}
	n := int64(0)
	if err := a.ScanLines(t.Context(), copied.LogLayout, 20_00, 20_09, func(number int64, line []byte) error {
		n++
		if !bytes.Contains(line, fmt.Appendf(nil, "line %d ", number-1)) {
			t.Errorf("line %d is %q", number, line)
		}
		return nil
	}); err != nil || n != 10 {
		t.Errorf("%d lines, %v", n, err)
	}
}

// Whatever the log, its lines, line ends and stamps stay, and nothing of the secret.
func TestRedactLogOfAnything(t *testing.T) {
	t.Parallel()
	a := newArchive(t, buckettest.Open(t, "file://"+t.TempDir()), 1<<40)
	job := int64(0)
	rapid.Check(t, func(rt *rapid.T) {
		parts := rapid.SliceOf(rapid.SampledFrom([]string{"s3cret", "\n", "\r\n", "\r", " ", redactStamp, "\ufeff", "\x1b[0m", "x", "\xff", "[redacted]"})).Draw(rt, "parts")
		raw := strings.Join(parts, "")
		if !strings.Contains(raw, "s3cret") {
			raw += "s3cret"
		}
		job++
		k := archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 3, JobID: job}
		log := putLog(t, a, k, []byte(raw))
		copied, _, err := a.RedactLog(t.Context(), k.Log(), log.SHA256, k, 1, expressions("s3cret"))
		if err != nil {
			rt.Fatal(err)
		}
		if got, want := string(readAll(t, a, k.Redacted(1))), strings.ReplaceAll(raw, "s3cret", "[redacted]"); got != want {
			rt.Errorf("%q, want %q", got, want)
		}
		if copied.Lines != log.Lines {
			rt.Errorf("%d lines, want %d", copied.Lines, log.Lines)
		}
	})
}
