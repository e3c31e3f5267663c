package joblog

import (
	"bytes"
)

// Index is what one reading of a log's text yields: enough to say later which lines belong
// to which step, and what the job used. Its size is bounded, however large the log is.
type Index struct {
	Lines    int64    // a last line without a newline counts
	Seconds  []Second // those in which something was printed, in their order
	Marks    []Mark   // in the order of their lines
	MarksCut bool     // there were too many marks, and some are left out
	// InnerMarks: there were some within inner steps of composite actions, which are left out.
	InnerMarks bool
	FirstError int64 // the first line that is an error; zero: there is none
	JobNamed   int64 // the last line that names the job, with which set-ups end; zero: there is none
	Usage      *Usage
}

// headLen is how many bytes of a line's beginning are looked at.
const headLen = 3 + StampLen + len("##[warning]") + 4*maxMessage

// Indexer reads a log piece by piece, in order.
type Indexer struct {
	index  Index
	line   int64  // number of the line that is being read
	head   []byte // its beginning, when it began in an earlier piece
	inLine bool
	second [len("2006-01-02T15:04:05")]byte
	unix   int64
	usage  usageReader
	marks  marker
}

// NewIndexer starts at line 1.
func NewIndexer() *Indexer { return &Indexer{line: 1} }

// Line is the number of the line, from 1, that the next byte belongs to.
func (x *Indexer) Line() int64 { return x.line }

// Add reads the next piece. Lines may be cut anywhere between pieces.
func (x *Indexer) Add(p []byte) {
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		part := p
		if end >= 0 {
			part = p[:end]
		}
		head := part
		if x.inLine {
			x.keep(part)
			head = x.head
		}
		if end < 0 {
			if !x.inLine {
				x.inLine = true
				x.head = x.head[:0]
				x.keep(part)
			}
			return
		}
		x.look(head)
		x.inLine = false
		x.line++
		p = p[end+1:]
	}
}

// keep adds to the beginning of a line that is cut.
func (x *Indexer) keep(part []byte) {
	room := headLen - len(x.head)
	x.head = append(x.head, part[:min(room, len(part))]...)
}

// Finish ends the log and returns its index.
func (x *Indexer) Finish() *Index {
	if x.inLine {
		x.look(x.head)
		x.line++
		x.inLine = false
	}
	x.index.Lines = x.line - 1
	x.index.Seconds = inOrderOfTime(x.index.Seconds)
	x.index.Usage = x.usage.finish()
	x.index.Marks = x.marks.finish()
	x.index.MarksCut, x.index.InnerMarks, x.index.FirstError = x.marks.marks.cut, x.marks.innerMarks, x.marks.failedAt
	x.index.JobNamed = x.marks.namedAt
	return &x.index
}

// look indexes the line that has just ended, by its beginning.
func (x *Indexer) look(head []byte) {
	head = withoutMark(head)
	if len(head) < StampLen-1 || head[StampLen-2] != 'Z' {
		x.usage.goesOn(head)
		x.marks.goesOn(x.line)
		return
	}
	if !bytes.Equal(head[:len(x.second)], x.second[:]) {
		x.newSecond(head)
	}
	if x.usage.containers.claimed {
		x.usage.follows(head[:StampLen-1])
	}
	text := head[StampLen-1:]
	if len(text) < 2 || x.unix == 0 {
		return
	}
	if text[0] == ' ' && x.usage.tells(text[1:]) {
		if hasStamp(head) {
			x.usage.look(x.line, head[:StampLen-1], withoutCR(text[1:min(len(text), headLen)]))
		} else {
			x.usage.goesOn(head)
		}
	}
	// Almost every line ends here.
	if mayMark[text[1]] && text[0] == ' ' {
		x.marks.look(x.line, head, text[1:])
		if first := x.marks.takeTolerated(); first > 0 {
			x.usage.tolerate(first)
		}
	}
}

func (x *Indexer) newSecond(head []byte) {
	l := ParseLine(head)
	if l.Time.IsZero() {
		return
	}
	copy(x.second[:], head)
	unix := l.Time.Unix()
	// Clocks step back a little; the index does not.
	if x.unix != 0 && unix <= x.unix && unix >= x.unix-maxBack {
		return
	}
	if len(x.index.Seconds) < maxSeconds {
		x.index.Seconds = append(x.index.Seconds, Second{Line: x.line, Unix: unix})
	}
	x.unix = unix
}
