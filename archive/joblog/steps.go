package joblog

import "time"

// Step is what the REST API says of a step that ran. Times are to the second.
type Step struct {
	Number      int64
	Name        string    // empty: not known
	Conclusion  string    // empty: it has none
	StartedAt   time.Time // zero: not known
	CompletedAt time.Time // zero: not known
}

// Certainty is how a step's lines are known.
type Certainty string

// The certainties of ranges.
const (
	Exact     Certainty = "exact"     // the log names the step, or it is from the attempt's step files
	Estimated Certainty = "estimated" // by times and by what the runner prints at a step's beginning
	Shared    Certainty = "shared"    // with other steps: they overlap in time, or cannot be told apart
)

// Range is a step's lines in the log, from 1 and inclusive. Ranges of a job have no line in
// common, but for those that are Shared; those that share lines share all of them.
type Range struct {
	Number      int64
	First, Last int64
	Certainty   Certainty
}

// stepKind is which marks a step may begin with.
type stepKind uint8

const (
	userStep    stepKind = iota // a command or an action of the workflow
	unnamedStep                 // it may be of any kind
	setUpStep
	pullStep
	buildStep
	containersStep
	stopStep
	hookStartedStep
	hookCompletedStep
	postStep
	completeStep
)

// wholeNames are those of the runner's own steps. Somebody may call a step of a workflow so.
var wholeNames = map[string]stepKind{
	"":                      unnamedStep,
	setUpName:               setUpStep,
	"Initialize containers": containersStep,
	"Stop containers":       stopStep,
	"Set up runner":         hookStartedStep,
	"Complete runner":       hookCompletedStep,
	"Complete job":          completeStep,
	"Post":                  postStep,
}

const setUpName = "Set up job"

func kindOfStep(name string) stepKind {
	for _, p := range []struct {
		begins string
		kind   stepKind
	}{{"Pull ", pullStep}, {"Build ", buildStep}, {"Post ", postStep}} {
		if hasPrefix([]byte(name[:min(len(name), len(p.begins))]), p.begins) {
			return p.kind
		}
	}
	return wholeNames[name]
}

// Costs of an alignment: 1000 is about what a boundary without a mark is worth.
const (
	never       = 1 << 28
	otherKind   = 250 // a step that is called as the runner's own, and is a workflow's
	perhapsKind = 150 // such as "Build …", which many workflows have
	otherTitle  = 100 // the step is called "Run …", and the mark otherwise
	otherAction = 500 // the same of an action: hardly anybody names a step so
	elsewhere   = 60  // another step is called as the mark
	namedBonus  = 200 // debug lines name the step
	misnamed    = 300 // and here another
	clockBack   = 200
	notFirst    = 100 // containers are stopped one after the other
	notLast     = 300 // the runner cleans up once, after all scripts
	failedBare  = 350 // an error begins a step, which did not succeed
	bare        = 450 // or which did
	againBare   = 80  // the same of an error directly after another
	byTime      = 600
	joined      = 700 // a step has no beginning of its own
	margin      = 50  // alignments that differ by less are equally good
)

// fits are what it costs that a step of a kind begins with a mark of a type. What is missing
// never does.
var fits = func() (costs [completeStep + 1][markTypes]int32) {
	for kind := range costs {
		for mark := range costs[kind] {
			costs[kind][mark] = never
		}
		costs[kind][RunMark], costs[kind][ActMark], costs[kind][NamedMark] = otherKind, otherKind, namedBonus
	}
	for _, f := range []struct {
		kind stepKind
		mark MarkType
		cost int32
	}{
		{userStep, RunMark, 0}, {userStep, PathMark, 400}, {userStep, BackgroundMark, 0}, {userStep, ActMark, 0}, {userStep, ActPostMark, otherKind},
		{pullStep, PullMark, 0}, {pullStep, RunMark, perhapsKind}, {pullStep, ActMark, 0},
		{buildStep, BuildMark, 0}, {buildStep, RunMark, perhapsKind}, {buildStep, ActMark, 0},
		{containersStep, ContainersMark, 0}, {containersStep, PathMark, margin}, // hooks of containers
		{stopStep, StopMark, 0}, {stopStep, PathMark, margin},
		{hookStartedStep, HookStartedMark, 0}, {hookCompletedStep, HookCompletedMark, 0},
		{postStep, PostMark, 0}, {postStep, ActPostMark, 0},
		{completeStep, CompleteMark, 0}, {completeStep, CleanUpMark, 0}, {completeStep, RunMark, never}, {setUpStep, ActMark, never},
	} {
		costs[f.kind][f.mark] = f.cost
	}
	for mark := range costs[unnamedStep][:ErrorMark] {
		costs[unnamedStep][mark] = 0
	}
	costs[unnamedStep][PathMark] = 400
	return costs
}()
