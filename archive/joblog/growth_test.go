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
	} {
		growth.Linear(t, 60_000, func(n int) func() {
			text := []byte(stamp + strings.Repeat(unit, n/len(unit)))
			return func() {
				x := NewIndexer()
				for rest := text; len(rest) > 0; {
					piece := rest[:min(len(rest), 32<<10)]
					x.Add(piece)
					rest = rest[len(piece):]
				}
				x.Finish()
			}
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
