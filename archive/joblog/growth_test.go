package joblog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/growth"
)

// Reading a log takes time in proportion to it, whatever stands in it.
func TestLogsAreReadInLinearTime(t *testing.T) {
	const stamp = "2026-03-01T12:00:00.0000000Z "
	for _, unit := range []string{
		"\n", "x", "\x1b[31m", "\x1b[", "##[group]", stamp + "##[group]Run a/b@v1\n", stamp + "##[endgroup]\n", stamp + "##[error]x\n", "\r", "\xff",
		stamp + "Download action repository 'a/b@v1' (SHA:" + strings.Repeat("a", 40) + ")\n", stamp + "Uses: a/b@v1\n", stamp + "Complete job name: x\n", stamp, "\ufeff",
		stamp + "Post job cleanup.\n", stamp + "##[debug]Starting: x\n", stamp + "##[debug]Evaluating condition for step: 'x'\n", stamp + "⭐ Run Main x\n",
		stamp + "##[start-action display=x;id=y]\n" + stamp + "##[group]Run x\n" + stamp + "##[end-action id=y;outcome=success;conclusion=success;duration_ms=1]\n",
		stamp + "##[group]Pull down action image 'a/b:v1'\n", stamp + "##[group]Build container for action use: '/w/_actions/a/b/v1/Dockerfile'.\n",
		stamp + "##[command]/usr/bin/docker pull a/b:v1\n", stamp + "Digest: sha256:" + strings.Repeat("a", 64) + "\n", "\x1b]", "\x1b]8;;\x07", "\u009d", "\u200b",
		stamp + "##[start-action display=x;id=a]\n", stamp + "##[end-action id=a;outcome=failure;conclusion=success;duration_ms=1]\n",
	} {
		growth.Linear(t, 60_000, func(n int) func() {
			return func() { indexInPieces([]byte(stamp + strings.Repeat(unit, n/len(unit)))) }
		})
	}
}

func indexInPieces(text []byte) {
	x := NewIndexer()
	for rest := text; len(rest) > 0; {
		piece := rest[:min(len(rest), 32<<10)]
		x.Add(piece)
		rest = rest[len(piece):]
	}
	x.Finish()
}

// A group that has no room among the rows is not compared with all that are there.
func TestGroupsWithoutRoomAreNotLookedAt(t *testing.T) {
	const stamp = "2026-03-01T12:00:00.0000000Z "
	full := strings.Repeat(stamp+"Download action repository 'a/b@v1' (SHA:"+strings.Repeat("a", 40)+")\n", maxActions)
	repeated := func(unit string) func() {
		log := []byte(stamp + "##[group]Run x\n" + full + strings.Repeat(stamp+unit+"\n", 20_000))
		return func() { indexInPieces(log) }
	}
	growth.Ratio(t, 8, repeated("##[group]Pull down action image 'a/b:v1'"), repeated("##[group]Build container for action use: '/w/_actions/a/b/v1/Dockerfile'."))
}

// So do logs of act, and texts after a set-up and within messages.
func TestLogsOfOtherShapesAreReadInLinearTime(t *testing.T) {
	const stamp = "2026-03-01T12:00:00.0000000Z "
	act := stamp + "r(version:v1) received task 1 of job x\n"
	setUp := stamp + "Current runner version: '2'\n" + stamp + "Prepare all required actions\n"
	for _, c := range []struct{ begin, unit string }{
		{act, stamp + "::error file=a,line=1::x\n"}, {act, stamp + "☁  git clone 'https://h/a/b' # ref=v1\n"}, {act, stamp + "🐳  docker pull image=a/b\n"}, {act, "::"},
		{act + stamp + "::error ", "file=a,"}, {act + stamp + "::error::", "%0A"}, {act + stamp + "::stop-commands::x\n", stamp + "::x\n"},
		{setUp, stamp + "##[group]Pull down action image 'a/b:v1'\n"}, {setUp + stamp + "##[group]Pull down action image 'a/b:v1'\n", stamp + "a/b:v1\n"},
		{setUp + stamp + "Download action repository 'a/b@v1' (SHA:" + strings.Repeat("a", 40) + ")\n", stamp + "##[group]Build container for action use: '/_actions/a/b/v1/x'.\n"},
		{stamp + "##[error]", "\n"}, {stamp + "##[error]", "\nx"}, {stamp + "##[error]", "\x1b]"}, {stamp + "##[error]", "\x1b]8;;\x07\n"},
	} {
		growth.Linear(t, 60_000, func(n int) func() {
			return func() { indexInPieces([]byte(c.begin + strings.Repeat(c.unit, n/len(c.unit)))) }
		})
	}
}

// However many marks and steps there are, in whatever time.
func TestStepsAreAlignedInLinearTime(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, seconds := range []int{1, 10, 1000} {
		growth.Linear(t, 12_500, func(n int) func() {
			x := NewIndexer()
			for i := range n {
				x.Add(fmt.Appendf(nil, "%s##[group]Run %d\n", at.Add(time.Second*time.Duration(seconds)*time.Duration(i)/time.Duration(n)).Format(stampLayout), i%10))
			}
			index := x.Finish()
			steps := make([]Step, min(1000, n/100))
			for i := range steps {
				from := at.Add(time.Second * time.Duration(seconds*i/len(steps)))
				steps[i] = Step{Number: int64(i), Name: "Run 1", Conclusion: "success", StartedAt: from, CompletedAt: from.Add(time.Second * time.Duration(i%2))}
			}
			return func() { AlignSteps(index, steps) }
		})
	}
}
