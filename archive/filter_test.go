package archive_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/archive/ngram"
)

// filtered is an archived log of four frames with its filters, and a text that only the
// third has.
func filtered(t *testing.T) (*archive.Archive, archive.JobKey, archive.Log) {
	t.Helper()
	a := newArchive(t, buckettest.Open(t, "file://"+t.TempDir()), 1<<40)
	key := archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: 3}
	line := "2024-07-08T16:48:09.3750041Z go: downloading example.com/module v1.2.3\n"
	raw := []byte(strings.Repeat(line, 4<<20/len(line)))
	copy(raw[2<<20+500_000:], "a-needle-in-it")
	log, err := a.PutLog(t.Context(), key, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return a, key, log
}

func TestFiltersSelectFrames(t *testing.T) {
	t.Parallel()
	a, key, log := filtered(t)
	filters, err := a.Filters(t.Context(), key.Log(), log.FilterBytes, log.SHA256[:], len(log.FrameOffsets))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(log.Filters, []ngram.BloomFilter(filters)); diff != "" {
		t.Errorf("filters (-put +read):\n%s", diff)
	}
	if share := float64(log.FilterBytes) / float64(log.RawBytes); share > 0.03 {
		t.Errorf("filters have %.1f %% of the log", 100*share)
	}
	p, err := ngram.ParsePattern("a-needle-in-it", ngram.PatternOptions{Fixed: true})
	if err != nil {
		t.Fatal(err)
	}
	candidates, err := a.Candidates(t.Context(), key.Log(), log.FilterBytes, log.SHA256[:], len(log.FrameOffsets), p)
	if diff := cmp.Diff([]archive.FrameRange{{First: 2, End: 3, StartsMidLine: true, Plain: true}}, archive.MergeFrames(candidates)); diff != "" || err != nil {
		t.Errorf("%v, frames (-want +got):\n%s", err, diff)
	}
	// A line of the last frame that has a filter may go on in those that have none.
	if diff := cmp.Diff([]archive.FrameRange{{First: 1, End: 4, StartsMidLine: true}}, archive.MergeFrames(archive.CandidatesOf(filters[:2], 4, p))); diff != "" {
		t.Errorf("with two filters, frames (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]archive.FrameRange{{First: 0, End: 4}}, archive.MergeFrames(archive.AllFrames(4))); diff != "" {
		t.Errorf("all frames (-want +got):\n%s", diff)
	}
}

func TestFiltersThatAreDamagedOrAnothersAreNotRead(t *testing.T) {
	t.Parallel()
	a, key, log := filtered(t)
	read := func(size int64, sha256 []byte) error {
		_, err := a.Filters(t.Context(), key.Log(), size, sha256, len(log.FrameOffsets))
		return err
	}
	if err := read(log.FilterBytes, make([]byte, 32)); !errors.Is(err, bucket.ErrUnreadable) {
		t.Errorf("another log's: %v", err)
	}
	if err := read(log.FilterBytes-1, log.SHA256[:]); !errors.Is(err, bucket.ErrUnreadable) {
		t.Errorf("not all of them: %v", err)
	}
	if err := read(1<<40, log.SHA256[:]); err == nil {
		t.Error("as many bytes as there are not")
	}
	body, err := a.Bucket().Get(t.Context(), key.Filter(), 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	var whole bytes.Buffer
	if _, err := whole.ReadFrom(body); err != nil {
		t.Fatal(err)
	}
	_ = body.Close()
	for at := 0; at < whole.Len(); at += 97 {
		b := bytes.Clone(whole.Bytes())
		b[at] ^= 4
		if _, err := a.Bucket().Replace(t.Context(), key.Filter(), bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
		if err := read(log.FilterBytes, log.SHA256[:]); !errors.Is(err, bucket.ErrUnreadable) {
			t.Fatalf("byte %d is changed: %v", at, err)
		}
	}
	if _, err := a.AdoptLog(t.Context(), key.Log(), nil); err != nil { // made again
		t.Fatal(err)
	}
	if err := read(log.FilterBytes, log.SHA256[:]); err != nil {
		t.Error(err)
	}
}

// Filters of version 2 do not say that lines are plain. AdoptLog replaces them.
func TestFiltersThatKnowNoPlainLines(t *testing.T) {
	t.Parallel()
	a, key, log := filtered(t)
	plain := func(want bool) {
		t.Helper()
		filters, err := a.Filters(t.Context(), key.Log(), log.FilterBytes, log.SHA256[:], len(log.FrameOffsets))
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range filters {
			if f.Plain != want || f.RawOnly || !bytes.Equal(f.Bits, log.Filters[i].Bits) {
				t.Errorf("frame %d: plain %t, of bytes alone %t", i, f.Plain, f.RawOnly)
			}
		}
	}
	plain(true)
	archive.MakeFiltersEarlier(t, a, key, len(log.FrameOffsets), 2)
	plain(false)
	if _, err := a.AdoptLog(t.Context(), key.Log(), nil); err != nil {
		t.Fatal(err)
	}
	plain(true)
}

// Filters of version 1 say nothing of what is seen of lines, but of their bytes, and are
// replaced by AdoptLog.
func TestFiltersOfBytesAlone(t *testing.T) {
	t.Parallel()
	a, key, log := filtered(t)
	archive.MakeFiltersEarlier(t, a, key, len(log.FrameOffsets), 1)
	frames := func(raw bool) int {
		t.Helper()
		p, err := ngram.ParsePattern("a-needle-in-it", ngram.PatternOptions{Fixed: true, Raw: raw})
		if err != nil {
			t.Fatal(err)
		}
		candidates, err := a.Candidates(t.Context(), key.Log(), log.FilterBytes, log.SHA256[:], len(log.FrameOffsets), p)
		if err != nil {
			t.Fatal(err)
		}
		return len(candidates)
	}
	if seen, raw := frames(false), frames(true); seen != 4 || raw != 1 {
		t.Errorf("%d and, of bytes, %d frames are read", seen, raw)
	}
	if _, err := a.AdoptLog(t.Context(), key.Log(), nil); err != nil {
		t.Fatal(err)
	}
	if seen, raw := frames(false), frames(true); seen != 1 || raw != 1 {
		t.Errorf("made again: %d and, of bytes, %d frames are read", seen, raw)
	}
}

// noFilters is a bucket that takes no filters.
type noFilters struct{ bucket.Bucket }

var errNoFilters = errors.New("no filters today")

func (b noFilters) Put(ctx context.Context, key string, r io.Reader) (int64, error) {
	if strings.HasSuffix(key, archive.FilterName) {
		return 0, errNoFilters
	}
	return b.Bucket.Put(ctx, key, r)
}

// Without its filters a log is not archived, whoever writes it; the next try adopts it.
func TestFiltersBelongToWritingALog(t *testing.T) {
	t.Parallel()
	b := buckettest.Open(t, "file://"+t.TempDir())
	a, broken := newArchive(t, b, 1<<40), newArchive(t, noFilters{b}, 1<<40)
	key := archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: 3}
	raw := strings.Repeat("a line\n", ngram.MinFiltered)
	if _, err := broken.PutLog(t.Context(), key, strings.NewReader(raw)); !errors.Is(err, errNoFilters) {
		t.Errorf("put: %v", err)
	}
	if _, err := broken.AdoptLog(t.Context(), key.Log(), nil); !errors.Is(err, errNoFilters) {
		t.Errorf("adopt: %v", err)
	}
	if _, err := broken.RestoreLog(t.Context(), key.Log(), strings.NewReader(raw), nil); !errors.Is(err, errNoFilters) {
		t.Errorf("restore: %v", err)
	}
	want := archive.Digest(sha256.Sum256([]byte(raw)))
	if log, err := a.AdoptLog(t.Context(), key.Log(), new(archive.Digest)); !errors.Is(err, archive.ErrDigestMismatch) || log.SHA256 != want {
		t.Errorf("another log is adopted: %v", err)
	}
	if _, err := b.Size(t.Context(), key.Filter()); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("filters of another log: %v", err)
	}
	log, err := a.AdoptLog(t.Context(), key.Log(), &want)
	if size, serr := b.Size(t.Context(), key.Filter()); err != nil || serr != nil || size != log.FilterBytes {
		t.Errorf("filters of %d bytes, %d are noted: %v, %v", size, log.FilterBytes, err, serr)
	}
}

// Blocks are whole lines, wherever frames cut them.
func TestReadBlocksGivesWholeLinesOnce(t *testing.T) {
	t.Parallel()
	a := newArchive(t, buckettest.Open(t, "file://"+t.TempDir()), 1<<40)
	key := archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: 3}
	var b bytes.Buffer
	for i := range 60_000 {
		fmt.Fprintf(&b, "%d %s\n", i, strings.Repeat("x", i%97))
		if i == 20_000 {
			b.WriteString(strings.Repeat("long", 600_000) + "\n")
		}
	}
	b.WriteString("no newline")
	log, err := a.PutLog(t.Context(), key, bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(b.Bytes(), []byte("\n"))
	frames := len(log.FrameOffsets)
	for first := range frames {
		for end := first + 1; end <= frames; end++ {
			within := first > 0 && b.Bytes()[first<<20-1] != '\n'
			next := log.FrameLines[first]
			if within {
				next++
			}
			_, err := a.ReadBlocks(t.Context(), log.LogLayout, archive.FrameRange{First: first, End: end, StartsMidLine: within}, func(n int64, block []byte) error {
				if n != next {
					return fmt.Errorf("line %d comes, want %d", n, next)
				}
				for line := range bytes.Lines(block) {
					if !bytes.Equal(line, lines[next-1]) {
						return fmt.Errorf("line %d is %.50q, want %.50q", next, line, lines[next-1])
					}
					next++
				}
				return nil
			})
			if err != nil {
				t.Fatalf("frames %d to %d: %v", first, end, err)
			}
			want := log.Lines + 1
			if end < frames {
				want = log.FrameLines[end]
				if b.Bytes()[end<<20-1] != '\n' {
					want++
				}
			}
			if next != want && (!within || next != log.FrameLines[first]+1) {
				t.Errorf("frames %d to %d: %d lines, want %d", first, end, next-1, want-1)
			}
		}
	}
}
