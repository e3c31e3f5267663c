package joblog

import (
	"bytes"
	"slices"
)

// lead is the lines before a mark that belong to what it begins.
type lead struct {
	first, next int64  // from the first to the line before next; zero: there are none
	asked       uint64 // of the step whose condition was evaluated
	starting    uint64 // of the step that was started
	at          int64  // of the line that says so
	prepares    bool   // the first lines prepare a local action, if it is one that begins
	other       int64  // the first line after those; zero: there is none
}

func isLead(text []byte) bool {
	if hasPrefix(text, leadLines[0]) {
		digits := bytes.TrimLeft(text[len(leadLines[0]):min(len(text), maxTitle)], "0123456789")
		return hasPrefix(digits, nodeDeprecated)
	}
	return hasPrefix(text, leadLines[1]) || hasPrefix(text, leadLines[2])
}

// leads takes line n as one that comes before a mark.
func (m *marker) leads(n int64) {
	if m.lead.next != n {
		m.nameAlone()
		m.lead.first = n
	} else if m.lead.other == 0 {
		m.lead.other = n
	}
	m.lead.next = n + 1
}

// prepares takes a line with which a local action is prepared, and tells whether it is one
// of which there is nothing else to say. The first such lines of a log are the set-up's, and
// so is what comes before the job's name.
func (m *marker) prepares(n int64, text []byte) bool {
	if hasPrefix(text, jobName) {
		m.named(n)
	}
	if hasPrefix(text, prepares) {
		if m.setUp && m.lead.next != n {
			m.nameAlone()
			m.lead = lead{first: n, next: n, prepares: true}
		}
		m.setUp = true
	} else if m.lead.next != n || !slices.ContainsFunc(preparations, func(p string) bool { return hasPrefix(text, p) }) {
		return false
	}
	m.goesOn(n)
	return true
}

// unprepared takes the lines before a mark that begins no local action: those with which one
// would have been prepared are of somebody else.
func (l *lead) unprepared() {
	if l.prepares {
		l.first = l.other
	}
}

// goesOn is a line that belongs to the one before: it has no timestamp, or is of debug
// logging and says nothing of steps.
func (m *marker) goesOn(n int64) {
	if m.lead.next == n {
		m.lead.next = n + 1
	}
}

// nameAlone ends the lines before a mark, without one.
func (m *marker) nameAlone() {
	if l := m.lead; l.starting != 0 {
		m.marks.add(Mark{Line: l.first, At: l.at, Type: NamedMark, Named: l.starting})
	}
	m.lead = lead{}
}
