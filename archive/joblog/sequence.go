package joblog

import "bytes"

// sequence is what a terminal obeys at one place of a text: an escape sequence (ECMA-48),
// CR or BS.
type sequence struct {
	size   int    // in bytes
	prefix byte   // '[' of ESC [; ESC of ESC and one more; 0 of CR, BS, and of what has no effect
	final  byte   // what it does
	params []byte // between: digits, semicolons and others
}

// readSequence reads the sequence that a text, which begins with ESC, CR or BS, begins
// with. An ESC that begins no whole sequence is one by itself.
func readSequence(b []byte) sequence {
	if b[0] != 0x1b {
		return sequence{size: 1, final: b[0]}
	}
	if len(b) == 1 {
		return sequence{size: 1}
	}
	switch c := b[1]; {
	case c == '[':
		return readControlSequence(b)
	case bytes.IndexByte([]byte("]PX^_"), c) >= 0:
		return readString(b)
	case c >= ' ' && c < '0': // such as ESC ( B, which chooses a set of characters
		if end := 1 + span(b[1:], ' ', '/'); end < len(b) && b[end] >= '0' && b[end] <= '~' {
			return sequence{size: end + 1}
		}
	case c >= '0' && c <= '~':
		return sequence{size: 2, prefix: 0x1b, final: c}
	}
	return sequence{size: 1}
}

// readControlSequence reads ESC [ parameters, intermediates, final.
func readControlSequence(b []byte) sequence {
	params := 2 + span(b[2:], '0', '?')
	end := params + span(b[params:], ' ', '/')
	switch {
	case end == len(b) || b[end] < '@' || b[end] > '~':
		return sequence{size: 1}
	case end > params || params > 2 && b[2] >= '<': // private
		return sequence{size: end + 1}
	}
	return sequence{size: end + 1, prefix: '[', final: b[end], params: b[2:params]}
}

// readString reads a string up to BEL or ESC \. It looks no further than to the next ESC,
// which takes linear time, however many strings lack their end.
func readString(b []byte) sequence {
	part := b[2:]
	end := bytes.IndexByte(part, 0x1b)
	if end >= 0 {
		part = part[:end]
	}
	if bell := bytes.IndexByte(part, '\a'); bell >= 0 {
		return sequence{size: 2 + bell + 1}
	}
	if at := 2 + end + 1; end >= 0 && at < len(b) && b[at] == '\\' {
		return sequence{size: at + 1}
	}
	return sequence{size: 1}
}

// span is how many bytes a text begins with that are in a range.
func span(b []byte, low, high byte) int {
	n := 0
	for n < len(b) && b[n] >= low && b[n] <= high {
		n++
	}
	return n
}

// maxColour is the length of the longest sequence that is taken for a colour.
const maxColour = 64

// ColourSize is the size of the sequence that a text begins with, if it is one that sets
// colours: ESC [ digits and semicolons m. It is zero if it is none. Almost all sequences of
// logs are.
func ColourSize[T []byte | string](b T) int {
	if len(b) < 3 || b[0] != 0x1b || b[1] != '[' {
		return 0
	}
	for i := 2; i < min(len(b), maxColour); i++ {
		if c := b[i]; c-'0' > 9 && c != ';' {
			if c == 'm' {
				return i + 1
			}
			return 0
		}
	}
	return 0
}

// ColoursSize is the size of all sequences of colours that a text begins with.
func ColoursSize(text []byte) int {
	at := 0
	for at < len(text) && text[at] == 0x1b {
		n := ColourSize(text[at:])
		if n == 0 {
			break
		}
		at += n
	}
	return at
}

// MayBeInColour tells whether the byte at an offset may be within a sequence of colours, or
// end one. It is false of almost all that are not.
func MayBeInColour(text []byte, at int) bool {
	if c := text[at]; c != '[' && c != ';' && c != 'm' && (c < '0' || c > '9') {
		return false
	}
	return bytes.LastIndexByte(text[max(0, at-maxColour):at], 0x1b) >= 0
}

// number returns parameter i, from 0, of a control sequence: 1 if it is 0 or left out.
func (s sequence) number(i int) int {
	b := s.params
	for ; i > 0; i-- {
		_, b, _ = bytes.Cut(b, []byte{';'})
	}
	const tooMany = 1 << 20
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			break
		}
		n = min(10*n+int(c-'0'), tooMany)
	}
	return max(n, 1)
}

// moves reports whether a sequence moves the cursor or erases something that is shown,
// where the cursor is at the end of its row.
func (s sequence) moves(shown bool) bool {
	switch s.prefix {
	case 0:
		return s.final != 0 && shown
	case 0x1b:
		return bytes.IndexByte([]byte("78"), s.final) >= 0 || shown && bytes.IndexByte([]byte("DEM"), s.final) >= 0
	}
	switch s.final {
	case 'C', 'a', 's', 'u':
		return true
	case 'G', '`':
		return shown || s.number(0) > 1
	case 'H', 'f':
		return shown || s.number(1) > 1
	case 'J', 'K':
		return shown && len(s.params) > 0 && s.params[0] != '0'
	}
	return shown && bytes.IndexByte([]byte("ABDEFde"), s.final) >= 0
}
