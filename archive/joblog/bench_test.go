package joblog_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// What it costs to read logs of several kinds, a line each. Almost all lines of real logs
// are output.
func BenchmarkIndexer(b *testing.B) {
	generated := githubsim.GeneratedLog(1, 8<<20, githubsim.LogStyle{}).Bytes()
	const stamp = "2026-11-20T10:00:00.0000001Z "
	of := func(begin, unit string) []byte {
		return []byte(begin + strings.Repeat(stamp+unit+"\n", (4<<20)/(len(stamp)+len(unit)+1)))
	}
	setUp := string(stampedLog("Current runner version: '2'", "Prepare all required actions", "Complete job name: x", "##[group]Run x", "##[endgroup]"))
	for _, c := range []struct {
		name string
		log  []byte
	}{
		{"output", generated},
		{"groups", of(setUp, "##[group]Run x")},
		{"errors", of(setUp, "##[error]src/app.ts(3,7): error TS2322: Type 'string' is not assignable")},
		{"untimed", []byte(setUp + stamp + "##[error]x\n" + strings.Repeat("a line of a message\n", 200_000))},
		{"downloads", of(setUp, "Download action repository 'a/b@v1' (SHA:"+commit+")")},
		{"inner steps", of(setUp, "##[start-action display=x;id=a]")},
		{"images", of(setUp, "##[group]Pull down action image 'a/b:v1'")},
		{"act", of(stamp+"r(version:v1) received task 1 of job x\n", "go: downloading github.com/google/go-cmp v0.7.0")},
	} {
		lines := bytes.Count(c.log, []byte("\n"))
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.log)))
			for b.Loop() {
				x := joblog.NewIndexer()
				x.Add(c.log)
				x.Finish()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(lines), "ns/line")
		})
	}
}
