package joblog

import (
	"sync"
	"unicode/utf8"
)

// maxColumns is how wide a terminal is taken to be: a longer line goes on in its next row,
// and the cursor does not come back to the one before.
const maxColumns = 1024

// cell is one column of a row: a character, or an invalid byte b as cell(b) | invalid.
type cell int32

const invalid cell = 1 << 30

// screen is a line in which the cursor moves.
type screen struct {
	out   []byte // the rows before
	cells [maxColumns]cell
	used  columns // of the cells; the others are blank: nothing was written there, or it was erased
	x     int     // column of the cursor, from 0; maxColumns: the next character begins a row
	rows  int
	saved struct{ x, rows int }
	gap   bool // before what is shown next, something is blank
	begun bool // something is shown
}

// screens keeps screens that are no longer used.
var screens = sync.Pool{New: func() any { return new(screen) }}

// showMoving appends to out what is seen in the end, if the text from begin on has been
// shown without moving the cursor, and more of it comes from at on.
func showMoving(out, text []byte, begin, at int, controls *Controls) []byte {
	s := screens.Get().(*screen)
	defer screens.Put(s)
	// What was shown has not moved, and is shown again in the same place.
	s.used, s.x, s.rows, s.saved, s.gap, s.begun, s.out = columns{}, 0, 0, struct{ x, rows int }{}, false, false, out[:begin]
	s.write(out[begin:])
	for at < len(text) {
		end := controls.Next(at)
		s.write(text[at:end])
		if at = end; at < len(text) {
			sequence := readSequence(text[at:])
			s.obey(sequence)
			at += sequence.size
		}
	}
	s.endRow()
	out, s.out = s.out, nil
	return out
}

// write writes characters at the cursor.
func (s *screen) write(text []byte) {
	for len(text) > 0 {
		if s.x == maxColumns {
			s.endRow()
			s.x = 0
		}
		from := s.x
		for len(text) > 0 && text[0] < utf8.RuneSelf && s.x < maxColumns {
			s.cells[s.x] = cell(text[0])
			s.x++
			text = text[1:]
		}
		if len(text) > 0 && text[0] >= utf8.RuneSelf && s.x < maxColumns {
			r, n := utf8.DecodeRune(text)
			s.cells[s.x] = cell(r)
			if r == utf8.RuneError && n == 1 {
				s.cells[s.x] = cell(text[0]) | invalid
			}
			s.x++
			text = text[n:]
		}
		s.used.set(from, s.x)
	}
}

// endRow shows the row as it is.
func (s *screen) endRow() {
	next := 0 // column
	for x := range s.used.all() {
		s.gap = s.gap || x > next
		if s.gap && s.begun {
			s.out = append(s.out, ' ')
		}
		s.gap, s.begun, next = false, true, x+1
		if c := s.cells[x]; c&invalid != 0 {
			s.out = append(s.out, byte(c))
		} else {
			s.out = utf8.AppendRune(s.out, rune(c))
		}
	}
	s.gap = s.gap || next < maxColumns
	s.used = columns{}
}

// newRow goes to a column of another row.
func (s *screen) newRow(x int) {
	s.endRow()
	s.gap = true
	s.rows++
	s.moveTo(x)
}

func (s *screen) moveTo(x int) { s.x = max(0, min(x, maxColumns-1)) }

// erase erases the row: all of it, from the cursor on, or up to the cursor.
func (s *screen) erase(params []byte) {
	switch {
	case len(params) == 0 || params[0] == '0':
		s.used.clear(s.x, maxColumns)
	case params[0] == '1':
		s.used.clear(0, min(s.x+1, maxColumns))
	case params[0] == '2' || params[0] == '3':
		s.used = columns{}
	}
}

// obey does what a sequence says.
func (s *screen) obey(q sequence) {
	switch q.prefix {
	case '[':
		s.obeyControl(q)
	case 0x1b:
		s.obeyEscape(q.final)
	default:
		switch q.final {
		case '\r':
			s.x = 0
		case '\b':
			s.moveTo(s.x - 1)
		}
	}
}

func (s *screen) obeyEscape(final byte) {
	switch final {
	case '7':
		s.save()
	case '8':
		s.restore()
	case 'D', 'M':
		s.newRow(s.x)
	case 'E':
		s.newRow(0)
	}
}

func (s *screen) obeyControl(q sequence) {
	switch q.final {
	case 'C', 'a':
		s.moveTo(s.x + q.number(0))
	case 'D':
		s.moveTo(s.x - q.number(0))
	case 'G', '`':
		s.moveTo(q.number(0) - 1)
	case 'A', 'B', 'd', 'e':
		s.newRow(s.x)
	case 'E', 'F':
		s.newRow(0)
	case 'H', 'f':
		s.newRow(q.number(1) - 1)
	case 'J', 'K':
		s.erase(q.params)
	case 's':
		s.save()
	case 'u':
		s.restore()
	}
}

func (s *screen) save() { s.saved.x, s.saved.rows = s.x, s.rows }

func (s *screen) restore() {
	if s.saved.rows != s.rows {
		s.newRow(s.saved.x)
		return
	}
	s.moveTo(s.saved.x)
}
