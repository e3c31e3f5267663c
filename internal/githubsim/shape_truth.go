package githubsim

// truth says which lines each step printed, and whether that can be known.
func (s *shaper) truth() []StepLines {
	told := make([]bool, len(s.ran)+1)
	for i := range s.ran {
		told[i] = i == 0 || s.toldBeginning(i)
	}
	told[len(s.ran)] = true
	var lines []StepLines
	for i, r := range s.ran {
		together := r.with || i+1 < len(s.ran) && s.ran[i+1].with
		last := s.lines
		if next := i + 1; next < len(s.ran) && !together {
			last = s.ran[next].first - 1
		} else if together {
			last = r.last
		}
		lines = append(lines, StepLines{Number: s.steps[r.step].Number, First: r.first, Last: last, Told: told[i] && told[i+1] && !together && !r.odd})
	}
	return lines
}

// doubt is how far from a step's beginning a mark of somebody else is taken for another step's.
const doubt = ticksPerSecond * 13 / 10

// toldBeginning tells whether it can be known where a step began: nobody else has printed,
// around the second in which it did, what it begins with.
func (s *shaper) toldBeginning(i int) bool {
	r, before := s.ran[i], s.ran[i-1]
	second := r.from - r.from%ticksPerSecond
	if r.bare && !s.debug {
		return before.to < second && !s.printsAround(i, second)
	}
	return !s.printsAround(i, second)
}

func (s *shaper) printsAround(i int, second ticks) bool {
	r := s.ran[i]
	until := max(second+doubt, r.printed+doubt-ticksPerSecond)
	foreign, own := false, false
	for _, m := range s.sigil {
		if m.class != r.class || m.at < second || m.at > until {
			continue
		}
		if m.inner && m.line >= r.first && m.line <= r.last {
			own = true
		} else {
			foreign = true
		}
	}
	return foreign || own && r.bare
}
