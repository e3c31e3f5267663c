package archive_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
)

// removalLine is the line of a job whose log was redacted a number of times; each reason
// is long.
func removalLine(id int64, redactions, reason int) archive.RemovalsLine {
	at := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	s := archive.Settled{
		State: "removed", Reason: "redaction: a token", At: at,
		Removal: &archive.Removal{Kind: "redaction", Reason: "redaction: a token", Actor: "eve", DecidedAt: at, SHA256: sha256.Sum256([]byte{byte(id)}), ArchivedAt: at},
	}
	for n := 1; n <= redactions; n++ {
		c := archive.Redaction{Number: n, Actor: "eve", Reason: strings.Repeat("x", reason), At: at}
		if n < redactions {
			c.RemovedAt, c.RemovedBy, c.RemovedReason = &at, "eve", "x"
		}
		s.Redactions = append(s.Redactions, c)
	}
	return archive.RemovalsLineOf(archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: id}, s)
}

// What is written is read, each record follows the one before it, no number is used
// twice, and a record is bounded, whatever it is given.
func TestRemovals(t *testing.T) {
	t.Parallel()
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		a, err := archive.New(b, 1<<40)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
		var many []archive.RemovalsLine
		for id := int64(1); id <= archive.MaxRemovalsLines+1; id++ {
			many = append(many, removalLine(id, 0, 0))
		}
		wide := []archive.RemovalsLine{removalLine(1, 3, 3<<20), removalLine(2, 0, 0)}
		var previous *archive.RemovalsRecord
		for i, s := range []struct {
			lines []archive.RemovalsLine
			want  int
		}{{many[:1], 1}, {many, archive.MaxRemovalsLines}, {wide, 1}, {[]archive.RemovalsLine{removalLine(7, 2, 10)}, 1}} {
			wrote, err := a.WriteRemovals(t.Context(), previous, at, s.lines)
			if err != nil || wrote.Number != int64(i+1) || len(wrote.Lines) != s.want {
				t.Fatalf("record %d: %d lines, %v", wrote.Number, len(wrote.Lines), err)
			}
			if _, err := a.WriteRemovals(t.Context(), previous, at, s.lines); !errors.Is(err, bucket.ErrExists) {
				t.Errorf("a second time: %v", err)
			}
			read, err := a.ReadRemovals(t.Context(), wrote.Number)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wrote, read); diff != "" {
				t.Errorf("(-wrote +read):\n%s", diff)
			}
			if sum := sha256.Sum256(buckettest.Get(t, b, archive.RemovalsKey(wrote.Number), 0, -1)); sum != read.SHA256 || previous != nil && read.PreviousSHA256 != previous.SHA256 {
				t.Errorf("record %d: the digests are not those of the objects", wrote.Number)
			}
			previous = &wrote
		}
		if steps := removalLine(7, 2, 10).Settled.Steps(); steps != 4 { // removed, a copy made, removed, and another made
			t.Errorf("%d steps", steps)
		}
		if _, err := a.ReadRemovals(t.Context(), 5); !errors.Is(err, bucket.ErrNotFound) {
			t.Errorf("record 5: %v", err)
		}
		buckettest.Put(t, b, archive.RemovalsPrefix+"1.jsonl", []byte("x"))
		var strays []string
		numbers, err := a.Removals(t.Context(), func(o bucket.Object) { strays = append(strays, o.Key) })
		if err != nil || fmt.Sprint(numbers, strays) != "[1 2 3 4] [v1/removals/1.jsonl]" {
			t.Errorf("listed %v, %v, %v", numbers, strays, err)
		}
	})
}

// A record that says what cannot be so is unreadable: nothing is done of it.
func TestRemovalsThatCannotBe(t *testing.T) {
	t.Parallel()
	b := buckettest.Open(t, "file://"+t.TempDir())
	a, err := archive.New(b, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.WriteRemovals(t.Context(), nil, time.Now(), []archive.RemovalsLine{removalLine(7, 2, 1)}); err != nil {
		t.Fatal(err)
	}
	good := string(buckettest.Get(t, b, archive.RemovalsKey(1), 0, -1))
	for name, edit := range map[string][2]string{
		"another number":        {`"number":1`, `"number":2`},
		"a newer format":        {`"removals":1`, `"removals":2`},
		"no format":             {`"removals":1`, `"x":1`},
		"a predecessor":         {`"previous_sha256":null`, `"previous_sha256":"` + strings.Repeat("0", 64) + `"`},
		"more lines":            {`"lines":1`, `"lines":2`},
		"no job":                {`"job_id":7`, `"job_id":0`},
		"another state":         {`"state":"removed"`, `"state":"missing"`},
		"nothing removed":       {`"removal":{`, `"y":{`},
		"copies out of order":   {`"number":2,"sha256"`, `"number":1,"sha256"`},
		"a digest cut":          {`"sha256":"`, `"sha256":"00`},
		"cut short":             {"}\n", "}"},
		"nested without an end": {`"settled":{`, `"settled":` + strings.Repeat("[", 1<<20) + `{`},
	} {
		bad := strings.Replace(good, edit[0], edit[1], 1)
		if name == "cut short" {
			bad = good[:len(good)-1]
		}
		if bad == good {
			t.Fatalf("%s: nothing is changed", name)
		}
		if _, err := b.Replace(t.Context(), archive.RemovalsKey(1), strings.NewReader(bad)); err != nil {
			t.Fatal(err)
		}
		if _, err := a.ReadRemovals(t.Context(), 1); !errors.Is(err, bucket.ErrUnreadable) || !strings.Contains(err.Error(), archive.RemovalsKey(1)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	long := bytes.Repeat([]byte(" "), 33<<20)
	if _, err := b.Replace(t.Context(), archive.RemovalsKey(1), bytes.NewReader(long)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.ReadRemovals(t.Context(), 1); !errors.Is(err, bucket.ErrUnreadable) {
		t.Errorf("too long: %v", err)
	}
}

// What no reader accepts is not written: it could never be taken away, and nobody would
// be let in any more.
func TestRemovalsThatNobodyCouldRead(t *testing.T) {
	t.Parallel()
	a, err := archive.New(buckettest.Open(t, "file://"+t.TempDir()), 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*archive.RemovalsLine){
		"no job":              func(l *archive.RemovalsLine) { l.JobID = 0 },
		"another state":       func(l *archive.RemovalsLine) { l.Settled.State = "missing" },
		"nothing removed":     func(l *archive.RemovalsLine) { l.Settled.Removal = nil },
		"no digest":           func(l *archive.RemovalsLine) { l.Settled.Removal.SHA256 = archive.Digest{} },
		"copies out of order": func(l *archive.RemovalsLine) { slices.Reverse(l.Settled.Redactions) },
		"a time that is none": func(l *archive.RemovalsLine) { l.Settled.At = l.Settled.At.AddDate(10000, 0, 0) },
		"too long":            func(l *archive.RemovalsLine) { l.Settled.Redactions[0].Reason = strings.Repeat("x", 32<<20) },
	} {
		bad := removalLine(7, 2, 1)
		edit(&bad)
		if err := bad.Check(); err == nil || !strings.Contains(err.Error(), "job") {
			t.Errorf("%s: %v", name, err)
		}
		if r, err := a.WriteRemovals(t.Context(), nil, time.Now(), []archive.RemovalsLine{removalLine(1, 0, 0), bad}); err == nil {
			t.Errorf("%s: a record with %d lines is written", name, len(r.Lines))
		}
	}
	if numbers, err := a.Removals(t.Context(), func(bucket.Object) {}); err != nil || len(numbers) > 0 {
		t.Errorf("records %v, %v", numbers, err)
	}
	good := removalLine(7, 2, 1)
	if err := good.Check(); err != nil {
		t.Error(err)
	}
}

func TestRemovalsKeys(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]int64{
		"v1/removals/0000000001.jsonl": 1, "v1/removals/9999999999.jsonl": 9999999999, "v1/removals/10000000000.jsonl": 10000000000,
		"v1/removals/0000000000.jsonl": 0, "v1/removals/1.jsonl": 0, "v1/removals/-000000001.jsonl": 0, "v1/removals/0000000001": 0, "v1/x/0000000001.jsonl": 0,
	} {
		if n, ok := archive.ParseRemovalsKey(key); ok != (want > 0) || ok && n != want {
			t.Errorf("%s: %d, %v", key, n, ok)
		}
	}
}

// Whatever a record holds, it is read in bounded time, and written again it is the same.
func FuzzRemovals(f *testing.F) {
	f.Add([]byte(`{"removals":1,"number":1,"previous_sha256":null,"written_at":"2026-11-25T10:00:00Z","lines":0}` + "\n"))
	b := buckettest.Open(f, "file://"+f.TempDir())
	a, err := archive.New(b, 1<<40)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := a.WriteRemovals(f.Context(), nil, time.Now(), []archive.RemovalsLine{removalLine(7, 2, 1)}); err != nil {
		f.Fatal(err)
	}
	f.Add(buckettest.Get(f, b, archive.RemovalsKey(1), 0, -1))
	f.Fuzz(func(t *testing.T, object []byte) {
		if _, err := b.Replace(t.Context(), archive.RemovalsKey(1), bytes.NewReader(object)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		r, err := a.ReadRemovals(t.Context(), 1)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s for %d bytes", took, len(object))
		}
		if err != nil {
			if !errors.Is(err, bucket.ErrUnreadable) {
				t.Errorf("%v", err)
			}
			return
		}
		for _, l := range r.Lines {
			if k, _, ok := archive.ParseKey(l.Key().Log()); !ok || k != l.Key() || l.Settled.Steps() < 1 {
				t.Errorf("a line without a removal: %+v", l)
			}
		}
	})
}
