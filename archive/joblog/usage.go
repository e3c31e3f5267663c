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
// job up. Empty: it did not say.
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
	// InSetup: the line stands before the first step, where nothing but the runner
	// writes. Beyond that a step may have printed it.
	InSetup bool
}

// Annotation is a line that is marked as an error, a warning or a notice.
type Annotation struct {
	Line    int64
	Level   Kind
	Message string // text only, and not all of a long one
}

// Bounds of a Usage.
const (
	maxActions     = 1000
	maxAnnotations = 1000
	maxMessage     = 1000 // bytes
	maxField       = 500
)

// usageReader finds a Usage line by line.
type usageReader struct {
	usage  Usage
	begun  bool    // a step has: what follows may be anybody's
	group  string  // title of the group of the set-up that the line is in
	frozen *Action // the immutable action whose group the line is in
	chain  bool    // the line names the workflow that was started
}

// The beginnings of lines that tell something.
const (
	runnerVersion  = "Current runner version: '"
	secretSource   = "Secret source: "
	jobDefinedAt   = "Job defined at: "
	workflowChain  = "Reusable workflow chain:"
	jobName        = "Complete job name: "
	download       = "Download action repository '"
	downloadFrozen = "Download immutable action package '"
	usesWorkflow   = "Uses: "
	runGroup       = "Run "
)

var (
	frozenTitle = regexp.MustCompile(`^Download immutable action package '([^'@\s]+)@([^']+)'$`)
	reusable    = regexp.MustCompile(`^Uses: ([^@\s]+)@(\S+)(?: \(([0-9a-f]{40,64})\))?$`)
	permission  = regexp.MustCompile(`^([A-Za-z]+): ([a-z]+)$`)
)

// tells is a quick look at a line's text: almost every one tells nothing.
func (u *usageReader) tells(text []byte) bool {
	if !u.begun || u.frozen != nil {
		return true
	}
	return len(text) > 1 && (text[0] == '#' && text[1] == '#' || text[0] == 'D' && bytes.HasPrefix(text, []byte("Download ")))
}

// look takes note of a line with a timestamp.
func (u *usageReader) look(n int64, text []byte) {
	kind, rest := Line{Text: text}.Kind()
	switch kind {
	case Error, Warning, Notice:
		u.annotate(n, kind, rest)
		return
	case Group:
		u.openGroup(n, string(rest[:min(len(rest), maxField)]))
		return
	case EndGroup:
		u.group, u.frozen = "", nil
		return
	}
	if len(text) > 4*maxField {
		return
	}
	switch {
	case u.frozen != nil:
		u.ofPackage(string(text))
	case bytes.HasPrefix(text, []byte(download)):
		if name, ref, sha, ok := downloaded(string(text)); ok {
			u.use(n, name, ref, sha)
		}
	case !u.begun:
		u.setUp(n, string(text))
	}
}

// downloaded takes "Download action repository 'NAME@REF' (SHA:COMMIT)" apart, whose end
// may lack. Not by a regular expression: there are logs with a million of them.
func downloaded(s string) (name, ref, sha string, ok bool) {
	name, s, named := strings.Cut(s[len(download):], "@")
	ref, s, closed := strings.Cut(s, "'")
	if !named || !closed || name == "" || ref == "" || strings.ContainsAny(name, "' \t\n\f\r") {
		return "", "", "", false
	}
	if s == "" {
		return name, ref, "", true
	}
	sha, whole := strings.CutSuffix(s, ")")
	sha, begun := strings.CutPrefix(sha, " (SHA:")
	return name, ref, sha, whole && begun && len(sha) >= 40 && len(sha) <= 64 && strings.Trim(sha, "0123456789abcdef") == ""
}

func (u *usageReader) openGroup(n int64, title string) {
	u.group, u.frozen = title, nil
	if strings.HasPrefix(title, runGroup) {
		u.begun = true
	}
	if strings.HasPrefix(title, downloadFrozen) {
		if m := frozenTitle.FindStringSubmatch(title); m != nil {
			u.frozen = u.use(n, m[1], m[2], "")
		}
	}
}

// ofPackage is a line of the group of an immutable action.
func (u *usageReader) ofPackage(s string) {
	for prefix, field := range map[string]*string{
		"Version: ": &u.frozen.Version, "Digest: ": &u.frozen.Digest, "Source commit SHA: ": &u.frozen.SHA,
	} {
		if v, ok := strings.CutPrefix(s, prefix); ok && *field == "" {
			*field = plainText([]byte(v), maxField)
		}
	}
}

// setUp is a line of the set-up that is no group's title and no mark.
func (u *usageReader) setUp(n int64, s string) {
	e := &u.usage.Environment
	set := func(field *string, v string) {
		if *field == "" {
			*field = plainText([]byte(v), maxField)
		}
	}
	switch u.group {
	case "Operating System":
		e.OS = plainText([]byte(strings.TrimSpace(e.OS+" "+s)), maxField)
		return
	case "Runner Image", "Virtual Environment":
		if v, ok := strings.CutPrefix(s, "Version: "); ok {
			set(&e.ImageVersion, v)
		} else if v, ok := strings.CutPrefix(s, "Image: "); ok {
			set(&e.Image, v)
		} else if v, ok := strings.CutPrefix(s, "Environment: "); ok {
			set(&e.Image, v)
		}
		return
	case "GITHUB_TOKEN Permissions":
		if m := permission.FindStringSubmatch(s); m != nil && len(u.usage.Permissions) < 100 {
			u.usage.Permissions = append(u.usage.Permissions, Permission{m[1], m[2]})
		}
		return
	}
	chain := u.chain
	u.chain = false
	switch {
	case chain:
		ref, _, _ := strings.Cut(s, " ")
		set(&e.WorkflowRef, ref)
	case strings.HasPrefix(s, runnerVersion):
		set(&e.RunnerVersion, strings.TrimSuffix(s[len(runnerVersion):], "'"))
	case strings.HasPrefix(s, secretSource):
		set(&e.SecretSource, s[len(secretSource):])
	case strings.HasPrefix(s, jobDefinedAt):
		set(&e.JobDefinedAt, s[len(jobDefinedAt):])
	case s == workflowChain:
		u.chain = true
	case strings.HasPrefix(s, usesWorkflow):
		if m := reusable.FindStringSubmatch(s); m != nil {
			u.use(n, m[1], m[2], m[3])
		}
	case strings.HasPrefix(s, jobName):
		u.begun = true // a name may hold anything, and go on in the next line
	}
}

// use takes note of an action, and returns it for what the lines after it say; of
// one too many, nil.
func (u *usageReader) use(n int64, name, ref, sha string) *Action {
	parts := strings.SplitN(name, "/", 3)
	if len(parts) < 2 || len(name) > maxField || len(ref) > maxField {
		return nil
	}
	if len(u.usage.Actions) == maxActions {
		u.usage.ActionsCut++
		return nil
	}
	a := Action{
		Line: n, Name: plainText([]byte(parts[0]+"/"+parts[1]), maxField), Ref: plainText([]byte(ref), maxField), SHA: sha, InSetup: !u.begun,
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

// plainText is text that a table takes and a terminal shows: valid UTF-8 without
// colours and other control characters, cut after so many bytes.
func plainText(b []byte, most int) string {
	s := strings.ToValidUTF8(string(b[:min(len(b), 4*most)]), "\ufffd")
	s = colours.ReplaceAllString(s, "")
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, s)
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}

var colours = regexp.MustCompile(`\x1b\[[0-9;:]*m`)
