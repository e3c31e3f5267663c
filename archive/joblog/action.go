package joblog

import (
	"bytes"
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
func downloaded(s []byte) (name, ref, sha []byte, ok bool) {
	whole, closed := bytes.CutSuffix(s, []byte("'"))
	if rest, ok := bytes.CutSuffix(s, []byte(")")); ok {
		at := bytes.LastIndexByte(rest, '(') + 1
		whole, closed = bytes.CutSuffix(rest[:at], []byte("' ("))
		sha, ok = bytes.CutPrefix(rest[at:], []byte("SHA:"))
		closed = closed && ok && isCommit(sha)
	}
	name, ref, named := bytes.Cut(whole, []byte("@"))
	if !closed || !named || len(name) == 0 || len(ref) == 0 || bytes.ContainsAny(name, "' \t\n\f\r") {
		return nil, nil, nil, false
	}
	return name, ref, sha, true
}

func isCommit[T []byte | string](s T) bool {
	for i := range len(s) {
		if c := s[i]; c-'0' > 9 && c-'a' > 5 {
			return false
		}
	}
	return len(s) >= 40 && len(s) <= 64
}

// frozenName is what stands in the title of an immutable action's group.
var frozenName = regexp.MustCompile(`^([^'@\s]+)@(.+)'$`)

// freeze begins the group of an immutable action.
func (u *usageReader) freeze(n int64, rest []byte, inSetUp bool) {
	if m := frozenName.FindSubmatch(rest); m != nil {
		const lines = 3
		u.frozen, u.left = u.use(n, m[1], m[2], nil, inSetUp), lines
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
func (u *usageReader) use(n int64, name, ref, sha []byte, inSetup bool) *Action {
	owner, rest, found := bytes.Cut(name, []byte("/"))
	if !found || len(name) > maxField || len(ref) > maxField || u.tooMany() {
		return nil
	}
	repository, path, _ := bytes.Cut(rest, []byte("/"))
	return u.add(Action{
		Line: n, Name: plainText(name[:len(owner)+len("/")+len(repository)], maxField), Path: plainText(path, maxField),
		Ref: plainText(ref, maxField), SHA: string(sha), InSetup: inSetup,
	})
}

// add adds an action, and returns it until the next one is added; of one too many, nil.
func (u *usageReader) add(a Action) *Action {
	if u.tooMany() {
		return nil
	}
	u.usage.Actions = append(u.usage.Actions, a)
	return &u.usage.Actions[len(u.usage.Actions)-1]
}

// tooMany tells whether another action is one too many, and counts it then: it is not worth
// a look at its name.
func (u *usageReader) tooMany() bool {
	if len(u.usage.Actions) < maxActions {
		return false
	}
	u.usage.ActionsCut++
	return true
}
