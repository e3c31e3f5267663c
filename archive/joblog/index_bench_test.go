package joblog_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
)

// BenchmarkIndex reads logs as archiving does, piece by piece.
func BenchmarkIndex(b *testing.B) {
	b.Run("synthetic", func(b *testing.B) { benchmarkIndex(b, githubsim.GeneratedLog(1, 64<<20, githubsim.LogStyle{}).Bytes()) })
	b.Run("recorded", func(b *testing.B) {
		log, err := os.ReadFile(filepath.Join(testenv.Corpus(b), "logs", "pytorch-error_log1.txt"))
		if err != nil {
			b.Fatal(err)
		}
		benchmarkIndex(b, log)
	})
}

func benchmarkIndex(b *testing.B, log []byte) {
	lines := bytes.Count(log, []byte("\n"))
	b.SetBytes(int64(len(log)))
	for b.Loop() {
		x := joblog.NewIndexer()
		for rest := log; len(rest) > 0; {
			piece := rest[:min(len(rest), 1<<20)]
			x.Add(piece)
			rest = rest[len(piece):]
		}
		x.Finish()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(lines), "ns/line")
}

// BenchmarkAlign aligns as many steps as a job may have.
func BenchmarkAlign(b *testing.B) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	x := joblog.NewIndexer()
	for i := range 100_000 {
		x.Add([]byte(at.Add(time.Duration(i)*10*time.Millisecond).Format(stamp) + "##[group]Run make\n"))
	}
	index := x.Finish()
	steps := make([]joblog.Step, 1000)
	for i := range steps {
		steps[i] = joblog.Step{Number: int64(i), Name: "Build", Conclusion: "success", StartedAt: at.Add(time.Duration(i) * time.Second), CompletedAt: at.Add(time.Duration(i+1) * time.Second)}
	}
	for b.Loop() {
		joblog.AlignSteps(index, steps)
	}
}
