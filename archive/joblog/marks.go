package joblog

import (
	"bytes"
	"hash/maphash"
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
	// Again: it is an error directly after another, which ends no step.
	Again bool
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

// main tells of a type whether each step that begins with one prints one, and no more.
func (t MarkType) main() bool {
	switch t {
	case PathMark, StopMark, CompleteMark, CleanUpMark, ErrorMark, NamedMark, FinishingMark:
		return false
	}
	return true
}

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

const exitCode = "Process completed with exit code "

// endings are the errors with which the runner ends a step.
var endings = []string{exitCode, "The operation was canceled.", "The action '"}

// inputsGroup is the title of a group in the set-up of a reusable workflow's job.
const inputsGroup = " Inputs"

const nodeDeprecated = " is being deprecated. "

// prepares is what the runner prints first when it gets what an action needs: once in the
// set-up, and of a local action before its mark (ActionRunner.RunAsync, which calls
// ActionManager.PrepareActionsAsync).
const prepares = "Prepare all required actions"

// preparations are what may come after that.
var preparations = []string{
	"Getting action download info",
	download,
	"##[group]" + downloadFrozen,
	"Version: ", "Digest: ", "Source commit SHA: ", "##[endgroup]", // of such a group
	"##[warning]Failed to download action '",
	"##[warning]Back off ",
	"##[warning]`pre` execution is not supported for local action from '",
}

// mayMark tells of a text's first byte whether the line may say anything of steps.
var mayMark = func() (may [256]bool) {
	for b, marks := range plainMarks {
		may[b] = len(marks) > 0
	}
	for _, p := range preparations {
		may[p[0]] = true
	}
	may['#'], may['N'], may[0x1b] = true, true, true
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
