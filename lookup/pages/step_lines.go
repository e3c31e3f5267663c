package pages

import (
	"fmt"
	"strings"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/store"
)

// beginning is a step that begins at a line, or several that share their lines.
type beginning struct {
	Steps []store.Step
	Known string // joblog.Certainty
	Last  int64  // the last line of all of them
}

// Shared says whether other steps have the same lines.
func (b beginning) Shared() bool { return b.Known == string(joblog.Shared) }

// beginnings are the steps that begin at each line. Those that share lines come together.
func beginnings(steps []store.Step) map[int64][]beginning {
	at := make(map[int64][]beginning)
	for _, s := range steps {
		if s.LogFirstLine == nil {
			continue
		}
		first, b := *s.LogFirstLine, beginning{[]store.Step{s}, *s.LogLines, *s.LogLastLine}
		if before := at[first]; b.Shared() && len(before) > 0 {
			if last := &before[len(before)-1]; last.Shared() && last.Last == b.Last {
				last.Steps = append(last.Steps, s)
				continue
			}
		}
		at[first] = append(at[first], b)
	}
	return at
}

// SharedWith names the steps that have the same lines as a step of the page: "with 3, 4".
func (p jobPage) SharedWith(s store.Step) string {
	if *s.LogLines != string(joblog.Shared) {
		return ""
	}
	const maxNamed = 5
	var numbers []string
	others := 0
	for _, b := range p.begins[*s.LogFirstLine] {
		if !b.Shared() || b.Last != *s.LogLastLine {
			continue
		}
		others = len(b.Steps) - 1
		for _, o := range b.Steps[:min(len(b.Steps), maxNamed+1)] {
			if o.Number != s.Number && len(numbers) < maxNamed {
				numbers = append(numbers, fmt.Sprint(o.Number))
			}
		}
	}
	switch {
	case others == 0:
		return ""
	case others > len(numbers):
		numbers = append(numbers, fmt.Sprintf("%d more", others-len(numbers)))
	}
	return "with " + strings.Join(numbers, ", ")
}

// meaning explains how lines are known, by the word for it.
func meaning(known string) string {
	switch joblog.Certainty(known) {
	case joblog.Exact:
		return "The log itself names the step"
	case joblog.Shared:
		return "Steps have the same lines if they ran at the same time or cannot be told apart: any of them may have printed a line"
	}
	return "By times and by what the runner prints when a step begins: the log does not name the step"
}
