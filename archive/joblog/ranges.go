package joblog

// ranges are the steps' lines, after forward.
func (a *alignment) ranges() []Range {
	proven := a.proven()
	var out []Range
	for i := 0; i < len(a.units); {
		next := i + 1
		for next < len(a.units) && !a.units[next].known() {
			next++
		}
		r := Range{First: a.units[i].candidates[0].line, Last: a.x.Lines, Certainty: Estimated}
		if next < len(a.units) {
			r.Last = a.units[next].candidates[0].line - 1
		}
		steps := a.units[i].steps
		steps = steps[:len(steps)+a.count(i+1, next)]
		switch {
		case len(steps) > 1:
			r.Certainty = Shared
		case proven[i] && proven[next] && a.tellsName(i) && !a.overstepped(r, steps[0]):
			r.Certainty = Exact
		}
		for _, s := range steps {
			r.Number = s.Number
			out = append(out, r)
		}
		i = next
	}
	return out
}

// known tells whether all good alignments have the same beginning of the unit.
func (u *unit) known() bool { return len(u.candidates) == 1 && !u.optional }

func (a *alignment) count(from, to int) (steps int) {
	for _, u := range a.units[from:to] {
		steps += len(u.steps)
	}
	return steps
}
