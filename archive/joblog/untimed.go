package joblog

import (
	"slices"
	"sort"
	"time"
)

// partTimed returns the steps whose start is known, and those of which nobody says when they
// ran: the lines of those go to others.
func partTimed(steps []Step) (timed, untimed []Step) {
	for _, s := range steps {
		if s.StartedAt.IsZero() {
			untimed = append(untimed, s)
		} else {
			timed = append(timed, s)
		}
	}
	return timed, untimed
}

// doubt makes estimates of the ranges that may have the lines of an untimed step: those of the
// steps before and after it, by their numbers.
func doubt(ranges []Range, timed, untimed []Step) {
	if len(untimed) == 0 {
		return
	}
	timed = slices.Clone(timed)
	slices.SortFunc(timed, byPlace)
	beside := make(map[int64]bool)
	for _, s := range untimed {
		next, _ := slices.BinarySearchFunc(timed, s, byPlace)
		for _, t := range timed[max(next-1, 0):min(next+1, len(timed))] {
			beside[t.Number] = true
		}
	}
	for i := range ranges {
		if r := &ranges[i]; beside[r.Number] && r.Certainty == Exact {
			r.Certainty = Estimated
		}
	}
}

// byPlace orders steps by their numbers, but for the last step, which GitHub numbers before
// those that clean up.
func byPlace(a, b Step) int {
	if n := completes(a) - completes(b); n != 0 {
		return n
	}
	return int(min(max(a.Number-b.Number, -1), 1))
}

// completes is 1 of the last step, and 0 of any other.
func completes(s Step) int {
	if kindOfStep(s.Name) == completeStep {
		return 1
	}
	return 0
}

// overstepped tells whether a step seems to begin within a range in the second in which the
// range's own step has ended, or later: it may be one that the API does not list. The set-up
// itself prints nothing that begins a step.
func (a *alignment) overstepped(r Range, s Step) bool {
	if s.CompletedAt.IsZero() {
		return false
	}
	ended := s.CompletedAt.UnixMicro()
	if kindOfStep(s.Name) == setUpStep {
		ended = time.Time{}.UnixMicro()
	}
	after := sort.Search(len(a.x.Marks), func(i int) bool { return a.x.Marks[i].Line > r.First })
	for _, m := range a.x.Marks[after:] {
		if m.Line > r.Last {
			break
		} else if m.At >= ended && (m.Type.main() || m.Type == StopMark) {
			return true
		}
	}
	return false
}
