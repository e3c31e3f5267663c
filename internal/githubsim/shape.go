package githubsim

import "time"

// ShapedJob is a job whose log has one of the shapes that the runner gives logs, with which
// of its lines are whose.
type ShapedJob struct {
	Log   []byte
	Steps []Step      // as the API lists them, with those that were skipped
	Truth []StepLines // of the steps that ran, in the order of the log
}

// StepLines are the lines that a step printed, from 1 and inclusive.
type StepLines struct {
	Number, First, Last int64
	// Told: the log and the API tell it. If not, something else that a step may begin with
	// stands within the second or so in which it, or the next one, began.
	Told bool
}

// ShapeJob makes a job, another for each seed, by the rules of the runner
// (github.com/actions/runner, src/Runner.Worker): of set-ups old and new and with inputs, hooks, also in the
// place of docker, containers, composite actions with and without marks and prepared in the
// middle of the job, debug logging, parallel steps, scripts that print what the runner prints,
// and steps that fail, may fail, are cancelled or skipped, or take no time.
func ShapeJob(seed uint64) ShapedJob {
	s := newShaper(seed)
	s.setUp()
	s.beforeSteps()
	s.userSteps()
	s.afterSteps()
	return ShapedJob{Log: s.log, Steps: s.steps, Truth: s.truth()}
}

// shaper makes one job.
type shaper struct {
	rng   rng
	stamp stamper
	shapeStyle

	log   []byte
	lines int64
	now   ticks
	begun ticks // the job
	steps []Step
	ran   []shapedStep
	sigil []shapedMark
	posts []string // of the actions that ran, the last one last
	ended string   // the conclusion of the first step that did not succeed
}

// shapeStyle is what a whole job has or has not.
type shapeStyle struct {
	crlf, debug, markers, hooks, containers, containerHooks, pulls, nodeLines, quick, oldHead, forges, tolerates, called bool
	fails                                                                                                                string // a conclusion
	users, failing                                                                                                       int    // steps, and which one fails
}

// shapedStep is a step that ran.
type shapedStep struct {
	step            int // in steps
	first, last     int64
	from, to        ticks
	printed         ticks // when its mark was
	class           markClass
	bare, odd, with bool // without a mark; its end is not known; at the same time as the one before
}

// markClass is which steps a mark may begin.
type markClass int

const (
	noMark markClass = iota
	runClass
	postClass
	cleanClass
	stopClass
	hookClass
)

// shapedMark is a line that looks as if it began a step, and does not.
type shapedMark struct {
	line  int64
	at    ticks
	class markClass
	inner bool // of a composite action
}

func newShaper(seed uint64) *shaper {
	s := &shaper{rng: rng(seed)}
	for range 4 {
		s.rng.next()
	}
	s.now = ticksOf(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)) + ticks(s.rng.below(ticksPerSecond*3600))
	s.begun = s.now
	s.shapeStyle = shapeStyle{
		crlf: s.oneIn(10), debug: s.oneIn(12), markers: s.oneIn(2), hooks: s.oneIn(8), containers: s.oneIn(8), pulls: s.oneIn(8),
		nodeLines: s.oneIn(3), quick: s.oneIn(12), oldHead: s.oneIn(5), forges: s.oneIn(4), tolerates: s.oneIn(3), containerHooks: s.oneIn(3), called: s.oneIn(6), users: 1 + s.rng.below(7), failing: -1,
	}
	if s.quick {
		s.users = 5 + s.rng.below(36)
	}
	if s.oneIn(200) {
		s.users = 200
	}
	if s.oneIn(4) {
		s.fails = []string{"failure", "failure", "cancelled", "timed_out"}[s.rng.below(4)]
		s.failing = s.rng.below(s.users)
	}
	return s
}

func (s *shaper) oneIn(n int) bool { return s.rng.below(n) == 0 }

// pass lets time go by: between zero and the given number of milliseconds.
func (s *shaper) pass(ms int) { s.now += ticks(s.rng.below(ms*(ticksPerSecond/1000) + 1)) }

// print adds lines, of which all but the first of each message have no timestamp.
func (s *shaper) print(messages ...string) {
	for _, m := range messages {
		s.pass(3)
		if s.lines == 0 || s.lines%97 == 0 {
			s.log = append(s.log, bom...)
		}
		s.log = s.stamp.append(s.log, s.now)
		for i := range len(m) {
			if m[i] == '\n' {
				s.lines++
				s.endLine()
			} else {
				s.log = append(s.log, m[i])
			}
		}
		s.lines++
		s.endLine()
	}
}

func (s *shaper) endLine() {
	if s.crlf {
		s.log = append(s.log, '\r')
	}
	s.log = append(s.log, '\n')
}

// begin begins a step. Clocks are set back now and then, by less than a second.
func (s *shaper) begin(name string, class markClass) *shapedStep {
	if s.oneIn(150) {
		s.now -= ticks(s.rng.below(ticksPerSecond))
	}
	from := s.now.second()
	s.steps = append(s.steps, Step{Number: int64(len(s.steps) + 1), Name: name, Status: "completed", StartedAt: &from})
	s.ran = append(s.ran, shapedStep{step: len(s.steps) - 1, first: s.lines + 1, from: s.now, class: class, bare: true})
	s.pass(20)
	if s.debug {
		if class == runClass || class == postClass {
			s.print("##[debug]Evaluating condition for step: '"+name+"'", "##[debug]Evaluating: success()", "##[debug]Result: true")
		}
		s.print("##[debug]Starting: "+name, "##[debug]Loading inputs")
	}
	return &s.ran[len(s.ran)-1]
}

// mark prints the line that the step begins with, but for those that come before it.
func (s *shaper) mark(text string) {
	s.print(text)
	r := &s.ran[len(s.ran)-1]
	r.printed, r.bare = s.now, false
}

func (s *shaper) end(conclusion string) {
	r := &s.ran[len(s.ran)-1]
	st := &s.steps[r.step]
	if s.debug {
		s.print("##[debug]Finishing: " + st.Name)
	}
	to := s.now.second()
	st.Conclusion, st.CompletedAt = &conclusion, &to
	r.last, r.to = s.lines, s.now
	s.pass(3)
}

// skip lists a step that did not run.
func (s *shaper) skip(name string) {
	skipped, at := "skipped", s.now.second()
	s.steps = append(s.steps, Step{Number: int64(len(s.steps) + 1), Name: name, Status: "completed", Conclusion: &skipped, StartedAt: &at, CompletedAt: &at})
	if s.debug {
		s.print("##[debug]Evaluating condition for step: '"+name+"'", "##[debug]Result: false")
		s.ran[len(s.ran)-1].odd = true
	}
}

func (t ticks) second() time.Time {
	return time.Unix(int64(t)/ticksPerSecond, 0).UTC()
}
