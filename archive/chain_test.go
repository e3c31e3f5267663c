package archive_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/internal/testenv"
)

// books is a bucket with manifests of some days, of five jobs each: those whose ids
// end in 5 have no log.
type books struct {
	t       testing.TB
	dir     string
	bucket  bucket.Bucket
	archive *archive.Archive
	dates   []time.Time
}

const bookDays = 4

func newBooks(t testing.TB) *books {
	t.Helper()
	b := &books{t: t, dir: t.TempDir()}
	b.bucket = buckettest.Open(t, "file://"+b.dir)
	b.archive = newArchive(t, b.bucket, 1<<40)
	var previous *archive.Manifest
	for i := range bookDays {
		date := time.Date(2024, 7, 8+i, 0, 0, 0, 0, time.UTC)
		b.dates = append(b.dates, date)
		var lines []archive.ManifestLine
		for n := range 5 {
			lines = append(lines, b.settle(int64(100*(i+1)+n+1), date.Add(time.Hour)))
		}
		m, err := b.archive.WriteManifest(t.Context(), date, previous, nil, each(lines...))
		b.check(err)
		previous = &m
	}
	return b
}

func (b *books) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func each(lines ...archive.ManifestLine) iter.Seq2[archive.ManifestLine, error] {
	return func(yield func(archive.ManifestLine, error) bool) {
		for _, l := range lines {
			if !yield(l, nil) {
				return
			}
		}
	}
}

// settle puts a job into the bucket, at a time, and gives its line.
func (b *books) settle(id int64, at time.Time) archive.ManifestLine {
	b.t.Helper()
	k := archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: id}
	details := fmt.Appendf(nil, `{"id":%d}`, id)
	_, err := b.archive.PutDetails(b.t.Context(), k, details)
	b.check(err)
	sum := sha256.Sum256(details)
	l := archive.ManifestLine{
		RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: id, State: "missing", SettledAt: at, Reason: "no <log> & \"none\" ü",
		DetailsSHA256: hex.EncodeToString(sum[:]), DetailsBytes: new(int64(len(details))),
	}
	if id%10 == 5 {
		_, err := b.archive.PutSettled(b.t.Context(), k, archive.Settled{State: "missing", At: at})
		b.check(err)
	} else {
		log := putLog(b.t, b.archive, k, fmt.Appendf(nil, "the log\nof job %d", id))
		l.State, l.Reason, l.HTTPStatus, l.ObjectKey, l.RawBytes, l.StoredBytes, l.Lines = "archived", "", 200, log.Key, &log.RawBytes, &log.StoredBytes, &log.Lines
		l.SHA256, l.StoredSHA256 = hex.EncodeToString(log.SHA256[:]), hex.EncodeToString(log.StoredSHA256[:])
	}
	for _, key := range []string{k.Log(), k.Details(), k.Settled()} {
		if err := os.Chtimes(filepath.Join(b.dir, key), at, at); err != nil && !errors.Is(err, os.ErrNotExist) {
			b.t.Fatal(err)
		}
	}
	return l
}

// lines are those of the manifest of a day, counted from 0.
func (b *books) lines(i int) []string {
	b.t.Helper()
	dec, err := zstd.NewReader(nil)
	b.check(err)
	defer dec.Close()
	raw, err := dec.DecodeAll(buckettest.Get(b.t, b.bucket, archive.ManifestKey(b.dates[i]), 0, -1), nil)
	b.check(err)
	return slices.Collect(strings.Lines(string(raw)))
}

// write puts lines in the place of a manifest.
func (b *books) write(i int, lines []string) {
	b.t.Helper()
	enc, err := zstd.NewWriter(nil)
	b.check(err)
	defer enc.Close()
	b.put(archive.ManifestKey(b.dates[i]), enc.EncodeAll([]byte(strings.Join(lines, "")), nil))
}

func (b *books) put(key string, content []byte) {
	b.t.Helper()
	_, err := b.bucket.Replace(b.t.Context(), key, bytes.NewReader(content))
	b.check(err)
}

var beforeInLine = regexp.MustCompile(`"before":"[0-9a-f]*"`)

// consistent corrects `before` in each line and the number in the end line, as somebody
// would do who knows the format.
func consistent(lines []string) []string {
	sum, out := sha256.New(), slices.Clone(lines)
	for i, l := range out {
		l = beforeInLine.ReplaceAllString(l, fmt.Sprintf(`"before":"%x"`, sum.Sum(nil)))
		out[i] = regexp.MustCompile(`"jobs":\d+`).ReplaceAllString(l, fmt.Sprintf(`"jobs":%d`, len(lines)-2))
		sum.Write([]byte(out[i]))
	}
	return out
}

// verify gives the faults as "date line job kind", and the last manifest.
func (b *books) verify(o archive.ChainOptions) (faults []string, sum archive.Chain) {
	b.t.Helper()
	copied, err := bucket.OpenCopy(b.dir)
	b.check(err)
	sum, err = newArchive(b.t, copied, 1<<40).VerifyChain(b.t.Context(), o, func(f archive.Fault) {
		faults = append(faults, fmt.Sprintf("%s %d %d %s", f.Date, f.Line, f.JobID, f.Kind))
		if f.Key == "" || f.Detail == "" {
			b.t.Errorf("a fault without key or detail: %+v", f)
		}
		b.t.Log(f.Error())
	}, func(_, _ int64) {})
	b.check(err)
	if sum.Faults+int(sum.Replaced) != len(faults) {
		b.t.Errorf("%d faults and notices reported, %d and %d counted", len(faults), sum.Faults, sum.Replaced)
	}
	return faults, sum
}

// What is wrong with a manifest is found, and named by day, line and job.
func TestChainFindsWhatWasTamperedWith(t *testing.T) {
	t.Parallel()
	replace := func(i, line int, old, with string) func(*books) {
		return func(b *books) {
			lines := b.lines(i)
			if !strings.Contains(lines[line], old) {
				b.t.Fatalf("no %s in %s", old, lines[line])
			}
			lines[line] = strings.Replace(lines[line], old, with, 1)
			b.write(i, lines)
		}
	}
	edit := func(i int, f func([]string) []string) func(*books) {
		return func(b *books) { b.write(i, f(b.lines(i))) }
	}
	remove := func(i int) func(*books) {
		return func(b *books) { b.check(b.bucket.Remove(b.t.Context(), archive.ManifestKey(b.dates[i]))) }
	}
	for name, c := range map[string]struct {
		tamper func(*books)
		want   []string
	}{
		"nothing": {func(*books) {}, nil},
		"a line changed": {replace(1, 2, `"state":"archived"`, `"state":"none"`),
			[]string{"2024-07-09 4 203 line", "2024-07-10 0 0 previous", "2024-07-09 3 202 settled"}},
		"a time changed":      {replace(3, 5, "2024-07-11T01", "2024-07-11T02"), []string{"2024-07-11 7 0 line"}},
		"a line's own before": {replace(3, 3, `"before":"`, `"before":"0`), []string{"2024-07-11 4 403 line"}},
		"a line dropped": {edit(1, func(l []string) []string { return slices.Delete(l, 3, 4) }),
			[]string{"2024-07-09 4 204 line", "2024-07-09 6 0 end", "2024-07-10 0 0 previous", " 0 203 unlisted"}},
		"the last job dropped": {edit(3, func(l []string) []string { return slices.Delete(l, 5, 6) }),
			[]string{"2024-07-11 6 0 line", "2024-07-11 6 0 end", " 0 405 unlisted"}},
		"lines reordered": {edit(1, func(l []string) []string { l[2], l[3] = l[3], l[2]; return l }),
			[]string{"2024-07-09 4 202 order", "2024-07-09 3 203 line", "2024-07-10 0 0 previous"}},
		"a line inserted": {edit(3, func(l []string) []string {
			return slices.Insert(l, 3, strings.Replace(l[2], `"job_id":402`, `"job_id":4025`, 1))
		}),
			[]string{"2024-07-11 5 403 order", "2024-07-11 4 4025 line", "2024-07-11 8 0 end", "2024-07-11 4 4025 details", "2024-07-11 4 4025 key"}},
		"a line twice": {edit(3, func(l []string) []string { return slices.Insert(l, 3, l[2]) }),
			[]string{"2024-07-11 4 402 order", "2024-07-11 4 402 line", "2024-07-11 8 0 end"}},
		"the end line changed": {replace(3, 6, `"jobs":5`, `"jobs":6`), []string{"2024-07-11 7 0 end"}},
		"the end line dropped": {edit(3, func(l []string) []string { return l[:6] }), []string{"2024-07-11 6 0 end"}},
		"a line after the end": {edit(3, func(l []string) []string { return append(l, l[2], l[3]) }), []string{"2024-07-11 8 0 end"}},
		"no header": {edit(3, func(l []string) []string { return l[1:] }),
			[]string{"2024-07-11 1 0 header", "2024-07-11 2 402 line", "2024-07-11 6 0 end", " 0 401 unlisted"}},
		"another day's header": {replace(3, 0, `"date":"2024-07-11"`, `"date":"2024-07-12"`), []string{"2024-07-11 1 0 header", "2024-07-11 2 401 line"}},
		"a newer format":       {replace(3, 0, `"manifest":1`, `"manifest":2`), []string{"2024-07-11 1 0 header", "2024-07-11 2 401 line"}},
		"no JSON":              {replace(3, 3, `{`, ``), []string{"2024-07-11 4 0 unreadable", "2024-07-11 5 404 line", "2024-07-11 7 0 end", " 0 403 unlisted"}},
		"an id of none": {replace(3, 3, `"job_id":403`, `"job_id":-403`),
			[]string{"2024-07-11 4 -403 order", "2024-07-11 4 -403 unreadable", "2024-07-11 5 404 line", " 0 403 unlisted"}},
		"rewritten consistently": {edit(1, func(l []string) []string { return consistent(slices.Delete(l, 5, 6)) }),
			[]string{"2024-07-10 0 0 previous", " 0 205 unlisted"}},
		"a day missing":         {remove(1), []string{"2024-07-09 0 0 absent", " 0 201 unlisted", " 0 202 unlisted", " 0 203 unlisted", " 0 204 unlisted", " 0 205 unlisted"}},
		"the first day missing": {remove(0), []string{"2024-07-08 0 0 absent", " 0 101 unlisted", " 0 102 unlisted", " 0 103 unlisted", " 0 104 unlisted", " 0 105 unlisted"}},
		"the last day missing":  {remove(3), nil}, // see --head, and what holds the database against the bucket
		"two days swapped":      {func(b *books) { one, two := b.lines(1), b.lines(2); b.write(1, two); b.write(2, one) }, []string{"2024-07-09 1 0 header", "2024-07-10 1 0 header", "2024-07-11 0 0 previous"}},
		"a second first": {edit(2, func(l []string) []string {
			l[0] = `{"manifest":1,"date":"2024-07-10","previous":null,"previous_sha256":null}` + "\n"
			return consistent(l)
		}), []string{"2024-07-10 0 0 previous", "2024-07-11 0 0 previous"}},
		"a stray object": {func(b *books) { buckettest.Put(b.t, b.bucket, "v1/manifests/2024-7-8.jsonl.zst", nil) }, []string{" 0 0 key"}},
		"another log": {edit(3, func(l []string) []string {
			l[1] = strings.NewReplacer("401", "101").Replace(l[1])
			return consistent(l)
		}), []string{"2024-07-11 2 101 changed", "2024-07-11 2 101 replaced", " 0 401 unlisted"}},
		"no Zstandard": {func(b *books) { b.put(archive.ManifestKey(b.dates[3]), []byte("hello")) }, nil},
		"cut short": {func(b *books) {
			k := archive.ManifestKey(b.dates[3])
			b.put(k, buckettest.Get(b.t, b.bucket, k, 0, 300))
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBooks(t)
			c.tamper(b)
			got, _ := b.verify(archive.ChainOptions{})
			slices.Sort(got)
			slices.Sort(c.want)
			switch name {
			case "no Zstandard", "cut short":
				if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "2024-07-11 1 0 unreadable") }) {
					t.Errorf("faults: %q", got)
				}
			default:
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("faults (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// Objects are compared with the latest manifest that lists their job; deep, their digests
// too.
func TestChainFindsWhatIsWrongInTheBucket(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	if faults, sum := b.verify(archive.ChainOptions{Deep: true}); faults != nil || sum.Jobs != 20 || sum.Lines != 20 || sum.Manifests != bookDays || sum.RawBytes == 0 {
		t.Fatalf("%q %+v", faults, sum)
	}
	k := func(id int64) archive.JobKey {
		return archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: id}
	}
	log := buckettest.Get(t, b.bucket, k(101).Log(), 0, -1)
	log[12] ^= 1
	b.put(k(101).Log(), log)
	b.put(k(102).Log(), buckettest.Get(t, b.bucket, k(103).Log(), 0, -1))
	b.put(k(104).Log(), log[:10])
	b.put(k(201).Details(), []byte(`{"id":999}`))
	b.put(k(202).Details(), []byte(`{}`))
	b.put(k(305).Settled(), []byte(`{"state":"none"}`))
	b.put(k(405).Settled(), []byte(`{`))
	for _, key := range []string{k(203).Log(), k(204).Details(), k(205).Settled()} {
		b.check(b.bucket.Remove(t.Context(), key))
	}
	buckettest.Put(t, b.bucket, k(999).Log(), []byte("newer"))
	buckettest.Put(t, b.bucket, k(998).Details(), []byte("not settled"))
	shallow := []string{
		"2024-07-08 5 104 size", "2024-07-09 3 202 details", "2024-07-09 4 203 absent", "2024-07-09 5 204 details", "2024-07-09 6 205 settled",
		"2024-07-10 6 305 settled", "2024-07-11 6 405 settled",
	}
	got, sum := b.verify(archive.ChainOptions{})
	slices.Sort(got)
	if diff := cmp.Diff(shallow, got); diff != "" || sum.NotYetListed != 1 {
		t.Errorf("shallow, %d later (-want +got):\n%s", sum.NotYetListed, diff)
	}
	deep := append(shallow[1:], "2024-07-08 2 101 unreadable", "2024-07-08 3 102 digest", "2024-07-08 5 104 unreadable", "2024-07-09 2 201 details")
	got, _ = b.verify(archive.ChainOptions{Deep: true})
	slices.Sort(got)
	slices.Sort(deep)
	if diff := cmp.Diff(deep, got); diff != "" {
		t.Errorf("deep (-want +got):\n%s", diff)
	}
	b.check(os.Rename(b.dir, b.dir+"-away"))
	defer os.Rename(b.dir+"-away", b.dir)
	if _, err := bucket.OpenCopy(b.dir); err == nil {
		t.Error("a copy that is not there can be opened, it seems")
	}
}

// A job that was missing and archived later is on two lines; of a log that was
// archived once, another one is a fault.
func TestChainKnowsTheLastWord(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	next := func(lines ...archive.ManifestLine) {
		t.Helper()
		last := b.dates[len(b.dates)-1]
		previous, err := b.archive.ReadManifest(t.Context(), last, func(archive.ManifestEntry) error { return nil })
		b.check(err)
		date := last.AddDate(0, 0, 1)
		b.dates = append(b.dates, date)
		_, err = b.archive.WriteManifest(t.Context(), date, &previous, nil, each(lines...))
		b.check(err)
	}
	k := archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: 105}
	log := putLog(t, b.archive, k, []byte("it came"))
	found := archive.ManifestLine{
		RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: 105, State: "archived", ObjectKey: log.Key, RawBytes: &log.RawBytes, StoredBytes: &log.StoredBytes, Lines: &log.Lines,
		SHA256: hex.EncodeToString(log.SHA256[:]), StoredSHA256: hex.EncodeToString(log.StoredSHA256[:]),
	}
	record := buckettest.Get(t, b.bucket, k.Settled(), 0, -1)
	recorded := sha256.Sum256(record)
	found.SettledSHA256, found.SettledBytes = hex.EncodeToString(recorded[:]), new(int64(len(record)))
	next(found)
	next()
	faults, sum := b.verify(archive.ChainOptions{Deep: true})
	if faults != nil || sum.Lines != 21 || sum.Jobs != 20 || sum.Last != "2024-07-13" {
		t.Errorf("%q %+v", faults, sum)
	}
	b.check(b.bucket.Remove(t.Context(), k.Log()))
	log = putLog(t, b.archive, k, []byte("another one"))
	found.SHA256, found.RawBytes, found.StoredBytes, found.StoredSHA256 = hex.EncodeToString(log.SHA256[:]), &log.RawBytes, &log.StoredBytes, ""
	next(found)
	if faults, _ := b.verify(archive.ChainOptions{Deep: true}); !cmp.Equal(faults, []string{"2024-07-14 2 105 changed"}) {
		t.Errorf("%q", faults)
	}
}

// If somebody has noted the digest of the last manifest, it is found when that one is
// dropped or rewritten.
func TestChainIsHeldAgainstANotedHead(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	_, sum := b.verify(archive.ChainOptions{})
	noted, err := hex.DecodeString(sum.SHA256)
	b.check(err)
	head, last := (*archive.Digest)(noted), b.dates[bookDays-1]
	for _, o := range []archive.ChainOptions{{Head: head}, {Head: head, HeadDate: last}} {
		if faults, _ := b.verify(o); faults != nil {
			t.Errorf("%q", faults)
		}
	}
	if faults, _ := b.verify(archive.ChainOptions{Head: head, HeadDate: b.dates[0]}); !cmp.Equal(faults, []string{"2024-07-08 0 0 head"}) {
		t.Errorf("of another day: %q", faults)
	}
	lines := b.lines(3)
	b.write(3, consistent(slices.Delete(slices.Clone(lines), 5, 6)))
	if faults, _ := b.verify(archive.ChainOptions{Head: head}); !cmp.Equal(faults, []string{" 0 0 head", " 0 405 unlisted"}) {
		t.Errorf("rewritten: %q", faults)
	}
	b.check(b.bucket.Remove(t.Context(), archive.ManifestKey(last)))
	if faults, _ := b.verify(archive.ChainOptions{Head: head, HeadDate: last}); !cmp.Equal(faults, []string{"2024-07-11 0 0 head"}) {
		t.Errorf("dropped: %q", faults)
	}
	for _, date := range b.dates[:3] {
		b.check(b.bucket.Remove(t.Context(), archive.ManifestKey(date)))
	}
	if faults, _ := b.verify(archive.ChainOptions{}); !cmp.Equal(faults, []string{" 0 0 absent"}) {
		t.Errorf("none left: %q", faults)
	}
}

// The format is what docs/manifests.md promises: zstd, head and sha256sum tell all.
func TestManifestCanBeCheckedWithoutJobvault(t *testing.T) {
	t.Parallel()
	zstdCommand := testenv.Program(t, "zstd")
	b := newBooks(t)
	run := func(i int, script string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "sh", "-ec", zstdCommand+` -dc "$1" | `+script, "sh", filepath.Join(b.dir, archive.ManifestKey(b.dates[i]))).Output()
		b.check(err)
		return strings.TrimSuffix(strings.TrimSpace(string(out)), "  -")
	}
	var header struct {
		Date, Previous string
		SHA256         string `json:"previous_sha256"`
	}
	lines := b.lines(2)
	b.check(json.Unmarshal([]byte(lines[0]), &header))
	if got := run(1, "sha256sum"); got != header.SHA256 || header.Previous != "2024-07-09" || header.Date != "2024-07-10" {
		t.Errorf("the header is %s, the manifest before has %s", lines[0], got)
	}
	for n, line := range lines[1:] {
		if got := run(2, fmt.Sprintf("head -n %d | sha256sum", n+1)); !strings.Contains(line, `"before":"`+got+`"`) {
			t.Errorf("what is before line %d has %s: %s", n+2, got, line)
		}
	}
	if want := `{"manifest":1,"date":"2024-07-08","previous":null,"previous_sha256":null,"lists":["log.zst","job.json","settled.json","redacted-N.zst"]}` + "\n"; b.lines(0)[0] != want {
		t.Errorf("the first header is %s", b.lines(0)[0])
	}
}

func TestManifestIsPutOnceAndWhole(t *testing.T) {
	t.Parallel()
	const lines = 8_000 // more than a megabyte: much is written before it breaks off
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		a := newArchive(t, b, 1<<40)
		date := time.Date(2024, 7, 8, 0, 0, 0, 0, time.UTC)
		many := func(yield func(archive.ManifestLine, error) bool) {
			for i := range int64(lines) {
				sum := sha256.Sum256(fmt.Appendf(nil, "%d", i))
				if !yield(archive.ManifestLine{RepositoryID: 1, RunID: 1, RunAttempt: 1, JobID: i + 1, State: "archived", SHA256: hex.EncodeToString(sum[:])}, nil) {
					return
				}
			}
		}
		broken := errors.New("the database broke")
		_, err := a.WriteManifest(t.Context(), date, nil, nil, func(yield func(archive.ManifestLine, error) bool) {
			for l := range iter.Seq2[archive.ManifestLine, error](many) {
				if !yield(l, nil) {
					return
				}
			}
			yield(archive.ManifestLine{}, broken)
		})
		if !errors.Is(err, broken) || len(listed(t, b, archive.ManifestPrefix)) != 0 {
			t.Errorf("lines that break off: %v", err)
		}
		if _, err := a.WriteManifest(t.Context(), date, nil, nil, each(archive.ManifestLine{JobID: 2}, archive.ManifestLine{JobID: 1})); err == nil {
			t.Error("lines in no order are written")
		}
		m, err := a.WriteManifest(t.Context(), date, nil, nil, many)
		if err != nil {
			t.Fatal(err)
		}
		n := int64(0)
		found, err := a.ReadManifest(t.Context(), date, func(l archive.ManifestEntry) error {
			n++
			if l.JobID != n || l.Number != n+1 {
				return fmt.Errorf("line %d is of job %d", l.Number, l.JobID)
			}
			return nil
		})
		found.Header, found.End = nil, nil
		if diff := cmp.Diff(m, found); diff != "" || err != nil || n != lines {
			t.Errorf("%d lines, %v (-written +read):\n%s", n, err, diff)
		}
		if stored := sha256.Sum256(buckettest.Get(t, b, archive.ManifestKey(date), 0, -1)); stored != m.StoredSHA256 {
			t.Error("the object has another digest")
		}
		if _, err := a.WriteManifest(t.Context(), date, nil, nil, each()); !errors.Is(err, bucket.ErrExists) {
			t.Errorf("a second time: %v", err)
		}
		if _, err := a.ReadManifest(t.Context(), date.AddDate(0, 0, 1), nil); !errors.Is(err, bucket.ErrNotFound) {
			t.Errorf("one that is not there: %v", err)
		}
	})
}

func TestManifestKeys(t *testing.T) {
	t.Parallel()
	date := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	key := archive.ManifestKey(date)
	if key != "v1/manifests/2026-11-25.jsonl.zst" {
		t.Error(key)
	}
	if got, ok := archive.ParseManifestKey(key); !ok || !got.Equal(date) {
		t.Errorf("%s is of %s", key, got)
	}
	if _, _, ok := archive.ParseKey(key); ok {
		t.Error("it is a job's key too, it seems")
	}
	for _, bad := range []string{"", "v1/manifests/", "v1/manifests/2026-11-25", "v1/manifests/2026-11-5.jsonl.zst", "v1/manifests/2026-02-30.jsonl.zst", "v1/manifests/x/2026-11-25.jsonl.zst", "v1/1/2/1/3/log.zst"} {
		if _, ok := archive.ParseManifestKey(bad); ok {
			t.Errorf("%q is a key of a manifest, it seems", bad)
		}
	}
}

// A copy is only read.
func TestCopyOfABucketIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := bucket.OpenCopy(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(t.Context(), "v1/x", strings.NewReader("x")); err == nil {
		t.Error("put")
	}
	if _, err := b.Replace(t.Context(), "v1/x", strings.NewReader("x")); err == nil {
		t.Error("replace")
	}
	if err := b.Remove(t.Context(), "v1/x"); err == nil {
		t.Error("remove")
	}
	if err := b.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if got := listed(t, b, "v1/manifests/"); got != nil {
		t.Errorf("listed are %v", got)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("made in it was %v (%v)", entries, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.OpenCopy(file); err == nil || !strings.Contains(err.Error(), "no directory") {
		t.Errorf("a file: %v", err)
	}
}

func listed(t testing.TB, b bucket.Bucket, prefix string) (objects []bucket.Object) {
	t.Helper()
	for o, err := range b.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	return objects
}
