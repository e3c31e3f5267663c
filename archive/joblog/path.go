package joblog

// The best alignment is a shortest path: from a candidate of one unit to one of the next
// whose line comes later. What a way costs is a sum over the marks between, so that the
// ways to a unit are looked at in the time of its candidates and not of their pairs.

// backward finds what it costs at least to go on from each candidate.
func (a *alignment) backward() {
	for i := len(a.units) - 1; i >= 0; i-- {
		u := &a.units[i]
		for k := range u.candidates {
			c := &u.candidates[k]
			c.rest = a.ending(i, c)
		}
		for next := i + 1; next < len(a.units) && next <= i+1+maxJoins; next++ {
			a.comeFrom(u, &a.units[next], int32(next-i-1)*joined)
		}
	}
}

// ending is what it costs that no unit after i has a beginning.
func (a *alignment) ending(i int, c *candidate) int32 {
	joins := min(int64(len(a.units)-1-i)*joined, never/2)
	return int32(joins) + a.idle(c.owner, c.after, int32(len(a.x.Marks)))
}

// idle is what it costs that marks begin nothing.
func (a *alignment) idle(o owner, from, to int32) int32 {
	return a.sums[o][to] - a.sums[o][from]
}

func (a *alignment) comeFrom(u, next *unit, joins int32) {
	best := unreached()
	b := len(next.candidates) - 1
	for i := len(u.candidates) - 1; i >= 0; i-- {
		c := &u.candidates[i]
		for ; b >= 0 && next.candidates[b].line > c.line; b-- {
			n := &next.candidates[b]
			for o := range best {
				best[o] = min(best[o], n.cost+n.rest+a.sums[o][n.before])
			}
		}
		if best[c.owner] < never {
			c.rest = min(c.rest, joins+best[c.owner]-a.sums[c.owner][c.after])
		}
	}
}

func unreached() (best [owners]int32) {
	for o := range best {
		best[o] = never
	}
	return best
}

// forward keeps, of each unit's candidates, those of alignments that are about as good as
// the best one.
func (a *alignment) forward() {
	a.begin()
	for i := range a.units {
		u := &a.units[i]
		a.keepGood(u)
		if i+1 < len(a.units) && len(u.candidates) > 0 {
			a.goDirect(u, &a.units[i+1])
		}
		for next := i + 1; next < len(a.units) && next <= i+1+maxJoins; next++ {
			if a.goOn(u, &a.units[next], int32(next-i-1)*joined) {
				a.merge(i+1, next)
			}
		}
		for k := range u.candidates {
			if c := &u.candidates[k]; c.spent+a.ending(i, c) <= a.best+margin {
				a.merge(i+1, len(a.units))
			}
		}
	}
}

func (a *alignment) begin() {
	for i := range a.units {
		for k := range a.units[i].candidates {
			a.units[i].candidates[k].spent = never
		}
	}
	a.best = never
	for k := range a.units[0].candidates {
		c := &a.units[0].candidates[k]
		c.spent = c.cost
		a.best = min(a.best, c.spent+c.rest)
	}
}

func (a *alignment) keepGood(u *unit) {
	good := u.candidates[:0]
	for _, c := range u.candidates {
		if c.spent < never && c.spent+c.rest <= a.best+margin {
			good = append(good, c)
		}
	}
	u.candidates = good
}

// goOn tells whether a good alignment goes from u to the next unit, of which it notes what
// it costs.
func (a *alignment) goOn(u, next *unit, joins int32) (good bool) {
	best, k := unreached(), 0
	for b := range next.candidates {
		n := &next.candidates[b]
		for ; k < len(u.candidates) && u.candidates[k].line < n.line; k++ {
			c := &u.candidates[k]
			best[c.owner] = min(best[c.owner], c.spent-a.sums[c.owner][c.after])
		}
		for o := range best {
			if best[o] < never {
				spent := joins + n.cost + best[o] + a.sums[o][n.before]
				n.spent = min(n.spent, spent)
				good = good || spent+n.rest <= a.best+margin
			}
		}
	}
	return good
}

func (a *alignment) merge(from, to int) {
	for i := from; i < to; i++ {
		a.units[i].optional = true
	}
}

// goDirect is for a unit whose beginning is known, with a command's group: if a mark follows
// that group and nothing was printed between, then it begins the next unit, rather than a
// group of the command's. Of equally good alignments, those with it are kept.
func (a *alignment) goDirect(u, next *unit) {
	c := u.candidates[0]
	if len(u.candidates) > 1 || u.optional || c.mark < 0 || int(c.after) >= len(a.x.Marks) || a.x.MarksCut {
		return
	}
	if m := a.x.Marks[c.mark]; m.Type != RunMark || m.Action || !a.x.Marks[c.after].Direct {
		return
	}
	for _, n := range next.candidates {
		if n.mark != c.after || c.spent+n.cost+n.rest > a.best+margin {
			continue
		}
		next.candidates = append(next.candidates[:0], n)
		a.best = c.spent + n.cost + n.rest
		return
	}
}
