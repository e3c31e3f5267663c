package githubsim

import (
	"io"
	"strings"
)

const (
	bom = "\ufeff"
	// pageSize is where the runner begins a new block, with a new BOM.
	pageSize = 2 << 20
	// chunkSize is how much is made at a time: small enough for the cache,
	// large enough for one write.
	chunkSize = 128 << 10
	// padRoom is kept free before the end of the output for the one line that
	// makes the size exact.
	padRoom  = 256
	hugeLine = 450_000
)

// generator makes a planned log from its start, a chunk at a time.
type generator struct {
	p     *plan
	rng   rng
	stamp stamper
	pool  []outputLine
	eol   string
	plain bool // nothing in the style touches the output's lines

	section  int
	stage    stage
	fillEnd  int64 // where the section's output ends
	perLine  ticks // mean time between two lines of output
	now      ticks
	at       int // line of the pool
	count    int // lines of output so far
	done     int64
	page     int64 // begins here
	hugeDone bool

	chunk []byte // the memory of a chunk
	buf   []byte // its part that was not read yet
}

// stage is how far a section is.
type stage int

const (
	stageBefore stage = iota
	stageOutput
	stageAfter
)

func newGenerator(p *plan) *generator {
	g := &generator{p: p, rng: rng(p.seed), pool: outputPool(), eol: p.eol(), page: -pageSize}
	g.at = g.rng.below(len(g.pool))
	g.chunk = make([]byte, 0, min(chunkSize+chunkSize/8, p.size+1<<10))
	st := p.style
	g.plain = !st.ANSI && !st.HugeLine && !st.NULBytes && !st.InvalidUTF8 && !st.UntimestampedLines
	return g
}

func (g *generator) Read(b []byte) (int, error) {
	if len(g.buf) == 0 {
		g.fill()
	}
	if len(g.buf) == 0 {
		return 0, io.EOF
	}
	n := copy(b, g.buf)
	g.buf = g.buf[n:]
	return n, nil
}

// WriteTo implements io.WriterTo.
func (g *generator) WriteTo(w io.Writer) (written int64, err error) {
	for {
		if len(g.buf) == 0 {
			g.fill()
		}
		if len(g.buf) == 0 {
			return written, nil
		}
		n, err := w.Write(g.buf)
		written += int64(n)
		g.buf = g.buf[n:]
		if err != nil {
			return written, err
		}
	}
}

// fill makes the next chunk; empty is the end.
func (g *generator) fill() {
	b := g.chunk[:0]
	start := g.done
	for len(b) < chunkSize && g.section < len(g.p.sections) {
		sec := &g.p.sections[g.section]
		switch g.stage {
		case stageBefore:
			g.now = max(g.now, sec.from+g.withinSecond(sec))
			b = g.literal(b, sec.before)
			g.done = start + int64(len(b))
			g.beginOutput(sec)
			g.stage = stageOutput
		case stageOutput:
			if g.done < g.fillEnd {
				b = g.output(b, start, sec)
				continue
			}
			g.stage = stageAfter
		case stageAfter:
			b = g.literal(b, sec.after)
			g.section, g.stage = g.section+1, stageBefore
		}
		g.done = start + int64(len(b))
	}
	g.chunk = b
	g.buf = g.trim(b, start)
}

// withinSecond is what the API's times lack: they are cut to the second.
func (g *generator) withinSecond(sec *section) ticks {
	if sec.to-sec.from < ticksPerSecond {
		return 0
	}
	return ticks(g.rng.below(ticksPerSecond * 9 / 10))
}

// trim cuts what is beyond the size: the last line's end, or all of it where
// head and tail are already too long.
func (g *generator) trim(b []byte, start int64) []byte {
	over := start + int64(len(b)) - g.p.size
	if over < 0 {
		return b
	}
	g.section = len(g.p.sections)
	g.done = g.p.size
	b = b[:max(0, int64(len(b))-over)]
	if !g.p.style.NoFinalNewline && len(b) > 0 {
		copy(b[max(0, len(b)-len(g.eol)):], g.eol)
	}
	return b
}

// beginOutput shares what is left between the sections with output.
func (g *generator) beginOutput(sec *section) {
	g.fillEnd = g.done
	if sec.share == 0 || g.section > g.p.lastFill {
		return
	}
	end := g.p.size - g.p.tail
	if g.section == g.p.lastFill {
		g.fillEnd = end
	} else {
		var shares int64
		for _, later := range g.p.sections[g.section : g.p.lastFill+1] {
			shares += later.share
		}
		g.fillEnd = g.done + (end-g.done)*sec.share/shares
	}
	// Nothing is left if head and tail already fill a small log.
	lines := max(0, g.fillEnd-g.done)/poolAverage() + 1
	g.perLine = max(0, sec.to-g.now) / ticks(lines)
}

// literal appends lines that are part of the plan.
func (g *generator) literal(b []byte, lines []string) []byte {
	if g.page < 0 {
		b = append(b, bom...)
		g.page = 0
	}
	for _, l := range lines {
		b = g.stamp.append(b, g.now)
		b = append(b, l...)
		b = append(b, g.eol...)
		g.now += ticks(200 + g.rng.below(6000))
	}
	return b
}

// output appends build output until the chunk is full or the section's part is.
// Only the last part ends at an exact byte; the others end with their line.
func (g *generator) output(b []byte, start int64, sec *section) []byte {
	exact := g.section == g.p.lastFill
	for len(b) < chunkSize {
		mark := len(b)
		if start+int64(mark)-g.page >= pageSize {
			g.page = start + int64(mark)
			b = append(b, bom...)
		}
		body := len(b)
		b = g.line(b)
		g.done = start + int64(len(b))
		if left := g.fillEnd - g.done; exact && left < padRoom {
			b = g.pad(b[:body], int(g.fillEnd-start)-body)
			g.done = g.fillEnd
			return b
		} else if left <= 0 {
			return b
		}
		g.now = min(g.now+ticks(g.rng.next()%uint64(2*g.perLine+1)), max(g.now, sec.to))
	}
	return b
}

// pad appends the line of exactly n bytes that ends the output.
func (g *generator) pad(b []byte, n int) []byte {
	dots := n - stampSize - len(g.eol)
	if dots < 0 {
		// Only if head and tail leave next to nothing between them.
		return append(b, strings.Repeat("\n", max(0, n))...)
	}
	b = g.stamp.append(b, g.now)
	b = append(b, strings.Repeat(".", dots)...)
	return append(b, g.eol...)
}

// line appends the next line of output.
func (g *generator) line(b []byte) []byte {
	l := &g.pool[g.at]
	if g.at++; g.at == len(g.pool) {
		g.at = 0
	}
	g.count++
	if !g.plain {
		return g.styledLine(b, l)
	}
	b = g.stamp.append(b, g.now)
	b = g.text(b, l)
	return append(b, g.eol...)
}

func (g *generator) text(b []byte, l *outputLine) []byte {
	n := len(b)
	b = append(b, l.text...)
	if l.slot >= 0 {
		const digits = "0123456789abcdef"
		v := g.rng.next()
		slot := b[n+l.slot:][:8]
		for i := range slot {
			slot[i] = digits[v&15]
			v >>= 4
		}
	}
	return b
}
