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

// maxKind is the size of the longest one, as it is written.
const maxKind = len("##[endgroup]")

// Kind takes a line's text apart. What only looks like a kind is text.
func (l Line) Kind() (Kind, []byte) {
	head, end := l.Text[:min(len(l.Text), maxKind)], 0
	switch {
	case len(head) == 0:
	case head[0] == '#', head[0] == '[':
		end = bytes.IndexByte(head, ']') + 1
	case hasPrefix(head, "::"):
		end = bytes.Index(head[2:], []byte("::")) + 4
	}
	kind := kindOf(head[:min(end, len(head))])
	if kind == Plain {
		end = 0
	}
	return kind, l.Text[end:]
}

// kindOf is without a map, whose look-up takes longer than all else that is done with most
// lines.
func kindOf(written []byte) Kind {
	switch string(written) {
	case "##[group]", "::group::":
		return Group
	case "##[endgroup]", "::endgroup::":
		return EndGroup
	case "##[error]":
		return Error
	case "##[warning]":
		return Warning
	case "##[notice]":
		return Notice
	case "##[debug]":
		return Debug
	case "##[command]", "[command]":
		return Command
	case "##[section]":
		return Section
	}
	return Plain
}
