package joblog

import (
	"bytes"
	"strconv"
	"strings"
)

// innerMark is a line that the runner prints around each inner step of a composite action,
// since 2026:
//
//	##[start-action display=NAME;id=ID]
//	##[end-action id=ID;outcome=O;conclusion=C;duration_ms=N]
//
// What a script prints itself has a backslash after "##[", by the same runners alone
// (github.com/actions/runner, src/Runner.Worker, since version 2.332 of February 2026).
type innerMark struct {
	begins              bool
	id                  string // of nested actions joined by dots
	outcome, conclusion string // only of one that ends
}

// tolerated tells whether the inner step failed and its action went on as if it had not.
func (m innerMark) tolerated() bool { return m.outcome == "failure" && m.conclusion == "success" }

const (
	startAction = "##[start-action "
	endAction   = "##[end-action "
	// maxInnerMark is how long a mark may be, which holds the name of a step.
	maxInnerMark = 4 * maxField
)

// readInnerMark reads a line's text; ok is false if it is none of these lines.
func readInnerMark(text []byte) (m innerMark, ok bool) {
	m.begins = bytes.HasPrefix(text, []byte(startAction))
	if !m.begins && !bytes.HasPrefix(text, []byte(endAction)) || len(text) > maxInnerMark || text[len(text)-1] != ']' {
		return innerMark{}, false
	}
	_, fields, _ := strings.Cut(string(text[:len(text)-1]), " ")
	for field := range strings.SplitSeq(fields, ";") {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "id":
			m.id = value
		case "outcome":
			m.outcome = value
		case "conclusion":
			m.conclusion = value
		}
	}
	if m.id == "" {
		return innerMark{}, false
	}
	return m, true
}

// innerSteps are the inner steps that have begun and not ended, outermost first.
type innerSteps struct {
	told    bool // which version of the runner it is
	defused bool // by that, what scripts print is told from what the runner prints
	open    []innerStep
}

type innerStep struct {
	id     string
	line   int64
	failed bool // the runner said so; it says nothing more of it but its end
}

const (
	versionLine = "Current runner version: '"
	// The first version that prints such marks, and changes those of scripts.
	marksMajor, marksMinor = 2, 332
)

// runner takes note of the runner's version, by the log's first line that tells it. Marks of
// an older one are a script's.
func (s *innerSteps) runner(text []byte) {
	if s.told || !hasPrefix(text, versionLine) {
		return
	}
	s.told = true
	major, rest, _ := strings.Cut(string(text[len(versionLine):min(len(text), maxField)]), ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	s.defused = errA == nil && errB == nil && (a > marksMajor || a == marksMajor && b >= marksMinor)
}

// fails says that a step has failed: an inner one, or that around all that are open.
func (s *innerSteps) fails() {
	if n := len(s.open); n > 0 {
		s.open[n-1].failed = true
	}
}

// begins says that a line begins a step or an inner step. After one that has failed, and whose
// end was not seen, the marks around it are not the runner's.
func (s *innerSteps) begins() {
	if n := len(s.open); n > 0 && s.open[n-1].failed {
		s.open = s.open[:0]
	}
}

// maxInnerSteps is how deep they nest at most; GitHub allows ten composite actions within
// each other. What is deeper counts as lines of the step around it.
const maxInnerSteps = 100

// see takes note of line n. Of a mark that ends an inner step, it returns the line at which
// that step began. A step without an end holds nothing: its log is cut, or somebody else
// has printed the mark.
func (s *innerSteps) see(n int64, m innerMark) (first int64, ended bool) {
	if !s.defused {
		return 0, false
	}
	if m.begins {
		if s.begins(); len(s.open) < maxInnerSteps {
			s.open = append(s.open, innerStep{id: m.id, line: n})
		}
		return 0, false
	}
	for i := len(s.open) - 1; i >= 0; i-- {
		if s.open[i].id == m.id {
			first = s.open[i].line
			s.open = s.open[:i]
			return first, true
		}
	}
	return 0, false
}
