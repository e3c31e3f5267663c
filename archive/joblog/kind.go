package joblog

import "bytes"

// Kind is what the runner says of a line.
type Kind string

// The kinds of lines, which a runner writes before their text: GitHub's as
// "##[group]Title", Gitea's groups as "::group::Title", and commands also as
// "[command]git fetch".
const (
	Plain    Kind = ""
	Group    Kind = "group"
	EndGroup Kind = "endgroup"
	Error    Kind = "error"
	Warning  Kind = "warning"
	Notice   Kind = "notice"
	Debug    Kind = "debug"
	Command  Kind = "command"
	Section  Kind = "section"
)

var kindOf = map[string]Kind{
	"##[group]": Group, "##[endgroup]": EndGroup, "##[error]": Error, "##[warning]": Warning, "##[notice]": Notice,
	"##[debug]": Debug, "##[command]": Command, "##[section]": Section, "[command]": Command,
	"::group::": Group, "::endgroup::": EndGroup,
}

// kindBegins are what kinds begin with.
var kindBegins = []byte("#[:")

// maxKind is as it is written.
const maxKind = len("##[endgroup]")

// Kind takes a line's text apart. What only looks like a kind is text.
func (l Line) Kind() (Kind, []byte) {
	head, end := l.Text[:min(len(l.Text), maxKind)], 0
	switch {
	case len(head) == 0 || bytes.IndexByte(kindBegins, head[0]) < 0:
		return Plain, l.Text
	case bytes.HasPrefix(head, []byte("::")):
		end = bytes.Index(head[2:], []byte("::")) + 4
	case bytes.HasPrefix(head, []byte("##[")), bytes.HasPrefix(head, []byte("[")):
		end = bytes.IndexByte(head, ']') + 1
	}
	if kind, ok := kindOf[string(head[:min(end, len(head))])]; ok {
		return kind, l.Text[end:]
	}
	return Plain, l.Text
}
