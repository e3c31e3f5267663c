package githubsim

// styledLine is a line of output with what the style asks for. Each oddity has
// its own rhythm, so that they also meet.
func (g *generator) styledLine(b []byte, l *outputLine) []byte {
	st := g.p.style
	every := func(on bool, n int) bool { return on && g.count%n == n/2 }

	if !every(st.UntimestampedLines, 23) {
		b = g.stamp.append(b, g.now)
	}
	coloured := every(st.ANSI, 3)
	if coloured {
		b = append(b, "\x1b[3"...)
		b = append(b, '1'+byte(g.count/3%6), 'm')
	}
	b = g.text(b, l)
	if every(st.NULBytes, 31) {
		b = append(b, " nul \x00\x00 nul"...)
	}
	if every(st.InvalidUTF8, 37) {
		b = append(b, " caf\xe9 \xff\xfe \xf0\x9f\x9a"...)
	}
	if room := g.p.size - g.p.tail - g.done; st.HugeLine && !g.hugeDone && room > hugeLine+4<<10 {
		g.hugeDone = true
		b = g.hugeTail(b)
	}
	if coloured {
		b = append(b, "\x1b[0m"...)
	}
	return append(b, g.eol...)
}

// hugeTail makes a line of 450 KB of the one begun, as a minified bundle in an
// error message does.
func (g *generator) hugeTail(b []byte) []byte {
	for end := len(b) + hugeLine; len(b) < end; {
		b = append(b, ";var "...)
		b = append(b, word(&g.rng)...)
		b = append(b, "=function("...)
		b = append(b, word(&g.rng)...)
		b = append(b, "){return "...)
		b = append(b, word(&g.rng)...)
		b = append(b, "}"...)
	}
	return b
}
