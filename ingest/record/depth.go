package record

import (
	"bytes"
	"fmt"
)

// MaxDepth bounds how many arrays and objects of outside JSON may lie in each other.
// It is encoding/json's own bound. gjson's Valid has none: it recurses, and a body
// well below maxBody takes more stack than Go gives, which ends the process.
const MaxDepth = 10_000

// ReasonTooDeep says why such JSON is of no use.
var ReasonTooDeep = fmt.Sprintf("nested deeper than %d levels", MaxDepth)

// DeeperThan tells whether JSON is nested deeper than a number of levels. It does not
// recurse, takes time in proportion to the text, and no memory. Of what is no JSON it
// tells the depth at which a parser would find that out, or more.
func DeeperThan(text []byte, levels int) bool {
	// Most texts have too few brackets to be looked at more closely.
	if len(text) <= levels || bytes.Count(text, []byte("{"))+bytes.Count(text, []byte("[")) <= levels {
		return false
	}
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = endOfString(text, i)
		case '{', '[':
			if depth++; depth > levels {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// endOfString is where the string ends that begins at a place: at its second quote, or
// at the end of the text.
func endOfString(text []byte, at int) int {
	for i := at + 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i
		case '\\':
			i++
		}
	}
	return len(text)
}
