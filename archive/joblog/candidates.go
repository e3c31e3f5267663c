package joblog

import (
	"cmp"
	"slices"
	"sort"
	"strings"
)

// titles are those of a job's steps, as marks have them.
type titles struct {
	of   []uint64         // of each unit's first step
	runs map[uint64]int32 // what it costs that a step with such a name begins with another title
}

func (a *alignment) titles() titles {
	t := titles{of: make([]uint64, len(a.units)), runs: make(map[uint64]int32)}
	for i, u := range a.units {
		if name := u.steps[0].Name; name != "" {
			t.of[i] = titleHash([]byte(name))
		}
		for _, s := range u.steps {
			if rest, ok := strings.CutPrefix(s.Name, "Run "); ok {
				t.runs[titleHash([]byte(s.Name))] = costOfOther(rest)
			}
		}
	}
	return t
}

func costOfOther(rest string) int32 {
	if isAction([]byte(rest)) {
		return otherAction
	}
	return otherTitle
}

// findCandidates finds where each unit may begin: at marks within its time, or at the first
// line of its second. The first begins with the log, but in one of act's runner.
func (a *alignment) findCandidates() {
	times, titles := newMarkTimes(a.x.Marks), a.titles()
	for i := range a.units {
		u := &a.units[i]
		u.timed = a.x.lineOf((u.from+early)/microsecond, u.to/microsecond)
		if i == 0 && !a.ofAct() {
			u.timed = 1
			u.candidates = []candidate{{line: 1, mark: -1, owner: a.setUpOwner()}}
			continue
		}
		a.markCandidates(u, titles, i, times)
		a.timeCandidate(u)
		if i == 0 && len(u.candidates) == 0 {
			u.candidates = []candidate{{line: 1, mark: -1}}
		}
	}
}

// ofAct tells whether the log is of act's runner, which prints lines before the first step.
func (a *alignment) ofAct() bool {
	return a.units[0].kind != setUpStep && slices.ContainsFunc(a.x.Marks, func(m Mark) bool { return m.Type == ActMark })
}

func (a *alignment) setUpOwner() owner {
	if a.units[0].kind == setUpStep {
		return setUpOwner
	}
	if len(a.x.Marks) > 0 && a.x.Marks[0].first() == 1 {
		return a.ownerOf(&a.units[0], 0)
	}
	return anyOwner
}

func (a *alignment) markCandidates(u *unit, t titles, i int, times *markTimes) {
	for _, k := range times.within(a.x.Marks, u.from, u.to) {
		if cost := a.cost(u, t, t.of[i], a.x.Marks[k]); cost < never {
			if a.x.Marks[k].Type == StopMark && k > 0 && a.x.Marks[k-1].Type == StopMark && a.x.Marks[k-1].At >= u.from {
				cost += notFirst
			}
			u.candidates = append(u.candidates, candidate{line: a.x.Marks[k].first(), mark: k, before: k, after: k + 1, cost: cost, owner: a.ownerOf(u, int(k))})
		}
	}
	u.marked = len(u.candidates) > 0
	if room := max(min(maxCells/len(a.units), maxPerUnit), minPerUnit); len(u.candidates) > room {
		slices.SortFunc(u.candidates, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(a.line, b.line)) })
		u.candidates = slices.Clone(u.candidates[:room])
	}
}

// timeCandidate adds the first line of the unit's second, if no mark begins there.
func (a *alignment) timeCandidate(u *unit) {
	at := u.timed
	if at != 0 && !slices.ContainsFunc(u.candidates, func(c candidate) bool { return c.line == at }) {
		n := int32(sort.Search(len(a.x.Marks), func(i int) bool { return a.x.Marks[i].Line >= at }))
		u.candidates = append(u.candidates, candidate{line: at, mark: -1, before: n, after: n, cost: byTime, owner: a.ownerOf(u, -1)})
	}
	slices.SortFunc(u.candidates, func(a, b candidate) int { return cmp.Compare(a.line, b.line) })
}

// ownerOf tells what marks within a unit mean that begins with the given mark.
func (a *alignment) ownerOf(u *unit, mark int) owner {
	switch {
	case u.overlap, u.kind == completeStep:
		return severalOwner
	case mark >= 0 && a.x.Marks[mark].Action && mark+1 < len(a.x.Marks) && a.x.Marks[mark+1].Direct:
		return composite
	}
	return anyOwner
}

// cost is that of a unit beginning with a mark.
func (a *alignment) cost(u *unit, t titles, title uint64, m Mark) int32 {
	cost := u.ofType(m)
	if cost >= never {
		return never
	}
	cost += lateness(m.At-u.from-early) + ofTitle(t, title, m)
	if m.Type == CleanUpMark && m.Line != a.clean {
		cost += notLast
	}
	switch {
	case m.Named == 0 || title == 0:
	case m.Named == title:
		cost -= namedBonus
	case m.Type == NamedMark:
		return never
	default:
		cost += misnamed
	}
	return cost
}

func (u *unit) ofType(m Mark) int32 {
	if m.Type != ErrorMark {
		return fits[u.kind][m.Type]
	}
	cost := int32(failedBare)
	if u.steps[0].Conclusion == "success" {
		cost = bare
	}
	if m.Again {
		cost += againBare
	}
	return cost
}

// ofTitle compares a mark's title with the steps' names. Steps that have no name of their
// own are called as the mark.
func ofTitle(t titles, title uint64, m Mark) int32 {
	switch {
	case m.Title == 0 || m.Title == title:
		return 0
	case m.Type == PullMark && title != 0:
		return misnamed
	case m.Type != RunMark:
		return 0
	}
	cost := t.runs[title]
	if t.runs[m.Title] > 0 {
		cost += elsewhere
	}
	return cost
}

// lateness is what it costs that a mark comes so many microseconds after the second in
// which its step began.
func lateness(after int64) int32 {
	switch {
	case after < 0:
		return clockBack
	case after < microsecond:
		return 0
	}
	return int32(min(30+(after-microsecond)/(microsecond/100), byTime-100))
}
