package joblog

import (
	"bytes"
	"regexp"
)

// What the runner prints while it sets a job up, and who words it. A row is called the
// runner's only if it was read here.
//
// One message has one timestamp, and its line ends are left alone (PagingLogger.Write):
// whoever words a part of a message also words the lines after it, timestamps and marks
// included. So the set-up is read in the order in which the runner prints it, each line
// once, and no further than to the first line whose words may hold line ends. The order
// is that of JobExtension.InitializeJob, ActionManager.PrepareActionsAsync and
// ExecutionContext.AddIssue in github.com/actions/runner, src/Runner.Worker, as of 2026.
// Lines that the runner prints and that are missing here yield nothing, and have no words
// of callers in them.

// worder is who words a line of the set-up, beyond its beginning.
type worder uint8

const (
	// runner: the runner or GitHub's service.
	runner worder = iota
	// administrator: who registered the runner, or made its machine's image. Such a person
	// can word the whole log: what is called the runner's is his.
	administrator
	// resolved: who wrote the workflow or the action that asks for it, in words that
	// GitHub resolved before they were printed. Names of repositories and git's refs hold
	// no line ends (git check-ref-format).
	resolved
	// author: who wrote the workflow, in words that may hold line ends.
	author
	// caller: whoever started the run, or wrote what started it, such as the title of a
	// pull request; in words that may hold line ends.
	caller
)

// mayHoldLineEnds tells that what stands after the words may be more of them.
func (w worder) mayHoldLineEnds() bool { return w >= author }

// phase is how far a set-up is. It only goes forward.
type phase uint8

const (
	queued    phase = iota // no runner has the job; the service's lines, in logs until 2024
	started                // a runner has said its version
	permitted              // what the token may do
	sourced                // where secrets come from
	prepared               // a directory
	fetching               // actions are downloaded
	over                   // what follows may be anybody's
)

// setUpLine is a line that is read, or after which nothing is.
type setUpLine struct {
	begins string
	by     worder
	in     phase
	opens  bool   // the phase: it may come after any that is before it
	early  bool   // it may come before its phase too, which it does not open
	once   bool   // the runner prints it once
	ends   string // how it ends, unless it was cut by a line end
	// read takes what stands after its beginning; of a group, each line within.
	read func(u *usageReader, n int64, rest string)
	// within: read is of the lines of the group that it begins; title: it is all of the line.
	within, title bool
}

// setUpLines are in the order of the set-up.
var setUpLines = []setUpLine{
	// Labels hold no line end that matters: a job runs only where a runner has them.
	{begins: "Requested labels: ", by: administrator, in: queued},
	// A path may hold one, for all that is known: who names a workflow's file might forge
	// such lines, but none beyond them, as the runner's first line comes next, and once.
	{begins: "Job defined at: ", by: resolved, in: queued, once: true, read: (*usageReader).definedAt},
	{begins: "Reusable workflow chain:", by: resolved, in: queued, once: true, read: (*usageReader).chainBegins},

	{begins: versionLine, by: runner, in: started, opens: true, once: true, ends: "'", read: (*usageReader).version},
	{begins: "Runner name: '", by: administrator, in: started, once: true, ends: "'", read: (*usageReader).runnerName},
	{begins: "Runner group name: '", by: administrator, in: started, once: true, ends: "'", read: (*usageReader).runnerGroup},
	{begins: "Machine name: '", by: administrator, in: started, once: true, ends: "'", read: (*usageReader).machine},
	// Of the machine's .setup_info, which its image brings.
	{begins: "##[group]Operating System", by: administrator, in: started, once: true, within: true, title: true, read: (*usageReader).system},
	{begins: "##[group]Runner Image", by: administrator, in: started, once: true, within: true, title: true, read: (*usageReader).image},
	{begins: "##[group]Virtual Environment", by: administrator, in: started, once: true, within: true, title: true, read: (*usageReader).image},
	{begins: "##[group]VM Image", by: administrator, in: started, once: true, within: true, title: true, read: (*usageReader).vmImage},
	{begins: "##[group]GITHUB_TOKEN Permissions", by: runner, in: permitted, opens: true, once: true, within: true, title: true, read: (*usageReader).permission},
	{begins: "Secret source: ", by: runner, in: sourced, opens: true, once: true, read: (*usageReader).secretSource},
	{begins: "Cache mode: ", by: runner, in: sourced, early: true, once: true, read: (*usageReader).cacheMode},
	{begins: "Prepare workflow directory", by: runner, in: prepared, opens: true, once: true},
	// A key of the workflow's services.
	{begins: "The service '", by: author, in: prepared},

	{begins: "Prepare all required actions", by: runner, in: fetching, opens: true, once: true},
	{begins: "Using locked action versions from the workflow's lockfile", by: runner, in: fetching, early: true, once: true, read: (*usageReader).locked},
	{begins: download, by: resolved, in: fetching, read: (*usageReader).downloadInSetUp},
	{begins: "##[group]" + downloadFrozen, by: resolved, in: fetching, ends: "'", within: true, read: (*usageReader).ofPackage},
	// Addresses that the service made, and errors of the network.
	{begins: "##[warning]Failed to download action '", by: runner, in: fetching},
	{begins: "##[warning]Action '", by: runner, in: fetching},
	{begins: "##[warning]Back off ", by: runner, in: fetching},
	// May quote what was asked for, before it was resolved.
	{begins: "Failed to resolve action download info. Error: ", by: author, in: fetching},
	// The workflow's path may hold line ends; and what comes after it is a caller's.
	{begins: usesWorkflow, by: author, in: fetching, once: true, read: (*usageReader).calledWorkflow},

	{begins: "##[group] Inputs", by: caller, in: over},
	{begins: jobName, by: caller, in: over}, // with names of a matrix
	// Of the first step; none of it is the set-up's.
	{begins: "##[group]Run ", by: caller, in: over},
	// Of the runner's own steps, which are read as containers.go says.
	{begins: pullImage, by: author, in: over},
	{begins: buildImage, by: author, in: over},
	{begins: "##[group]Checking docker version", by: author, in: over},
	{begins: "A job started hook has been configured", by: administrator, in: over},
	{begins: "Post job cleanup.", by: author, in: over},
	{begins: "Cleaning up orphan processes", by: author, in: over},
}

const (
	usesWorkflow = "Uses: "
	jobName      = "Complete job name: "

	// maxSetUp is how many lines a set-up has at most: of what begins with more of them
	// nothing is the runner's.
	maxSetUp = 10_000
)

// setUp is how far the reading of a set-up is.
type setUp struct {
	phase phase
	lines int
	seen  map[*setUpLine]bool
	group *setUpLine // that the line is in; nil: none that is read
	other bool       // the line is in another group
	chain bool       // the line names the workflow that was started
	begun bool       // a step has
	call  *call      // whose inputs come next; nil: none, or its end was found
}

// inSetUp is a line before the first step. It tells whether it was read as the runner's;
// if not, it is anybody's.
func (u *usageReader) inSetUp(n int64, kind Kind, stamp, text []byte) bool {
	s := &u.setUp
	if s.call != nil {
		u.inCall(stamp, text)
		return false
	}
	if kind == EndGroup || kind == Group {
		s.group, s.other, u.frozen = nil, false, nil
	}
	line := lineOfSetUp(text)
	if s.lines++; s.lines > maxSetUp || line != nil && line.in == over {
		u.endSetUp(n, line, stamp)
	}
	switch {
	case s.phase == over:
		return false
	case kind == EndGroup, kind == Debug: // each line of a debug message has its mark
		return true
	case kind == Plain && s.other:
		return false
	case kind == Plain && s.group != nil:
		if len(text) <= 4*maxField {
			s.group.read(u, n, string(text))
		}
		return true
	case line != nil:
		return u.take(n, line, stamp, text)
	case kind == Group:
		s.other = true
	case kind == Error, kind == Warning, kind == Notice:
		s.phase = over // they quote anything
	case s.chain:
		u.startedBy(string(text[:min(len(text), 4*maxField)]))
		return true
	}
	return false
}

// endSetUp is the first line that is not of the set-up; line is nil if there were too many.
func (u *usageReader) endSetUp(n int64, line *setUpLine, stamp []byte) {
	s := &u.setUp
	if s.phase == fetching && line != nil {
		u.fetched()
		if named := line.begins == jobName; named || line.begins == pullImage || line.begins == buildImage {
			u.containers.trust(n, stamp, named)
		}
	}
	s.phase, s.begun = over, true
}

// lineOfSetUp returns which of setUpLines a text is; nil: none.
func lineOfSetUp(text []byte) *setUpLine {
	for i := range setUpLines {
		l := &setUpLines[i]
		if len(text) < len(l.begins) || string(text[:len(l.begins)]) != l.begins {
			continue
		}
		if !l.title || len(text) == len(l.begins) {
			return l
		}
	}
	return nil
}

// take reads a line that is one of setUpLines, and reports whether it is the runner's.
func (u *usageReader) take(n int64, l *setUpLine, stamp, text []byte) bool {
	s := &u.setUp
	again := l.once && s.seen[l]
	if s.seen == nil {
		s.seen = make(map[*setUpLine]bool)
	}
	s.seen[l] = true
	switch {
	case again, s.phase > l.in, s.phase < l.in && !l.opens && !l.early, s.phase == queued && l.in > started:
		u.distrust()
		return false
	case len(text) > 4*maxField, !bytes.HasSuffix(text, []byte(l.ends)):
		s.phase = over
		return false
	}
	s.chain = false
	if !l.early {
		s.phase = l.in
	}
	rest := string(text[len(l.begins):])
	switch {
	case l.within:
		s.group = l
		if l.in == fetching {
			u.freeze(n, []byte(rest), true)
		}
	case l.read != nil:
		l.read(u, n, rest)
	}
	if l.by.mayHoldLineEnds() {
		s.phase = over
	}
	if l.begins == usesWorkflow {
		s.call = newCall(stamp, u)
	}
	return true
}

// distrust gives up a set-up with a line that the runner does not print at that place:
// somebody else has worded some of it, and it is not known which lines. Then no line of
// it counts as the runner's.
func (u *usageReader) distrust() {
	u.setUp.phase = over
	u.usage.Environment, u.usage.Permissions = Environment{}, nil
	for i := range u.usage.Actions {
		u.usage.Actions[i].InSetup = false
	}
}

// downloadInSetUp is an action that is downloaded. One without a commit is of a runner
// before 2021, which printed it as it was asked for: unresolved.
func (u *usageReader) downloadInSetUp(n int64, rest string) {
	name, ref, sha, ok := downloaded([]byte(rest))
	if ok {
		u.use(n, name, ref, sha, true)
	}
	if len(sha) == 0 {
		u.setUp.phase = over
	}
}

var reusable = regexp.MustCompile(`^([^@\s]+)@(\S+)(?: \(([0-9a-f]{40,64})\))?$`)

func (u *usageReader) calledWorkflow(n int64, rest string) {
	u.fetched()
	if m := reusable.FindSubmatch([]byte(rest)); m != nil {
		u.use(n, m[1], m[2], m[3], true)
	}
}
