package lookup

import (
	"context"
	"fmt"
	"strings"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/store"
)

// StepLinesHeader is the header of an answer with the lines of a step; its value is that of
// Lines.String.
const StepLinesHeader = "X-Jobvault-Lines"

// Lines are the lines that a selection stands for, from 1 and inclusive.
type Lines struct {
	First, Last int64
	Known       joblog.Certainty // how a step's lines are known; empty: no step was asked for
	SharedWith  []int64          // the numbers of the other steps that have some of them
}

// Lines returns the lines that a selection stands for. It fails with ErrNoStep.
func (l Logs) Lines(ctx context.Context, log store.JobLog, sel Selection) (Lines, error) {
	log = Readable(log)
	switch {
	case sel.IsWhole():
		return Lines{First: 1, Last: *log.Lines}, nil
	case sel.Step == nil:
		return Lines{First: sel.First, Last: min(sel.Last, *log.Lines)}, nil
	}
	steps, err := l.DB.Steps(ctx, log.JobID)
	if err != nil {
		return Lines{}, err
	}
	for _, s := range steps {
		if s.Number != *sel.Step {
			continue
		}
		if s.LogFirstLine == nil {
			return Lines{}, fmt.Errorf("job %d: %w: step %d (%s) has no lines", log.JobID, ErrNoStep, s.Number, s.Name)
		}
		return Lines{*s.LogFirstLine, *s.LogLastLine, joblog.Certainty(*s.LogLines), sharedWith(s, steps)}, nil
	}
	return Lines{}, fmt.Errorf("job %d: %w: it has no step %d", log.JobID, ErrNoStep, *sel.Step)
}

// sharedWith returns the numbers of other steps that have lines of this one.
func sharedWith(s store.Step, steps []store.Step) (numbers []int64) {
	for _, o := range steps {
		if o.Number != s.Number && o.LogFirstLine != nil && *o.LogFirstLine <= *s.LogLastLine && *o.LogLastLine >= *s.LogFirstLine {
			numbers = append(numbers, o.Number)
		}
	}
	return numbers
}

// String is such as "100-200; exact", "100-200; estimated" or "100-200; shared with steps 3,
// 4". Of many steps it names the first few.
func (l Lines) String() string {
	text := fmt.Sprintf("%d-%d", l.First, l.Last)
	if l.Known != "" {
		text += "; " + string(l.Known)
	}
	if len(l.SharedWith) == 0 {
		return text
	}
	const maxNamed = 20
	named := l.SharedWith[:min(len(l.SharedWith), maxNamed)]
	text += " with steps " + strings.Trim(strings.ReplaceAll(fmt.Sprint(named), " ", ", "), "[]")
	if more := len(l.SharedWith) - len(named); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
