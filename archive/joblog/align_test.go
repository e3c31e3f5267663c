package joblog_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/archive/joblog"
)

// base is when the jobs of these tests begin.
var base = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

// texts are lines that say something of steps, and others.
var texts = []string{
	"output", "##[group]Run make", "##[group]Run acme/fetch@v1", "##[group]Run '/opt/hook.sh'", "##[endgroup]", "##[error]it broke", "##[warning]old",
	"Post job cleanup.", "Cleaning up orphan processes", "Evaluate and set job outputs", "##[group]Pull down action image 'a:b'",
	"##[group]Build container for action use: '/x/Dockerfile'", "##[group]Checking docker version", "Stop and remove container: a",
	"A job started hook has been configured by the administrator", "A job completed hook has been configured by the administrator",
	"Waiting for background step(s) to complete: a", "##[debug]Evaluating condition for step: 'make'", "##[debug]Starting: make", "##[debug]Finishing: make",
	"##[debug]x", "##[start-action display=a;id=b]", "##[end-action id=b;outcome=success;conclusion=success;duration_ms=1]",
	"Node 20 is being deprecated. x", "⭐ Run Main make", "⭐ Run Post make", "Current runner version: '2.337.0'",
}

var stepNames = []string{
	"", "Set up job", "Complete job", "Run make", "make", "Build", "Build acme/fetch@v1", "Pull a:b", "Post Run make", "Post", "Initialize containers",
	"Stop containers", "Set up runner", "Complete runner", "Run acme/fetch@v1",
}

// covers checks that ranges are in order, have no line in common unless they are shared
// whole, and have every line but those before the first.
func covers(t interface{ Fatalf(string, ...any) }, ranges []joblog.Range, x *joblog.Index, steps int) {
	next := int64(1)
	if len(ranges) > 0 {
		next = ranges[0].First
	}
	for i, r := range ranges {
		together := i > 0 && r.Certainty == joblog.Shared && ranges[i-1].Certainty == joblog.Shared && r.First == ranges[i-1].First && r.Last == ranges[i-1].Last
		if !together && r.First != next || r.Last < r.First {
			t.Fatalf("range %v, want one from line %d: %v", r, next, ranges)
		}
		next = r.Last + 1
	}
	if len(ranges) != steps || next != x.Lines+1 {
		t.Fatalf("%d steps, and %d ranges up to line %d of %d", steps, len(ranges), next-1, x.Lines)
	}
	ofAct := slices.ContainsFunc(x.Marks, func(m joblog.Mark) bool { return m.Type == joblog.ActMark })
	if !ofAct && len(ranges) > 0 && ranges[0].First != 1 {
		t.Fatalf("without marks of act's runner, the steps begin at line %d", ranges[0].First)
	}
}

// Whatever a log and the API say.
func TestRangesCoverEveryLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := joblog.NewIndexer()
		now := base
		for range rapid.IntRange(1, 60).Draw(t, "lines") {
			now = now.Add(time.Duration(rapid.IntRange(-1000, 1500).Draw(t, "pass")) * time.Millisecond)
			if rapid.IntRange(0, 9).Draw(t, "stamped") > 0 {
				x.Add([]byte(now.Format(stamp)))
			}
			x.Add([]byte(rapid.SampledFrom(texts).Draw(t, "text") + "\n"))
		}
		var steps []joblog.Step
		for n := range rapid.IntRange(1, 20).Draw(t, "steps") {
			at := base.Add(time.Duration(rapid.IntRange(-3, 30).Draw(t, "start")) * time.Second)
			s := joblog.Step{Number: int64(n), Name: rapid.SampledFrom(stepNames).Draw(t, "name"), Conclusion: "success", StartedAt: at}
			if took := rapid.IntRange(-1, 10).Draw(t, "took"); took >= 0 {
				s.CompletedAt = at.Add(time.Duration(took) * time.Second)
			}
			steps = append(steps, s)
		}
		index := x.Finish()
		covers(t, joblog.AlignSteps(index, steps), index, len(steps))
	})
}

const stamp = "2006-01-02T15:04:05.0000000Z "

// FuzzAlign aligns steps that are worded by a log's bytes to that log.
func FuzzAlign(f *testing.F) {
	f.Add([]byte{0, 1, 4, 200, 1, 4, 250, 8}, []byte{1, 0, 0, 3, 0, 2, 2, 3, 1})
	f.Add([]byte{17, 18, 1, 4, 19, 21, 1, 22, 24, 25}, []byte{14, 250, 3})
	f.Fuzz(func(t *testing.T, log, job []byte) {
		x := joblog.NewIndexer()
		now := base
		for _, b := range log {
			now = now.Add(time.Duration(int8(b)) * 10 * time.Millisecond)
			x.Add([]byte(now.Format(stamp) + texts[int(b)%len(texts)] + "\n"))
		}
		x.Add(log)
		index := x.Finish()
		var steps []joblog.Step
		for n := 0; n+2 < len(job) && n < 3000; n += 3 {
			at := base.Add(time.Duration(int8(job[n+1])) * time.Second)
			steps = append(steps, joblog.Step{Number: int64(n), Name: stepNames[int(job[n])%len(stepNames)], Conclusion: "success", StartedAt: at, CompletedAt: at.Add(time.Duration(int8(job[n+2])) * time.Second)})
		}
		if len(steps) > 0 && index.Lines > 0 {
			covers(t, joblog.AlignSteps(index, steps), index, len(steps))
		}
	})
}
