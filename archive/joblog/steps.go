package joblog

import (
	"sort"
	"time"
)

// Step is what the REST API says of a step that ran. Times are to the second.
type Step struct {
	Number      int64
	Name        string
	Conclusion  string // empty: it has none
	StartedAt   time.Time
	CompletedAt time.Time // zero: not known
}

// Certainty is how a step's lines are known.
type Certainty string

// The certainties of ranges.
const (
	Exact     Certainty = "exact"     // the log names the step, or it is from the attempt's step files
	Estimated Certainty = "estimated" // by times and by what the runner prints at a step's beginning
	Shared    Certainty = "shared"    // with other steps: they overlap in time, or cannot be told apart
)

// Range is a step's lines in the log, from 1 and inclusive. Ranges of a job have no line in
// common, but for those that are Shared.
type Range struct {
	Number      int64
	First, Last int64
	Certainty   Certainty
}

// slack is how long after a step's start, in seconds, its first line may come
// and still be taken for it.
const slack = 2

// AlignSteps says which lines belong to which step. It is an estimate: a log
// has no step marker, and step times are known to the second. Every line goes
// to exactly one step; a step whose place is taken by its neighbours gets none.
// Steps that did not run (skipped, never started) must be left out by the
// caller.
func AlignSteps(x *Index, steps []Step) []Range {
	if x.Lines == 0 || len(steps) == 0 {
		return nil
	}
	steps = append([]Step(nil), steps...)
	sort.SliceStable(steps, func(i, j int) bool {
		if !steps[i].StartedAt.Equal(steps[j].StartedAt) {
			return steps[i].StartedAt.Before(steps[j].StartedAt)
		}
		return steps[i].Number < steps[j].Number
	})
	firsts := make([]int64, len(steps))
	firsts[0] = 1
	for i := 1; i < len(steps); i++ {
		firsts[i] = x.firstLine(steps[i].StartedAt.Unix(), firsts[i-1])
	}
	var out []Range
	next := x.Lines + 1
	for i := len(steps) - 1; i >= 0; i-- {
		if firsts[i] < next {
			out = append(out, Range{Number: steps[i].Number, First: firsts[i], Last: next - 1, Certainty: Estimated})
			next = firsts[i]
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].First < out[j].First })
	return out
}

// firstLine finds where a step begins that started in the given second: at a
// line that looks like it, else at the first line of that second or later; but
// after the line that the step before it began with.
func (x *Index) firstLine(unix, after int64) int64 {
	i := sort.Search(len(x.Starts), func(i int) bool { return x.Starts[i].Unix >= unix })
	for ; i < len(x.Starts) && x.Starts[i].Unix <= unix+slack; i++ {
		if x.Starts[i].Line > after {
			return x.Starts[i].Line
		}
	}
	i = sort.Search(len(x.Seconds), func(i int) bool { return x.Seconds[i].Unix >= unix })
	if i == len(x.Seconds) {
		return x.Lines + 1
	}
	return max(x.Seconds[i].Line, after+1)
}
