package search

import (
	"cmp"
	"math"
	"slices"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/store"
)

// MatchStep is one of several steps that share a line.
type MatchStep struct {
	Number     int64   `json:"number"`
	Name       string  `json:"name"`
	Conclusion *string `json:"conclusion"`
}

// MatchLines says which step's a line is, and how that is known.
type MatchLines struct {
	Step     *int64            `json:"step"` // nil: no step's, or it is not known which of SharedBy has it
	StepName *string           `json:"step_name"`
	Known    *joblog.Certainty `json:"log_lines"`           // nil: no step's
	SharedBy []MatchStep       `json:"shared_by,omitempty"` // the steps that may have it, if it is joblog.Shared
}

// lineSteps are steps that have lines, in the order of their first lines. Several may have
// the same line.
type lineSteps struct {
	steps []store.Step
	last  []int64 // the last line of all steps up to this one
}

func newLineSteps(steps []store.Step) lineSteps {
	l := lineSteps{steps: steps, last: make([]int64, len(steps))}
	last := int64(0)
	for i, s := range steps {
		last = max(last, *s.LogLastLine)
		l.last[i] = last
	}
	return l
}

// begun returns how many of the steps begin at a line or before it.
func (l lineSteps) begun(line int64) int {
	n, _ := slices.BinarySearchFunc(l.steps, line+1, func(s store.Step, after int64) int { return cmp.Compare(*s.LogFirstLine, after) })
	return n
}

// has tells whether one of the steps has at least one of these lines.
func (l lineSteps) has(first, last int64) bool {
	n := l.begun(last)
	return n > 0 && l.last[n-1] >= first
}

// at says which step's a line is. It holds for the lines that follow, up to until.
func (l lineSteps) at(line int64) (m *MatchLines, until int64) {
	n := l.begun(line)
	until = math.MaxInt64
	if n < len(l.steps) {
		until = *l.steps[n].LogFirstLine - 1
	}
	var steps []store.Step
	for i := n - 1; i >= 0 && l.last[i] >= line; i-- {
		if last := *l.steps[i].LogLastLine; last >= line {
			steps, until = append(steps, l.steps[i]), min(until, last)
		}
	}
	slices.Reverse(steps)
	return matchLines(steps), until
}

// matchLines says which of these steps, which all have a line, it is of.
func matchLines(steps []store.Step) *MatchLines {
	m := &MatchLines{}
	if len(steps) == 0 {
		return m
	}
	m.Known = new(joblog.Certainty(*steps[0].LogLines))
	if len(steps) == 1 && *m.Known != joblog.Shared {
		m.Step, m.StepName = &steps[0].Number, &steps[0].Name
		return m
	}
	*m.Known = joblog.Shared
	for _, s := range steps {
		m.SharedBy = append(m.SharedBy, MatchStep{s.Number, s.Name, s.Conclusion})
	}
	return m
}
