package archive

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/jobvault/jobvault/archive/ngram"
)

// CandidatesOf is Filters.candidates, for tests.
func CandidatesOf(f Filters, frames int, p *ngram.Pattern) []Candidate {
	return f.candidates(frames, p)
}

// MakeFiltersEarlier makes the filters of a log with some frames those of version 1 or 2.
func MakeFiltersEarlier(t *testing.T, a *Archive, key JobKey, frames, version int) {
	t.Helper()
	b, err := a.read(t.Context(), key.Filter())
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.Replace(b[:len(b)-checksumSize], []byte(filterMagic), []byte(map[int]string{1: filterMagic1, 2: filterMagic2}[version]), 1)
	for i := range frames {
		b[filterHead+i] &^= filterPlain
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	if _, err := a.bucket.Replace(t.Context(), key.Filter(), bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
}
