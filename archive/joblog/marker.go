package joblog

import (
	"bytes"
	"slices"
)

// marker finds marks line by line.
type marker struct {
	clock      markClock
	marks      markList
	inner      innerSteps
	lead       lead
	inGroup    bool   // of the last mark
	groupEnd   int64  // the line that ended it
	failedAt   int64  // the first line that is an error; zero: there is none
	errorAt    int64  // the last one that is a mark
	repeated   int    // how many such marks came directly before that
	warnedAt   int64  // the last line that is a warning
	innerMarks bool   // there were marks within inner steps, which are left out
	tolerated  int64  // where an inner step began that failed, and was allowed to
	quoted     quoted // of the line before, if that may be a hook's group or a command's
	setUp      bool   // the set-up's actions are being prepared, or were
	namedAt    int64  // the last line that names the job, as the set-up's last one does
	inputs     bool   // before that, inputs were printed, as their caller has worded them
}

// look takes note of line n, whose first byte mayMark. Text is without the timestamp.
func (m *marker) look(n int64, head, text []byte) {
	if text[0] == 0x1b {
		m.script(n, text)
		return
	}
	if m.inner.runner(text); m.prepares(n, text) {
		return
	}
	switch {
	case text[0] == '#':
		m.command(n, head, text)
		return
	case text[0] == 'N' && isLead(text):
		m.leads(n)
		return
	}
	for _, p := range plainMarks[text[0]] {
		if hasPrefix(text, p.begins) {
			if rest := text[len(p.begins):min(len(text), maxTitle)]; !p.whole || len(withoutCR(rest)) == 0 {
				m.lead.unprepared()
				m.add(head, Mark{Line: n, Type: p.begun, Title: actTitle(p.begins, rest)})
			}
			return
		}
	}
}

func actTitle(begins string, rest []byte) uint64 {
	if begins != actMain {
		return 0
	}
	return titleHash(rest)
}

// hasPrefix is without the allocation of a conversion. The prefix is not empty.
func hasPrefix(text []byte, prefix string) bool {
	return len(text) >= len(prefix) && text[0] == prefix[0] && string(text[:len(prefix)]) == prefix
}

// command is a line that begins with a sign of the runner's.
func (m *marker) command(n int64, head, text []byte) {
	kind, message := Line{Text: text}.Kind()
	title := withoutCR(text[len(text)-len(message) : min(len(text), maxTitle)])
	switch kind {
	case Group:
		m.group(n, head, title)
	case EndGroup:
		if m.inGroup {
			m.inGroup, m.groupEnd = false, n
		}
	case Debug:
		m.debug(n, head, title)
	case Error:
		m.failure(n, head, message)
	case Warning:
		if m.warnedAt = n; isLead(text) {
			m.leads(n)
		}
	case Plain:
		m.innerMark(n, withoutCR(text))
	}
}

// named is a line that names the job. The first one ends the set-up: marks before it are not
// the runner's, but for the line that begins the set-up in logs with debug lines.
func (m *marker) named(n int64) {
	if m.inputs && m.namedAt == 0 {
		m.nameAlone()
		m.marks.removeIf(func(mark Mark) bool { return mark.first() != 1 })
		m.inner.open = nil
	}
	m.setUp, m.namedAt = true, n
}

func (m *marker) group(n int64, head, title []byte) {
	m.inGroup = false
	m.inputs = m.inputs || string(title) == inputsGroup
	for _, p := range groupMarks {
		if !hasPrefix(title, p.begins) {
			continue
		}
		mark := Mark{Line: n, Type: p.begun}
		rest := title[len(p.begins):]
		switch {
		case p.begun == PullMark:
			pulled := append(make([]byte, 0, maxTitle), "Pull "...)
			mark.Title = titleHash(append(pulled, bytes.TrimSuffix(rest, []byte("'"))...))
		case p.begun != RunMark: // its title does not tell which step it is of
		case isPath(rest):
			mark.Type, m.quoted = PathMark, quoted{n, titleHash(title)}
		default:
			mark.Title, mark.Action = titleHash(title), isAction(rest)
		}
		if mark.Type != RunMark || !isLocal(rest) {
			m.lead.unprepared()
		}
		m.add(head, mark)
		m.inGroup = true
		return
	}
}

// quoted is the title of a group that is a path in quotation marks.
type quoted struct {
	line  int64
	title uint64
}

// isPath tells whether a title is 'PATH'.
func isPath(title []byte) bool {
	const ends = 2
	return len(title) > ends && title[0] == '\'' && bytes.IndexByte(title[1:], '\'') == len(title)-ends
}

// script is a coloured line. The runner prints a step's command so, directly after the title
// of its group (ScriptHandler.PrintActionDetails), and nothing of a hook's.
func (m *marker) script(n int64, text []byte) {
	if m.quoted.line == n-1 && hasPrefix(text, "\x1b[36;1m") {
		m.marks.retype(n-1, RunMark, m.quoted.title)
	}
}

// isAction tells whether a title is that of an action, and not the first line of a command.
func isAction(title []byte) bool {
	if isLocal(title) {
		return true
	}
	name, _, ok := bytes.Cut(title, []byte("@"))
	return ok && bytes.IndexByte(name, '/') > 0 && bytes.IndexByte(title, ' ') < 0
}

// isLocal tells whether a title is that of an action in the job's working directory.
func isLocal(title []byte) bool { return hasPrefix(title, "./") || hasPrefix(title, "../") }

// maxRepeated is how many errors are marks that come directly after another: as many steps in
// a row may fail before their groups. A compiler prints thousands.
const maxRepeated = 50

// failure is an error. It may begin a step, but for those with which the runner ends one;
// after another one it hardly does.
func (m *marker) failure(n int64, head, message []byte) {
	if m.failedAt == 0 {
		m.failedAt = n
	}
	if hasPrefix(message, exitCode) {
		m.inner.fails()
	}
	if slices.ContainsFunc(endings, func(e string) bool { return hasPrefix(message, e) }) {
		return
	}
	mark := Mark{Line: n, Type: ErrorMark, Again: m.errorAt > 0 && m.errorAt == n-1}
	if m.errorAt = n; mark.Again {
		m.repeated++
	} else {
		m.repeated = 0
	}
	if m.repeated > maxRepeated {
		return
	}
	if m.lead.starting != 0 {
		m.nameAlone()
		m.append(head, mark)
	} else {
		m.add(head, mark)
	}
}

// debug is a line that the runner prints if debug logging is on, or a script at any time.
func (m *marker) debug(n int64, head, text []byte) {
	const evaluating, starting = "Evaluating condition for step: '", "Starting: "
	switch {
	case hasPrefix(text, evaluating):
		m.nameAlone()
		m.leads(n)
		m.lead.asked = titleHash(bytes.TrimSuffix(text[len(evaluating):], []byte("'")))
	case hasPrefix(text, starting):
		name := titleHash(text[len(starting):])
		if m.lead.starting != 0 || m.lead.asked != name { // what was asked for was skipped
			m.nameAlone()
		}
		m.leads(n)
		m.lead.starting, m.lead.at = name, m.clock.at(head)
	case hasPrefix(text, "Finishing: "):
		m.nameAlone()
		m.append(head, Mark{Line: n, Type: FinishingMark, Title: titleHash(text[len("Finishing: "):])})
	default:
		m.goesOn(n)
	}
}

// add takes a mark that begins a step, with the lines before it.
func (m *marker) add(head []byte, mark Mark) {
	if mark.Type.main() {
		m.inner.begins()
	}
	if m.lead.next != mark.Line {
		m.nameAlone()
	} else {
		if m.lead.first > 0 {
			mark.Lead = int32(mark.Line - m.lead.first)
		}
		mark.Named = m.lead.starting
		m.lead = lead{}
	}
	mark.Direct = m.groupEnd > 0 && mark.first() == m.groupEnd+1
	mark.Warned = m.warnedAt > 0 && mark.first() == m.warnedAt+1
	m.append(head, mark)
}

func (m *marker) append(head []byte, mark Mark) {
	mark.At = m.clock.at(head)
	m.marks.add(mark)
}

// innerMark is a line around an inner step of a composite action. What stands between
// begins no step of the job.
func (m *marker) innerMark(n int64, text []byte) {
	mark, ok := readInnerMark(text)
	if !ok {
		return
	}
	first, ended := m.inner.see(n, mark)
	if !ended {
		return
	}
	m.nameAlone()
	if m.marks.removeFrom(first) {
		m.innerMarks = true
	}
	if mark.tolerated() {
		m.tolerated = first
	}
}

// takeTolerated returns the line at which an inner step began, if the line before ended it,
// and it failed and was allowed to; zero: it is none such. It returns each once.
func (m *marker) takeTolerated() (first int64) {
	first, m.tolerated = m.tolerated, 0
	return first
}

// finish returns all marks, in the order of their lines.
func (m *marker) finish() []Mark {
	m.nameAlone()
	return m.marks.marks
}
