package joblog

// debugChain is of logs with debug lines for each step, which name it at its beginning and
// at its end. A script can print such lines, but not before the log's first line, which
// shows that the runner prints them, and then there are too many.
func debugChain(x *Index, steps []Step) ([]Range, bool) {
	if x.MarksCut || x.InnerMarks || len(x.Marks) == 0 || x.Marks[0].first() != 1 {
		return nil, false
	}
	var out []Range
	var ended int64 // by the line that says so
	for _, m := range x.Marks {
		switch {
		case m.Type == BackgroundMark:
			return nil, false
		case m.Type == FinishingMark:
			if ended != 0 || len(out) == 0 || m.Title != titleHash([]byte(steps[len(out)-1].Name)) {
				return nil, false
			}
			ended = m.Line
		case m.Named != 0:
			if len(out) == len(steps) || len(out) > 0 && ended == 0 || m.Named != titleHash([]byte(steps[len(out)].Name)) {
				return nil, false
			}
			out = begin(out, steps[len(out)].Number, m.first(), ended)
			ended = 0
		}
	}
	if len(out) != len(steps) || ended == 0 {
		return nil, false
	}
	out[len(out)-1].Last = x.Lines
	return out, true
}

// begin adds a range, and ends the one before. If there are lines between its end and the
// next step, such as those of one that was skipped, they are not its for sure.
func begin(out []Range, number, first, ended int64) []Range {
	if n := len(out) - 1; n >= 0 {
		out[n].Last = first - 1
		if ended != first-1 {
			out[n].Certainty = Estimated
		}
	}
	return append(out, Range{Number: number, First: first, Certainty: Exact})
}
