package joblog

import "bytes"

// Usage is what a job's log says of what ran it and what it ran. Its size is
// bounded whatever the log's.
type Usage struct {
	Environment    Environment
	Permissions    []Permission
	Actions        []Action
	Annotations    []Annotation
	ActionsCut     int64       // how many more there were
	AnnotationsCut LevelCounts // likewise
}

// Permission is one of the job's GITHUB_TOKEN.
type Permission struct{ Scope, Level string }

// Bounds of a Usage.
const (
	maxPermissions = 100
	maxField       = 500 // bytes
)

// usageReader finds a Usage line by line.
type usageReader struct {
	usage       Usage
	setUp       setUp
	containers  containers
	annotations annotations
	act         *actLog // nil: the log is none of these
	looked      bool    // at a line
	frozen      *Action // the immutable action whose group the line is in
	left        int     // how many lines of that group there may be
	casual      bool    // almost no line tells anything
}

// tells is a quick look at a line's text: almost every one tells nothing.
func (u *usageReader) tells(text []byte) bool {
	if !u.casual {
		return true
	}
	if len(text) < 2 {
		return false
	}
	switch text[0] {
	case '#':
		return text[1] == '#'
	case 'D':
		return bytes.HasPrefix(text, []byte(download))
	case 'C':
		return u.setUp.call != nil && bytes.HasPrefix(text, []byte(jobName))
	}
	return false
}

// look takes note of a line with a timestamp.
func (u *usageReader) look(n int64, stamp, text []byte) {
	u.annotations.open = false
	if !u.looked {
		u.looked, u.act = true, u.beginsActLog(text)
	}
	if u.act != nil {
		u.inActLog(n, text)
		return
	}
	kind, rest := Line{Text: text}.Kind()
	read := !u.setUp.begun && u.inSetUp(n, kind, stamp, text) || u.inContainers(n, kind, stamp, text)
	switch {
	case kind == Error, kind == Warning, kind == Notice:
		u.annotate(Annotation{Line: n, Level: kind}, rest)
	case read:
	case kind == Group, kind == EndGroup:
		u.frozen = nil
		if bytes.HasPrefix(rest, []byte(downloadFrozen)) {
			u.freeze(n, rest[len(downloadFrozen):min(len(rest), 4*maxField)], false)
		}
	case len(text) > 4*maxField:
	case u.frozen != nil:
		u.ofPackage(n, string(text))
	case bytes.HasPrefix(text, []byte(download)):
		if name, ref, sha, ok := downloaded(text[len(download):]); ok {
			u.use(n, name, ref, sha, false)
		}
	}
	begun := u.setUp.begun || u.setUp.call != nil && u.setUp.call.jobSeen
	u.casual = begun && u.frozen == nil && !u.containers.busy() && !u.annotations.open
}

// goesOn takes note of a line without a timestamp: it is of the message before it, and
// whoever worded that message may have worded what follows.
func (u *usageReader) goesOn(text []byte) {
	if s := &u.setUp; s.phase > queued && s.phase < over {
		s.phase = over
	}
	u.containers.trusted = false
	if u.annotations.open {
		u.messageGoesOn(withoutCR(text))
	}
}

// finish returns what was found.
func (u *usageReader) finish() *Usage {
	if e := &u.usage.Environment; e.WorkflowRef == "" {
		e.WorkflowRef = e.JobDefinedAt
	}
	u.finishAnnotations()
	return &u.usage
}
