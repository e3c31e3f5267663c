package archive_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
)

// next writes the manifest of the day after the last one.
func (b *books) next(lines ...archive.ManifestLine) {
	b.t.Helper()
	last := b.dates[len(b.dates)-1]
	previous, err := b.archive.ReadManifest(b.t.Context(), last, func(archive.ManifestEntry) error { return nil })
	b.check(err)
	b.dates = append(b.dates, last.AddDate(0, 0, 1))
	_, err = b.archive.WriteManifest(b.t.Context(), last.AddDate(0, 0, 1), &previous, nil, each(lines...))
	b.check(err)
}

// removed redacts a job's log, removes that, and gives its line.
func (b *books) removed(k archive.JobKey, text, pattern string) archive.ManifestLine {
	b.t.Helper()
	sum := sha256.Sum256([]byte(text))
	b.check(b.bucket.Remove(b.t.Context(), k.Log()))
	log := putLog(b.t, b.archive, k, []byte(text))
	copied, _, err := b.archive.RedactLog(b.t.Context(), log.Key, sum, k, 1, []*regexp.Regexp{regexp.MustCompile(pattern)})
	b.check(err)
	b.check(b.bucket.Remove(b.t.Context(), k.Log()))
	at := b.dates[0]
	record, err := b.archive.PutSettled(b.t.Context(), k, archive.Settled{State: "removed", At: at, Removal: &archive.Removal{Actor: "eve", SHA256: sum}})
	b.check(err)
	b.old(k.Redacted(1), k.Settled())
	recorded, bytes := sha256.Sum256(record), int64(len(record))
	return archive.ManifestLine{
		RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: k.JobID, State: "removed", SettledAt: at, SHA256: hex.EncodeToString(sum[:]),
		SettledSHA256: hex.EncodeToString(recorded[:]), SettledBytes: &bytes,
		Redactions: []archive.ListedRedaction{{
			Number: 1, ObjectKey: copied.Key, RawBytes: copied.RawBytes, StoredBytes: copied.StoredBytes, Lines: copied.Lines,
			SHA256: hex.EncodeToString(copied.SHA256[:]), StoredSHA256: hex.EncodeToString(copied.StoredSHA256[:]),
		}},
	}
}

// old makes objects as old as the first manifest.
func (b *books) old(keys ...string) {
	b.t.Helper()
	for _, key := range keys {
		b.check(os.Chtimes(filepath.Join(b.dir, key), b.dates[0], b.dates[0]))
	}
}

// A manifest has the digests of settled.json and of redacted copies: an object with
// another digest is found, a settled.json also without deep, and so is an object that it
// does not list.
func TestChainKnowsRecordsAndCopies(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	text := "the log\nof job 101"
	k := archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: 101}
	b.next(b.removed(k, text, "log"))
	if faults, sum := b.verify(archive.ChainOptions{Deep: true}); faults != nil || sum.Replaced != 0 {
		t.Fatalf("%q %+v", faults, sum)
	}
	record, copied := buckettest.Get(t, b.bucket, k.Settled(), 0, -1), buckettest.Get(t, b.bucket, k.Redacted(1), 0, -1)
	stray := func(key string) func() {
		return func() { buckettest.Put(t, b.bucket, key, record); b.old(key) }
	}
	remove := func(key string) func() { return func() { b.check(b.bucket.Remove(t.Context(), key)) } }
	none := archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: 105}
	for name, c := range map[string]struct {
		tamper        func()
		shallow, deep []string
		undo          func()
	}{
		"another actor": {func() { b.put(k.Settled(), slices.Concat(record, []byte(" "))) },
			[]string{"2024-07-12 2 101 settled"}, []string{"2024-07-12 2 101 settled"}, func() { b.put(k.Settled(), record) }},
		"no record": {remove(k.Settled()), []string{"2024-07-12 2 101 settled"}, []string{"2024-07-12 2 101 settled"}, func() { buckettest.Put(t, b.bucket, k.Settled(), record) }},
		"a flipped copy": {func() { c := slices.Clone(copied); c[12] ^= 1; b.put(k.Redacted(1), c) },
			nil, []string{"2024-07-12 2 101 unreadable"}, func() { b.put(k.Redacted(1), copied) }},
		"a cut copy": {func() { b.put(k.Redacted(1), copied[:9]) },
			[]string{"2024-07-12 2 101 size"}, []string{"2024-07-12 2 101 unreadable"}, func() { b.put(k.Redacted(1), copied) }},
		"no copy":       {remove(k.Redacted(1)), []string{"2024-07-12 2 101 absent"}, []string{"2024-07-12 2 101 absent"}, func() { buckettest.Put(t, b.bucket, k.Redacted(1), copied) }},
		"a second copy": {stray(k.Redacted(2)), []string{" 0 101 unlisted"}, []string{" 0 101 unlisted"}, remove(k.Redacted(2))},
		"a log of none": {stray(none.Log()), []string{" 0 105 unlisted"}, []string{" 0 105 unlisted"}, remove(none.Log())},
	} {
		c.tamper()
		for deep, want := range map[bool][]string{false: c.shallow, true: c.deep} {
			if got, _ := b.verify(archive.ChainOptions{Deep: deep}); !cmp.Equal(got, want) {
				t.Errorf("%s, deep %v: %q, want %q", name, deep, got, want)
			}
		}
		c.undo()
		b.old(k.Settled(), k.Redacted(1))
	}
}

// Another job.json, or another settled.json for the same settlement, is no fault, as
// --repair may have put it there; it is told all the same.
func TestChainTellsOfWhatWasReplaced(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	k := archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: 105}
	line := b.settle(105, b.dates[0].Add(time.Hour))
	list := func(details, record string) {
		t.Helper()
		b.put(k.Details(), []byte(details))
		b.put(k.Settled(), []byte(record))
		b.old(k.Details(), k.Settled())
		sums := [2][32]byte{sha256.Sum256([]byte(details)), sha256.Sum256([]byte(record))}
		line.DetailsSHA256, line.DetailsBytes = hex.EncodeToString(sums[0][:]), new(int64(len(details)))
		line.SettledSHA256, line.SettledBytes = hex.EncodeToString(sums[1][:]), new(int64(len(record)))
		b.next(line)
	}
	want := int64(0)
	for _, c := range []struct {
		details, record string
		later           time.Duration
		replaced        int64
	}{
		{`{"id":105}`, `{"state":"missing"}`, 0, 0},
		{`{"id":105}`, `{"state":"missing"}`, 0, 0},
		{`{"id":105,"x":1}`, `{"state":"missing"}`, 0, 1},
		{`{"id":105,"x":1}`, `{"state":"missing","x":1}`, 0, 1},
		{`{"id":105,"x":1}`, `{"state":"missing","x":2}`, time.Hour, 0}, // of another settlement
		{`{"id":105}`, `{"state":"missing"}`, 0, 2},
	} {
		line.SettledAt = line.SettledAt.Add(c.later)
		list(c.details, c.record)
		want += c.replaced
		faults, sum := b.verify(archive.ChainOptions{Deep: true})
		faults = slices.DeleteFunc(faults, func(f string) bool { return regexp.MustCompile(`105 replaced$`).MatchString(f) })
		if len(faults) > 0 || sum.Replaced != want || sum.Faults != 0 {
			t.Errorf("%+v: %q %+v, want %d replaced", c, faults, sum, want)
		}
	}
}

// A manifest from before there was `lists` says nothing about objects that it does not
// name.
func TestOlderManifestsTellOfLogsAlone(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	for i := range b.dates {
		lines := b.lines(i)
		lines[0] = regexp.MustCompile(`,"lists":\[[^]]*\]`).ReplaceAllString(lines[0], "")
		if i > 0 {
			m, err := b.archive.ReadManifest(t.Context(), b.dates[i-1], func(archive.ManifestEntry) error { return nil })
			b.check(err)
			lines[0] = regexp.MustCompile(`"previous_sha256":"[0-9a-f]*"`).ReplaceAllString(lines[0], `"previous_sha256":"`+hex.EncodeToString(m.SHA256[:])+`"`)
		}
		b.write(i, consistent(lines))
	}
	for _, name := range []func(archive.JobKey) string{archive.JobKey.Settled, func(k archive.JobKey) string { return k.Redacted(1) }} {
		key := name(archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: 101})
		buckettest.Put(t, b.bucket, key, []byte(`{"state":"missing"}`))
		b.old(key)
	}
	if faults, sum := b.verify(archive.ChainOptions{Deep: true}); faults != nil || sum.Jobs != 20 {
		t.Errorf("%q %+v", faults, sum)
	}
	if m, err := b.archive.ReadManifest(t.Context(), b.dates[0], func(archive.ManifestEntry) error { return nil }); err != nil || m.Whole {
		t.Errorf("%+v, %v", m, err)
	}
}
