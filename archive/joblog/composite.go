package joblog

import (
	"bytes"
	"strings"
)

// innerMark is a line that the runner prints around each inner step of a composite action,
// since 2026:
//
//	##[start-action display=NAME;id=ID]
//	##[end-action id=ID;outcome=O;conclusion=C;duration_ms=N]
//
// What a script prints itself has a backslash after "##[" (github.com/actions/runner,
// src/Runner.Worker, as of 2026).
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
type innerSteps struct{ open []innerStep }

type innerStep struct {
	id   string
	line int64
}

// maxInnerSteps is how deep they nest at most; GitHub allows ten composite actions within
// each other. What is deeper counts as lines of the step around it.
const maxInnerSteps = 100

// see takes note of line n. Of a mark that ends an inner step, it returns the line at which
// that step began. A step without an end holds nothing: its log is cut, or somebody else
// has printed the mark.
func (s *innerSteps) see(n int64, m innerMark) (first int64, ended bool) {
	if m.begins {
		if len(s.open) < maxInnerSteps {
			s.open = append(s.open, innerStep{m.id, n})
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
