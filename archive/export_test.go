package archive

import (
	"github.com/jobvault/jobvault/archive/ngram"
)

// CandidatesOf is Filters.candidates, for tests.
func CandidatesOf(f Filters, frames int, p *ngram.Pattern) []Candidate {
	return f.candidates(frames, p)
}
