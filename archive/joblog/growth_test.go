package joblog

import (
	"strings"
	"testing"

	"github.com/jobvault/jobvault/internal/growth"
)

// Reading a log takes time in proportion to it, whatever stands in it.
func TestLogsAreReadInLinearTime(t *testing.T) {
	const stamp = "2026-03-01T12:00:00.0000000Z "
	for _, unit := range []string{
		"\n", "x", "\x1b[31m", "\x1b[", "##[group]", stamp + "##[group]Run a/b@v1\n", stamp + "##[endgroup]\n", stamp + "##[error]x\n", "\r", "\xff",
		stamp + "Download action repository 'a/b@v1' (SHA:" + strings.Repeat("a", 40) + ")\n", stamp + "Uses: a/b@v1\n", stamp + "Complete job name: x\n", stamp, "\ufeff",
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
