package joblog

import (
	"bytes"
	"hash/maphash"
	"time"
)

// Mark is a line with which the runner begins a step of one kind, or says something else
// that tells where steps begin. A script can print each of them.
type Mark struct {
	Line  int64
	At    int64  // microseconds since 1970, by the line's timestamp
	Title uint64 // what titleHash makes of its title; zero: it has none
	Named uint64 // the same of the step that debug lines before it name; zero: none does
	Lead  int32  // how many lines directly before it belong to what it begins
	Type  MarkType
	// Direct: it follows the end of the group of the mark before, and nothing was printed between.
	Direct bool
	// Warned: a warning is directly before, which may be of what it begins.
	Warned bool
	// Action: it is the group of an action, which may print groups of steps of its own.
	Action bool
}

// first is the line with which what the mark begins begins.
func (m Mark) first() int64 { return m.Line - int64(m.Lead) }

// MarkType is what a mark begins.
type MarkType uint8

// The types of marks, by the runner's source (github.com/actions/runner, src/Runner.Worker)
// and, for act's, that of github.com/nektos/act.
const (
	RunMark           MarkType = iota // a command or an action: "##[group]Run …"
	PathMark                          // a hook's script within its step: "##[group]Run '/path'"
	PullMark                          // "Pull IMAGE"
	BuildMark                         // "Build OWNER/REPO@REF"
	ContainersMark                    // "Initialize containers"
	StopMark                          // "Stop containers"; once for each container
	HookStartedMark                   // "Set up runner"
	HookCompletedMark                 // "Complete runner"
	PostMark                          // "Post …"
	CompleteMark                      // "Complete job"; several lines of it may stand in a log,
	CleanUpMark                       // of which this one is the last, or the only one
	BackgroundMark                    // a step that waits for background steps, or cancels them
	ActMark                           // a step of act's runner
	ActPostMark                       // what comes after act's steps
	ErrorMark                         // an error; a step that fails before it begins prints nothing else
	NamedMark                         // debug lines that name a step, without any other mark after them
	FinishingMark                     // a debug line that names the step that has ended
	markTypes         = iota
)

// plainMark is a line that is a mark without a group.
type plainMark struct {
	begins string
	whole  bool // nothing comes after it
	begun  MarkType
}

// plainMarks are by their first byte.
var plainMarks = byFirstByte([]plainMark{
	{begins: "A job started hook has been configured", begun: HookStartedMark},
	{begins: "A job completed hook has been configured", begun: HookCompletedMark},
	{begins: "Post job cleanup.", whole: true, begun: PostMark},
	{begins: "Print service container logs: ", begun: StopMark},
	{begins: "Stop and remove container: ", begun: StopMark},
	{begins: "Evaluate and set environment url", whole: true, begun: CompleteMark},
	{begins: "Evaluate and set job outputs", whole: true, begun: CompleteMark},
	{begins: "Uploading runner diagnostic logs", begun: CompleteMark},
	{begins: "Cleaning up orphan processes", whole: true, begun: CleanUpMark},
	{begins: "Waiting for background step(s)", begun: BackgroundMark},
	{begins: "Cancelling background step(s)", begun: BackgroundMark},
	{begins: actMain, begun: ActMark},
	{begins: "⭐ Run Pre ", begun: ActPostMark},
	{begins: "⭐ Run Post ", begun: ActPostMark},
})

const actMain = "⭐ Run Main "

// groupMarks are titles of groups.
var groupMarks = []plainMark{
	{begins: "Run ", begun: RunMark},
	{begins: "Pull down action image '", begun: PullMark},
	{begins: "Build container for action use: '", begun: BuildMark},
	{begins: "Checking docker version", begun: ContainersMark},
}

// leadLines are what the runner prints of a step before its mark.
var leadLines = []string{
	"Node ", // "Node 20 is being deprecated. …", since 2026 (seen in logs)
	// ActionRunner.RunAsync, before the handler prints the group.
	"##[warning]Unexpected input(s) '",
	"##[warning]Input '",
}

const nodeDeprecated = " is being deprecated. "

// mayMark tells of a text's first byte whether the line may say anything of steps.
var mayMark = func() (may [256]bool) {
	for b, marks := range plainMarks {
		may[b] = len(marks) > 0
	}
	may['#'], may['N'] = true, true
	return may
}()

func byFirstByte(marks []plainMark) (by [256][]plainMark) {
	for _, m := range marks {
		by[m.begins[0]] = append(by[m.begins[0]], m)
	}
	return by
}

// maxTitle is how many bytes of a title are compared.
const maxTitle = 1024

var titleSeed = maphash.MakeSeed()

// titleHash is the same for titles that are equal, in one process. It is never zero.
func titleHash(title []byte) uint64 {
	return maphash.Bytes(titleSeed, bytes.TrimSpace(title[:min(len(title), maxTitle)])) | 1
}

// marker finds marks line by line.
type marker struct {
	marks    markList
	inner    innerSteps
	lead     lead
	inGroup  bool  // of the last mark
	groupEnd int64 // the line that ended it
	errorAt  int64 // the last line that is an error
	warnedAt int64 // or a warning
	hid      bool  // a mark stood within an inner step
}

// lead is the lines before a mark that belong to what it begins.
type lead struct {
	first, next int64  // from the first to the line before next; zero: there are none
	asked       uint64 // of the step whose condition was evaluated
	named       uint64 // of the step that was started
	at          int64  // of the line that says so
}

// look takes note of line n, whose first byte mayMark. Text is without the timestamp.
func (m *marker) look(n int64, head, text []byte) {
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
			if rest := text[len(p.begins):min(len(text), maxTitle)]; !p.whole || len(bytes.TrimSuffix(rest, []byte("\r"))) == 0 {
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

// hasPrefix is without the allocation of a conversion.
func hasPrefix(text []byte, prefix string) bool {
	return len(text) >= len(prefix) && string(text[:len(prefix)]) == prefix
}

// command is a line that begins with a sign of the runner's.
func (m *marker) command(n int64, head, text []byte) {
	switch {
	case hasPrefix(text, "##[group]"):
		m.group(n, head, bytes.TrimSuffix(text[len("##[group]"):min(len(text), maxTitle)], []byte("\r")))
	case hasPrefix(text, "##[endgroup]"):
		if m.inGroup {
			m.inGroup, m.groupEnd = false, n
		}
	case hasPrefix(text, "##[debug]"):
		m.debug(n, head, bytes.TrimSuffix(text[len("##[debug]"):min(len(text), maxTitle)], []byte("\r")))
	case hasPrefix(text, "##[error]"):
		m.failure(n, head, text[len("##[error]"):])
	case hasPrefix(text, "##[warning]"):
		if m.warnedAt = n; isLead(text) {
			m.leads(n)
		}
	case hasPrefix(text, startAction), hasPrefix(text, endAction):
		m.innerMark(n, bytes.TrimSuffix(text, []byte("\r")))
	}
}

func (m *marker) group(n int64, head, title []byte) {
	m.inGroup = false
	for _, p := range groupMarks {
		if !hasPrefix(title, p.begins) {
			continue
		}
		mark := Mark{Line: n, Type: p.begun}
		rest := title[len(p.begins):]
		switch {
		case p.begun == PullMark:
			mark.Title = titleHash(append([]byte("Pull "), bytes.TrimSuffix(rest, []byte("'"))...))
		case p.begun != RunMark: // its title does not tell which step it is of
		case len(rest) > 2 && rest[0] == '\'' && rest[len(rest)-1] == '\'':
			mark.Type = PathMark
		default:
			mark.Title, mark.Action = titleHash(title), isAction(rest)
		}
		m.add(head, mark)
		m.inGroup = true
		return
	}
}

// isAction tells whether a title is that of an action, and not the first line of a command.
func isAction(title []byte) bool {
	if hasPrefix(title, "./") || hasPrefix(title, "../") {
		return true
	}
	name, _, ok := bytes.Cut(title, []byte("@"))
	return ok && bytes.IndexByte(name, '/') > 0 && bytes.IndexByte(title, ' ') < 0
}

// failure is an error. Only the first of several lines may begin a step, and none with
// which the runner ends one.
func (m *marker) failure(n int64, head, message []byte) {
	again := m.errorAt == n-1
	m.errorAt = n
	for _, ends := range []string{"Process completed with exit code ", "The operation was canceled.", "The action '"} {
		again = again || hasPrefix(message, ends)
	}
	if !again {
		m.nameAlone()
		m.append(head, Mark{Line: n, Type: ErrorMark})
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
		if m.lead.named != 0 || m.lead.asked != name { // what was asked for was skipped
			m.nameAlone()
		}
		m.leads(n)
		m.lead.named, m.lead.at = name, markTime(head)
	case hasPrefix(text, "Finishing: "):
		m.nameAlone()
		m.append(head, Mark{Line: n, Type: FinishingMark, Title: titleHash(text[len("Finishing: "):])})
	default:
		m.goesOn(n)
	}
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
	}
	m.lead.next = n + 1
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
	if l := m.lead; l.named != 0 {
		m.marks.add(Mark{Line: l.first, At: l.at, Type: NamedMark, Named: l.named})
	}
	m.lead = lead{}
}

// add takes a mark that begins a step, with the lines before it.
func (m *marker) add(head []byte, mark Mark) {
	if m.lead.next != mark.Line {
		m.nameAlone()
	} else {
		mark.Lead, mark.Named = int32(mark.Line-m.lead.first), m.lead.named
		m.lead = lead{}
	}
	mark.Direct = m.groupEnd > 0 && mark.first() == m.groupEnd+1
	mark.Warned = m.warnedAt > 0 && mark.first() == m.warnedAt+1
	m.append(head, mark)
}

func (m *marker) append(head []byte, mark Mark) {
	mark.At = markTime(head)
	m.marks.add(mark)
}

func markTime(head []byte) int64 {
	l := ParseLine(head[:StampLen-1])
	if l.Time.IsZero() {
		return time.Time{}.UnixMicro() // never near a step
	}
	return l.Time.UnixMicro()
}

// innerMark is a line around an inner step of a composite action. What stands between
// begins no step of the job.
func (m *marker) innerMark(n int64, text []byte) {
	mark, ok := readInnerMark(text)
	if !ok {
		return
	}
	if first, ended := m.inner.see(n, mark); ended {
		m.nameAlone()
		if m.marks.removeFrom(first) {
			m.hid = true
		}
	}
}

// finish returns all marks, in the order of their lines.
func (m *marker) finish() []Mark {
	m.nameAlone()
	return m.marks.marks
}
