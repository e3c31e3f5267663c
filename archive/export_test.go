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

// MakeFiltersRawOnly makes a log's filters those of version 1.
func MakeFiltersRawOnly(t *testing.T, a *Archive, key JobKey) {
	t.Helper()
	b, err := a.read(t.Context(), key.Filter())
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.Replace(b[:len(b)-checksumSize], []byte(filterMagic), []byte(rawFilterMagic), 1)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	if _, err := a.bucket.Replace(t.Context(), key.Filter(), bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
}
