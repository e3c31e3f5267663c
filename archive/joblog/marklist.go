package joblog

import (
	"slices"
	"sort"
)

// markList is a log's marks. It stays small: of a second with very many marks, and of a
// log with very many, the first and the last of each type are kept, as the marks of steps
// are among those of any script that prints as many.
type markList struct {
	marks  []Mark
	bucket int // where the marks of the last second begin
	second int64
	cut    bool // some are left out
	keep   int  // how many of a type are kept from the beginning, and from the end, of a bucket
	width  int64
}

// Bounds of a markList.
const (
	maxMarks       = 32 << 10
	maxSecondMarks = 4 << 10 // well above what is kept of all types together
	keptMarks      = 64
)

const microsecond = int64(1_000_000) // in a second

func (l *markList) add(m Mark) {
	if s := m.At / microsecond; s != l.second {
		l.second, l.bucket = s, len(l.marks)
	}
	l.marks = append(l.marks, m)
	if len(l.marks)-l.bucket > maxSecondMarks {
		l.thin(l.bucket)
	}
	if len(l.marks) > maxMarks {
		l.shrink()
	}
}

// shrink leaves out marks until half of the room is free.
func (l *markList) shrink() {
	for l.init(); len(l.marks) > maxMarks/2; {
		l.thin(0)
		if l.keep > 1 {
			l.keep /= 2
		} else {
			l.width *= 2
		}
	}
	l.bucket = len(l.marks)
}

func (l *markList) init() {
	if l.keep == 0 {
		l.keep, l.width = keptMarks, 1
	}
}

// thin leaves out marks of each bucket from the given one on.
func (l *markList) thin(from int) {
	l.init()
	out := l.marks[:from]
	for from < len(l.marks) {
		to := from + 1
		for to < len(l.marks) && l.bucketOf(to) == l.bucketOf(from) {
			to++
		}
		out = l.thinned(out, l.marks[from:to])
		from = to
	}
	l.marks = out
}

func (l *markList) bucketOf(i int) int64 { return l.marks[i].At / microsecond / l.width }

// thinned appends to out what is kept of a bucket; both may be of the same memory.
func (l *markList) thinned(out, bucket []Mark) []Mark {
	var all, seen [markTypes]int
	for _, m := range bucket {
		all[m.Type]++
	}
	for _, m := range bucket {
		n := seen[m.Type]
		seen[m.Type]++
		if n < l.keep || n >= all[m.Type]-l.keep {
			out = append(out, m)
		} else {
			l.cut = true
		}
	}
	return out
}

// retype makes another of the last mark, if that is of a line.
func (l *markList) retype(line int64, t MarkType, title uint64) {
	if n := len(l.marks) - 1; n >= 0 && l.marks[n].Line == line {
		l.marks[n].Type, l.marks[n].Title = t, title
	}
}

// removeIf removes marks.
func (l *markList) removeIf(remove func(Mark) bool) {
	l.marks = slices.DeleteFunc(l.marks, remove)
	l.bucket = min(l.bucket, len(l.marks))
}

// removeFrom removes the marks from a line on, and tells whether there were any.
func (l *markList) removeFrom(line int64) bool {
	i := sort.Search(len(l.marks), func(i int) bool { return l.marks[i].Line >= line })
	any := i < len(l.marks)
	l.marks = l.marks[:i]
	l.bucket = min(l.bucket, i)
	return any
}
