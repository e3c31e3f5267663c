package joblog

import (
	"slices"
	"sort"
	"time"
)

// AlignSteps says which lines belong to which step, by one alignment of the whole job: of
// its steps, in their order, to the log's marks. Every line goes to exactly one step, or to
// several that share it; but in a log of act's runner, lines before the first step are no
// step's. Ranges are in the order of their lines. Steps that did not run (skipped, never
// started) must be left out by the caller. Those whose start is not known get no range, and
// the ones beside them none that is exact.
func AlignSteps(x *Index, steps []Step) []Range {
	timed, untimed := partTimed(steps)
	if x.Lines == 0 || len(timed) == 0 {
		return nil
	}
	ranges := alignTimed(x, inOrder(timed))
	doubt(ranges, timed, untimed)
	return ranges
}

// alignTimed is AlignSteps of steps in order, whose starts are known.
func alignTimed(x *Index, steps []Step) []Range {
	if ranges, ok := debugChain(x, steps); ok {
		return ranges
	}
	a := newAlignment(x, steps)
	a.backward()
	a.forward()
	return a.ranges()
}

// rounding is by how much later than a step's end the next one may seem to have begun
// earlier: times are to the second, and clocks step back.
const rounding = time.Second

// inOrder returns steps in the order in which they began. Numbers say it where times do not,
// but for the last step, which GitHub numbers before those that clean up.
func inOrder(steps []Step) []Step {
	type timed struct {
		Step
		at time.Time
	}
	all := make([]timed, len(steps))
	for i, s := range steps {
		all[i] = timed{s, s.StartedAt}
	}
	slices.SortStableFunc(all, func(a, b timed) int { return int(min(max(a.Number-b.Number, -1), 1)) })
	for i := 1; i < len(all); i++ {
		if before := all[i-1].at; all[i].at.Before(before) && !all[i].at.Before(before.Add(-rounding)) {
			all[i].at = before
		}
	}
	slices.SortStableFunc(all, func(a, b timed) int {
		if n := a.at.Compare(b.at); n != 0 {
			return n
		}
		return completes(a.Step) - completes(b.Step)
	})
	out := make([]Step, len(all))
	for i, s := range all {
		out[i] = s.Step
	}
	return out
}

// alignment is a job's steps with where each may begin.
type alignment struct {
	x     *Index
	units []unit
	sums  [owners][]int32 // of what the marks before each cost that begin nothing
	best  int32           // what the best alignment costs
	clean int64           // the last line that cleans up
}

// unit is a step, or several whose lines cannot be told apart.
type unit struct {
	steps       []Step
	kind        stepKind
	overlap     bool // the steps overlap in time
	startsEarly bool // they seem to have begun before the end of one before
	from, to    int64
	candidates  []candidate // in the order of their lines
	timed       int64       // where it begins by time alone; zero: nowhere
	marked      bool        // it may begin with a mark
	// optional: some of the good alignments have no beginning of it.
	optional bool
}

// candidate is a line with which a unit may begin.
type candidate struct {
	line          int64
	mark          int32 // in Index.Marks; -1: it is none
	before, after int32 // how many marks are before it, and up to it
	owner         owner // of the marks that come after it and begin nothing
	cost          int32
	spent, rest   int32 // at least, up to it and from it on
}

// owner is what it means that marks within a unit begin no other.
type owner uint8

const (
	anyOwner     owner = iota // a script has printed them
	severalOwner              // the unit prints several
	composite                 // an action that prints those of its inner steps
	setUpOwner                // the runner, which prints none
	owners       = iota
	maxJoins     = 3 // units in a row without a beginning, but at the end
	maxCells     = 128 << 10
	maxPerUnit   = 2 << 10
	minPerUnit   = 8
	maxInspected = 4 << 10 // marks for each unit
)

// weights are what it costs that a mark begins nothing.
var weights = [markTypes]int32{
	RunMark: 100, PullMark: 200, BuildMark: 200, ContainersMark: 200, HookStartedMark: 200, HookCompletedMark: 200,
	PostMark: 150, CompleteMark: 200, CleanUpMark: 200, BackgroundMark: 100, ActMark: 200, NamedMark: 100,
}

func weight(o owner, t MarkType) int32 {
	switch {
	case o == severalOwner:
		return 0
	case o == composite && t == RunMark:
		return weights[t] / 10
	case o == setUpOwner:
		return weights[t] * 3
	}
	return weights[t]
}

func newAlignment(x *Index, steps []Step) *alignment {
	a := &alignment{x: x}
	for o := range a.sums {
		a.sums[o] = make([]int32, len(x.Marks)+1)
		for i, m := range x.Marks {
			a.sums[o][i+1] = a.sums[o][i] + weight(owner(o), m.Type)
		}
	}
	for _, m := range x.Marks {
		if m.Type == CleanUpMark {
			a.clean = m.Line
		}
	}
	a.units = unitsOf(x, steps)
	a.findCandidates()
	a.mergeUnmarked()
	return a
}

// unitsOf puts together steps that overlap by more than times are rounded; any overlap
// counts where steps ran in the background.
func unitsOf(x *Index, steps []Step) []unit {
	slack := rounding
	if slices.ContainsFunc(x.Marks, func(m Mark) bool { return m.Type == BackgroundMark }) {
		slack = 0
	}
	var units []unit
	var until, latest time.Time
	for i, s := range steps {
		if i > 0 && s.StartedAt.Add(slack).Before(until) {
			last := &units[len(units)-1]
			last.steps, last.overlap = steps[i-len(last.steps):i+1], true
		} else {
			units, until = append(units, unit{steps: steps[i : i+1], kind: kindOfStep(s.Name), startsEarly: s.StartedAt.Before(latest)}), time.Time{}
		}
		if s.CompletedAt.After(until) {
			until = s.CompletedAt
		}
		if until.After(latest) {
			latest = until
		}
	}
	setWindows(units)
	return units
}

const (
	early = 1_100_000 // microseconds that a mark may be before its step: a clock that stepped back
	late  = 1_200_000 // and after the second of its end
)

func setWindows(units []unit) {
	for i := range units {
		u := &units[i]
		u.from, u.to = u.steps[0].StartedAt.UnixMicro()-early, int64(never)<<32
		var completed time.Time
		for _, s := range u.steps {
			if s.CompletedAt.After(completed) {
				completed = s.CompletedAt
			}
		}
		if completed.IsZero() && i+1 < len(units) {
			completed = units[i+1].steps[0].StartedAt
		}
		if !completed.IsZero() {
			u.to = max(completed.UnixMicro(), u.from+early) + late
		}
	}
}

// mergeUnmarked puts units together that have no mark to begin with and whose time is not
// that of a line of their own.
func (a *alignment) mergeUnmarked() {
	out := a.units[:1]
	for _, u := range a.units[1:] {
		last := &out[len(out)-1]
		if !u.marked && (u.timed == 0 || u.timed == last.timed) {
			last.steps = last.steps[:len(last.steps)+len(u.steps)] // they are of one slice
			continue
		}
		out = append(out, u)
	}
	a.units = out
}

// lineOf returns the first line of a second or of a later one up to another; zero: there is none.
func (x *Index) lineOf(unix, to int64) int64 {
	i := sort.Search(len(x.Seconds), func(i int) bool { return x.Seconds[i].Unix >= unix })
	if i == len(x.Seconds) || x.Seconds[i].Unix > to {
		return 0
	}
	return x.Seconds[i].Line
}
