package joblog

import (
	"bytes"
	"strings"
)

// Annotation is a line that is marked as an error, a warning or a notice, whoever
// printed it.
type Annotation struct {
	Line  int64
	Level Kind
	// Message is text as a person sees it, and not all of a long one; it may be empty. An
	// error's has all its lines, parted by newlines; of a warning or a notice the first one
	// is kept.
	Message string
	// Tolerated: it is an error of an inner step of a composite action that was allowed to
	// fail.
	Tolerated bool
	File      string // that the annotation is of; empty: it does not say
	FileLine  int64  // of that file; 0: it does not say
}

// LevelCounts are numbers of annotations.
type LevelCounts struct{ Errors, Warnings, Notices int64 }

// Total is the number of all levels together.
func (c LevelCounts) Total() int64 { return c.Errors + c.Warnings + c.Notices }

// of is the count of a level.
func (c *LevelCounts) of(level Kind) *int64 {
	switch level {
	case Error:
		return &c.Errors
	case Warning:
		return &c.Warnings
	}
	return &c.Notices
}

// Bounds of annotations. They are kept by level, so that warnings never cost an error.
const (
	maxAnnotations = 1000 // of a level
	maxMessage     = 1000 // bytes
)

// annotations are those of a log that is being read.
type annotations struct {
	kept LevelCounts
	open bool // the last one's message may go on in lines without a timestamp
}

// annotate takes note of an annotation, whose message may have several lines.
func (u *usageReader) annotate(a Annotation, message []byte) {
	kept := u.annotations.kept.of(a.Level)
	if *kept == maxAnnotations {
		u.annotations.open = false
		*u.usage.AnnotationsCut.of(a.Level)++
		return
	}
	*kept++
	line, rest, more := bytes.Cut(message, []byte("\n"))
	a.Message = plainText(line, maxMessage)
	u.usage.Annotations = append(u.usage.Annotations, a)
	u.annotations.open = a.Level == Error
	for more && u.annotations.open {
		line, rest, more = bytes.Cut(rest, []byte("\n"))
		u.messageGoesOn(line)
	}
}

// messageGoesOn is a line of the message of the last annotation, which is open.
func (u *usageReader) messageGoesOn(line []byte) {
	a := &u.usage.Annotations[len(u.usage.Annotations)-1]
	room := maxMessage - len(a.Message) - len("\n")
	if room <= 0 {
		u.annotations.open = false
		return
	}
	a.Message += "\n" + plainText(line, room)
}

// tolerate marks the errors from a line on: those of an inner step of a composite action that
// was allowed to fail.
func (u *usageReader) tolerate(first int64) {
	all := u.usage.Annotations
	for i := len(all) - 1; i >= 0 && all[i].Line >= first; i-- {
		all[i].Tolerated = all[i].Tolerated || all[i].Level == Error
	}
}

// finishAnnotations trims messages, of which some have nothing but spaces.
func (u *usageReader) finishAnnotations() {
	for i := range u.usage.Annotations {
		a := &u.usage.Annotations[i]
		a.Message = strings.TrimSpace(a.Message)
	}
}
