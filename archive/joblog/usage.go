package joblog

import (
	"bytes"
	"regexp"
	"strings"
)

// Usage is what a job's log says of what ran it and what it ran. Its size is
// bounded whatever the log's.
type Usage struct {
	Environment    Environment
	Permissions    []Permission
	Actions        []Action
	Annotations    []Annotation
	ActionsCut     int64 // how many more there were
	AnnotationsCut int64
}

// Environment is what the runner says of itself and of the job, while it sets the
// job up. Empty: it did not say, or whether it was the runner is not known.
type Environment struct {
	RunnerVersion string
	OS            string // the lines of its group, such as "Ubuntu 22.04.4 LTS"
	Image         string
	ImageVersion  string
	SecretSource  string
	JobDefinedAt  string // OWNER/REPO/PATH@REF of the file with the job
	WorkflowRef   string // of the workflow that was started, where it called that file
}

// Permission is one of the job's GITHUB_TOKEN.
type Permission struct{ Scope, Level string }

// Action is an action that was downloaded, or a reusable workflow that was called.
type Action struct {
	Line    int64
	Name    string // OWNER/REPO
	Path    string // within the repository; empty: its top
	Ref     string
	SHA     string // the commit that the ref was resolved to; empty: it was not said
	Version string // of an immutable action's package
	Digest  string // of that package
	// InSetup: the runner said so while it set the job up, before the first line that
	// may hold others' words. Beyond that a step, or a caller of a reusable workflow, may
	// have worded the line.
	InSetup bool
}

// Annotation is a line that is marked as an error, a warning or a notice, whoever
// printed it.
type Annotation struct {
	Line    int64
	Level   Kind
	Message string // text only, and not all of a long one
}

// Bounds of a Usage.
const (
	maxActions     = 1000
	maxAnnotations = 1000
	maxPermissions = 100
	maxMessage     = 1000 // bytes
	maxField       = 500
)

// usageReader finds a Usage line by line.
type usageReader struct {
	usage  Usage
	setUp  setUp
	frozen *Action // the immutable action whose group the line is in
	left   int     // how many lines of that group there may be
	casual bool    // almost no line tells anything
}

// The beginnings of lines that tell of an action, wherever they stand.
const (
	download       = "Download action repository '"
	downloadFrozen = "Download immutable action package '"
)

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
	kind, rest := Line{Text: text}.Kind()
	read := !u.setUp.begun && u.inSetUp(n, kind, stamp, text)
	switch {
	case kind == Error, kind == Warning, kind == Notice:
		u.annotate(n, kind, rest)
	case read:
	case kind == Group, kind == EndGroup:
		u.frozen = nil
		if bytes.HasPrefix(rest, []byte(downloadFrozen)) {
			u.freeze(n, string(rest[len(downloadFrozen):min(len(rest), 4*maxField)]), false)
		}
	case len(text) > 4*maxField:
	case u.frozen != nil:
		u.ofPackage(n, string(text))
	case bytes.HasPrefix(text, []byte(download)):
		if name, ref, sha, ok := downloaded(string(text[len(download):])); ok {
			u.use(n, name, ref, sha, false)
		}
	}
	named := u.setUp.begun || u.setUp.call != nil && u.setUp.call.named
	u.casual = named && u.frozen == nil
}

// downloaded takes "NAME@REF' (SHA:COMMIT)" apart, whose end may lack. A ref may hold
// apostrophes, but no space: the commit is what the line ends with. Not by a regular
// expression: there are logs with a million of them.
func downloaded(s string) (name, ref, sha string, ok bool) {
	const begin, end = "' (SHA:", ")"
	whole, closed := strings.CutSuffix(s, "'")
	if at := strings.LastIndex(s, begin); at >= 0 && strings.HasSuffix(s, end) {
		whole, sha = s[:at], s[at+len(begin):len(s)-len(end)]
		closed = isCommit(sha)
	}
	name, ref, named := strings.Cut(whole, "@")
	if !closed || !named || name == "" || ref == "" || strings.ContainsAny(name, "' \t\n\f\r") {
		return "", "", "", false
	}
	return name, ref, sha, true
}

func isCommit(s string) bool {
	return len(s) >= 40 && len(s) <= 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// frozenName is what stands in the title of an immutable action's group.
var frozenName = regexp.MustCompile(`^([^'@\s]+)@(.+)'$`)

// freeze begins the group of an immutable action.
func (u *usageReader) freeze(n int64, rest string, inSetUp bool) {
	if m := frozenName.FindStringSubmatch(rest); m != nil {
		const lines = 3
		u.frozen, u.left = u.use(n, m[1], m[2], "", inSetUp), lines
	}
}

// ofPackage is a line of the group of an immutable action.
func (u *usageReader) ofPackage(_ int64, s string) {
	if u.frozen == nil {
		return
	}
	a := u.frozen
	if v, ok := strings.CutPrefix(s, "Version: "); ok {
		setField(&a.Version, v)
	} else if v, ok := strings.CutPrefix(s, "Digest: "); ok {
		setField(&a.Digest, v)
	} else if v, ok := strings.CutPrefix(s, "Source commit SHA: "); ok && isCommit(v) {
		setField(&a.SHA, v)
	}
	if u.left--; u.left == 0 {
		u.frozen = nil
	}
}

// use takes note of an action, and returns it for what the lines after it say; of
// one too many, nil.
func (u *usageReader) use(n int64, name, ref, sha string, inSetUp bool) *Action {
	parts := strings.SplitN(name, "/", 3)
	if len(parts) < 2 || len(name) > maxField || len(ref) > maxField {
		return nil
	}
	if len(u.usage.Actions) == maxActions {
		u.usage.ActionsCut++
		return nil
	}
	a := Action{
		Line: n, Name: plainText([]byte(parts[0]+"/"+parts[1]), maxField), Ref: plainText([]byte(ref), maxField), SHA: sha, InSetup: inSetUp,
	}
	if len(parts) == 3 {
		a.Path = plainText([]byte(parts[2]), maxField)
	}
	u.usage.Actions = append(u.usage.Actions, a)
	return &u.usage.Actions[len(u.usage.Actions)-1]
}

func (u *usageReader) annotate(n int64, level Kind, message []byte) {
	if len(u.usage.Annotations) == maxAnnotations {
		u.usage.AnnotationsCut++
		return
	}
	u.usage.Annotations = append(u.usage.Annotations, Annotation{Line: n, Level: level, Message: plainText(message, maxMessage)})
}

// finish returns what was found.
func (u *usageReader) finish() *Usage {
	if e := &u.usage.Environment; e.WorkflowRef == "" {
		e.WorkflowRef = e.JobDefinedAt
	}
	return &u.usage
}

// plainText is text that a table takes and a terminal shows: valid UTF-8 without colours
// and other control characters, cut after maxBytes bytes.
func plainText(b []byte, maxBytes int) string {
	s := strings.ToValidUTF8(string(b[:min(len(b), 4*maxBytes)]), "\ufffd")
	s = colours.ReplaceAllString(s, "")
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, s)
	if len(s) > maxBytes {
		s = strings.ToValidUTF8(s[:maxBytes], "")
	}
	return s
}

var colours = regexp.MustCompile(`\x1b\[[0-9;:]*m`)
