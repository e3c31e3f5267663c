package joblog

import "slices"

// What makes a range exact: the log names its step, and both its ends are proven.
//
// Scripts can print every mark, so that a mark alone proves nothing. A mark is proven to be a
// step's in four ways:
//
//   - it is the first of the log: no script had run before it (provenFirst);
//   - it stands in every log once, and is in this one once: what cleans up, and what stops
//     containers that were seen to be started (provenStop);
//   - there are as many marks as steps, each of which has printed one (proveByCount);
//   - debug lines name each step at its beginning and at its end (debugChain).
//
// Exceptions: nothing is proven where marks were left out of a log that has too many, or in a
// log that does not begin with the set-up. Nor is a mark with lines before it that may be of
// its step, or of a step that may have begun before the end of another. Counting proves
// nothing after any error, as a step that may fail is a success even if it failed before its
// mark; nor where steps ran in the background, where inner steps of composite actions had
// marks, or where a hook's group stands alone.

// proven tells of each unit, and of the end of the log, whether its first line is certain.
func (a *alignment) proven() []bool {
	last := len(a.units) - 1
	p := make([]bool, len(a.units)+1)
	if a.x.MarksCut || a.units[0].kind != setUpStep || a.units[0].candidates[0].line != 1 {
		return p
	}
	p[0], p[last+1] = true, a.units[last].kind == completeStep
	c := a.census()
	if last > 0 {
		p[1] = a.provenFirst(c)
	}
	if a.units[last].kind == completeStep && c.types[CleanUpMark] == 1 && c.types[CompleteMark] == 0 {
		p[last] = a.begins(last, CleanUpMark)
	}
	if i := a.provenStop(c); i > 0 {
		p[i] = true
	}
	a.proveByCount(c, p)
	return p
}

// provenStop is of the step that stops containers: the runner started them itself, before
// any script, and so it stops them itself. Container hooks print neither mark, but a group
// within each of both steps. It returns zero if it is not proven.
func (a *alignment) provenStop(c census) int {
	one := c.steps[stopStep] == 1 && c.steps[containersStep] == 1 && c.types[StopMark] == 1 && c.types[ContainersMark] == 1
	if !one {
		return 0
	}
	start := slices.IndexFunc(a.units, func(u unit) bool { return u.kind == containersStep })
	stop := slices.IndexFunc(a.units, func(u unit) bool { return u.kind == stopStep })
	scripts := slices.ContainsFunc(a.units[:start], func(u unit) bool { return u.kind == userStep || u.kind == unnamedStep })
	if stop < start || scripts || !a.begins(start, ContainersMark) || !a.begins(stop, StopMark) {
		return 0
	}
	if a.hasPath(start) || a.hasPath(stop) {
		return 0
	}
	first := slices.IndexFunc(a.x.Marks, func(m Mark) bool { return m.Type == ContainersMark || m.Type == RunMark })
	if a.x.Marks[first].Type != ContainersMark {
		return 0
	}
	return stop
}

// hasPath tells whether the lines of a unit whose beginning is known have a hook's group.
func (a *alignment) hasPath(i int) bool {
	from, to := a.units[i].candidates[0].line, a.x.Lines+1
	for _, next := range a.units[i+1:] {
		if next.known() {
			to = next.candidates[0].line
			break
		}
	}
	return slices.ContainsFunc(a.x.Marks, func(m Mark) bool { return m.Type == PathMark && m.Line >= from && m.Line < to })
}

// census counts what there is.
type census struct {
	types  [markTypes]int
	steps  [completeStep + 1]int
	titles map[uint64]int // of groups of commands and images
	main   []int          // the marks of steps that print one each
}

func (a *alignment) census() census {
	c := census{titles: make(map[uint64]int)}
	for i, m := range a.x.Marks {
		c.types[m.Type]++
		if m.Title != 0 && m.Type != FinishingMark {
			c.titles[m.Title]++
		}
		if m.Type.main() {
			c.main = append(c.main, i)
		}
	}
	for _, u := range a.units {
		c.steps[u.kind]++
	}
	return c
}

// begins tells whether a unit of one step, which succeeded, begins at the one mark of a type.
func (a *alignment) begins(i int, t MarkType) bool {
	m, ok := a.plainly(i)
	return ok && m.Type == t
}

// markOf returns the mark with which a unit begins, if it is of one step that succeeded, and
// the mark is of its time.
func (a *alignment) markOf(i int) (Mark, bool) {
	u := &a.units[i]
	if len(u.steps) != 1 || !u.known() || u.candidates[0].mark < 0 || u.steps[0].Conclusion != "success" {
		return Mark{}, false
	}
	m := a.x.Marks[u.candidates[0].mark]
	after := m.At - u.from - early
	return m, m.Type < ErrorMark && after >= 0 && after < microsecond+microsecond/5
}

// plainly is markOf, if there is also no doubt that the step's first line is the mark.
func (a *alignment) plainly(i int) (Mark, bool) {
	m, ok := a.markOf(i)
	return m, ok && m.Lead == 0 && !m.Warned && !a.units[i].startsEarly
}

// provenFirst is of the step after the set-up: no script has run before its mark, which is
// the first, and there is no other like it. No step that may fail has failed before. Callers
// of a reusable workflow word lines of the set-up, but not after its last one.
func (a *alignment) provenFirst(c census) bool {
	m, ok := a.plainly(1)
	if a.x.FirstError > 0 && a.x.FirstError < m.Line || a.x.JobNamed > m.Line || !ok || len(c.main) == 0 || a.x.Marks[c.main[0]] != m || !a.tellsName(1) {
		return false
	}
	if m.Title != 0 {
		return c.titles[m.Title] == 1
	}
	return c.types[m.Type] == 1
}

// proveByCount is of jobs in which all went well, and whose steps have printed a mark each. A
// step that may fail is a success to the API, and may have failed before its mark: no error
// at all must have been printed.
func (a *alignment) proveByCount(c census, p []bool) {
	if a.x.InnerMarks || a.x.FirstError > 0 || c.types[BackgroundMark] > 0 || a.strayPath() {
		return
	}
	var main []int
	for i := 1; i < len(a.units); i++ {
		if kind := a.units[i].kind; kind == stopStep || kind == completeStep {
			continue
		}
		if _, ok := a.markOf(i); !ok {
			return
		}
		main = append(main, i)
	}
	if len(main) != len(c.main) {
		return
	}
	for k, i := range main {
		if int(a.units[i].candidates[0].mark) != c.main[k] {
			return
		}
	}
	for _, i := range main {
		_, p[i] = a.plainly(i)
	}
}

// strayPath tells whether there is a hook's group without the line of a hook before it: then
// it is of containers' hooks, which run within every step, or somebody else has printed it.
func (a *alignment) strayPath() bool {
	for i, m := range a.x.Marks {
		if m.Type == PathMark && (i == 0 || a.x.Marks[i-1].Type != HookStartedMark && a.x.Marks[i-1].Type != HookCompletedMark) {
			return true
		}
	}
	return false
}

// tellsName tells whether the log names the unit's step at its beginning.
func (a *alignment) tellsName(i int) bool {
	u := &a.units[i]
	if i == 0 {
		return u.kind == setUpStep
	}
	m := a.x.Marks[u.candidates[0].mark]
	switch {
	case m.Type == RunMark:
		return m.Title == titleHash([]byte(u.steps[0].Name))
	case m.Title != 0 && m.Title != titleHash([]byte(u.steps[0].Name)):
		return false
	}
	return u.kind != unnamedStep && u.kind != userStep && fits[u.kind][m.Type] == 0
}
