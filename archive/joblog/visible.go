package joblog

import "bytes"

// VisibleText returns what people see of a line's text, as ParseLine gives it: the text
// without escape sequences, in its last state if something was written over. It is what a
// search looks at, and what pages show. Where nothing is to be done, it is text itself. It
// is never longer than text, holds no escape, no carriage return and no backspace, and is
// its own visible text. It takes time in proportion to text, whatever that holds.
//
// What the runner writes before a line (Line.Kind) stays as it is; columns begin after it.
// The rest is as on a terminal, with one line of the log in place of its screen:
//
//	ESC [ … m                          colours: dropped
//	CR, BS, ESC [ n C, D, G            the cursor moves; what is written then stands in the place of what was there
//	ESC [ n K, J                       the line is erased: from the cursor on, up to the cursor, or all of it
//	ESC 7, ESC 8, ESC [ s, u           the cursor's place is saved and restored
//	ESC [ n A, B, E, F, H, …           another row of the screen: what comes then stands after what is there, with a space between
//	ESC ] … BEL, ESC ] … ESC \         titles and links: dropped; a link's text stays. So for ESC P, X, ^ and _
//	every other whole sequence         dropped, without effect
//	ESC that begins no whole sequence  dropped alone: nothing that follows can be hidden by that
//	every other character              is text, also control characters and those that are not seen: pages show a sign for each
//
// Columns that were skipped or erased, however many, are one space between two texts.
//
// github.com/buildkite/terminal-to-html shows the same, and a test compares both. It
// differs in this:
//
//	it has 160 columns, this maxColumns
//	columns that were skipped                    it has a space for each
//	spaces at the end                            it drops them
//	another row                                  it has a line end, or goes back to rows above
//	ESC [ with lower-case a, b, … h, and k       it takes for their upper-case letters
//	ESC [ with other letters, or with : < = > !  it drops ESC alone
//	ESC [ ; 5 H, and n = 0                       it counts parameters that are left out as not there, and 0 as 0
//	ESC and a letter it does not know            it drops ESC alone, ESC c among them
//	ESC ] and ESC _ without an end               it drops the rest of the line; and it knows no ESC P, X and ^
//	ESC ] 1337 and 1338                          it has images and links of its own
func VisibleText(text []byte) []byte {
	if !hasControls(text) {
		return text
	}
	return AppendVisible(nil, text)
}

// AppendVisible appends VisibleText to dst.
func AppendVisible(dst, text []byte) []byte { return appendVisible(dst, text, kindSize(text), false) }

// kindSize is the size of what stands before a line's text.
func kindSize(text []byte) int {
	_, rest := Line{Text: text}.Kind()
	return len(text) - len(rest)
}

// ColouredText is VisibleText with the sequences that set colours, ESC [ digits and
// semicolons m, and no others. Of a line in which something was written over, or which
// goes to another row, it leaves the colours out.
func ColouredText(text []byte) []byte {
	if !hasControls(text) {
		return text
	}
	return appendVisible(nil, text, kindSize(text), true)
}

// VisiblePart returns the VisibleText of a text that is coloured as a whole, and therefore
// has it as one part; ok is false if it has not, or not so obviously. It is far faster.
func VisiblePart(text []byte) (part []byte, ok bool) {
	part = text[ColoursSize(text):]
	if end := bytes.IndexByte(part, 0x1b); end >= 0 {
		if end+ColoursSize(part[end:]) < len(part) {
			return nil, false
		}
		part = part[:end]
	}
	return part, bytes.IndexByte(part, '\r') < 0 && bytes.IndexByte(part, '\b') < 0
}

func hasControls(text []byte) bool {
	c := NewControls(text)
	return c.Next(0) < len(text)
}

// appendVisible appends a text, whose first bytes up to at stay as they are, with its colours
// or without.
func appendVisible(dst, text []byte, at int, colours bool) []byte {
	before := len(dst)
	dst = append(dst, text[:at]...)
	begin := len(dst)
	shown := false // something after the kind
	for controls := NewControls(text); at < len(text); {
		end := controls.Next(at)
		dst = append(dst, text[at:end]...)
		shown = shown || end > at
		if at = end; at == len(text) {
			break
		}
		size := ColourSize(text[at:])
		switch {
		case size == 0:
			s := readSequence(text[at:])
			if s.moves(shown) && colours {
				return AppendVisible(dst[:before], text)
			} else if s.moves(shown) {
				return showMoving(dst, text, begin, at, &controls)
			}
			size = s.size
		case colours:
			dst = append(dst, text[at:at+size]...)
		}
		at += size
	}
	return dst
}

// Controls finds, in a text or in a block of lines, the characters that VisibleText acts
// on: ESC, BS and CR. A CR that ends a line is none.
type Controls struct {
	block []byte
	next  [len(controlBytes)]int // of each; -1: was not looked for yet
	first int                    // of all of them
}

const controlBytes = "\x1b\b\r"

// NewControls begins at the beginning of a block.
func NewControls(block []byte) Controls {
	return Controls{block: block, next: [...]int{-1, -1, -1}, first: -1}
}

// NewOverwrites is NewControls without ESC.
func NewOverwrites(block []byte) Controls {
	return Controls{block: block, next: [...]int{len(block), -1, -1}, first: -1}
}

// Next returns the offset of the first one at or after an offset; the length of the block
// if there is none. Offsets must not decrease from call to call.
func (c *Controls) Next(at int) int {
	if c.first < at {
		c.seek(at)
	}
	return c.first
}

func (c *Controls) seek(at int) {
	for i := range c.next {
		if c.next[i] < at {
			c.next[i] = c.find(controlBytes[i], at)
		}
	}
	c.first = min(c.next[0], c.next[1], c.next[2])
}

func (c *Controls) find(control byte, at int) int {
	for {
		n := bytes.IndexByte(c.block[at:], control)
		if n < 0 {
			return len(c.block)
		}
		at += n
		if control != '\r' || at+1 == len(c.block) || c.block[at+1] != '\n' {
			return at
		}
		at++
	}
}
