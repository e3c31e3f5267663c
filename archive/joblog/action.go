package joblog

import (
	"regexp"
	"strings"
)

// Action is an action that was downloaded, a reusable workflow that was called, or a
// container image.
type Action struct {
	Line    int64
	Kind    ActionKind
	Name    string // OWNER/REPO; of an image docker://NAME, as docker writes it
	Path    string // within the repository; empty: its top
	Ref     string // of an image its tag, or its digest if it was asked for by that alone
	SHA     string // the commit that the ref was resolved to; empty: it was not said
	Version string // of an immutable action's package
	Digest  string // of that package, or of the image; empty: it was not said
	// InSetup: the runner said so while it set the job up, before the first line that
	// may hold others' words. Beyond that a step, or a caller of a reusable workflow, may
	// have worded the line.
	InSetup bool
}

// ActionKind is what an Action is.
type ActionKind string

// The kinds of actions.
const (
	Downloaded     ActionKind = ""          // an action or a reusable workflow
	PulledImage    ActionKind = "image"     // that an action is
	BuiltImage     ActionKind = "build"     // of an action that was downloaded, from its Dockerfile
	ContainerImage ActionKind = "container" // of the job's container or of a service
)

// maxActions is how many are kept.
const maxActions = 1000

// The beginnings of lines that tell of an action, wherever they stand.
const (
	download       = "Download action repository '"
	downloadFrozen = "Download immutable action package '"
)

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
func (u *usageReader) use(n int64, name, ref, sha string, inSetup bool) *Action {
	parts := strings.SplitN(name, "/", 3)
	if len(parts) < 2 || len(name) > maxField || len(ref) > maxField {
		return nil
	}
	a := Action{
		Line: n, Name: plainText([]byte(parts[0]+"/"+parts[1]), maxField), Ref: plainText([]byte(ref), maxField), SHA: sha, InSetup: inSetup,
	}
	if len(parts) == 3 {
		a.Path = plainText([]byte(parts[2]), maxField)
	}
	return u.add(a)
}

// add adds an action, and returns it until the next one is added; of one too many, nil.
func (u *usageReader) add(a Action) *Action {
	if len(u.usage.Actions) == maxActions {
		u.usage.ActionsCut++
		return nil
	}
	u.usage.Actions = append(u.usage.Actions, a)
	return &u.usage.Actions[len(u.usage.Actions)-1]
}
