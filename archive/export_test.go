package archive

import "github.com/jobvault/jobvault/archive/joblog"

// CandidatesOf is Filters.candidates, for tests.
func CandidatesOf(f Filters, frames int, p *joblog.Pattern) []Candidate {
	return f.candidates(frames, p)
}
