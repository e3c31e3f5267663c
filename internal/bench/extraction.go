package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
)

const wantExtraction = 0.95

// measureExtraction compares archiving, which reads from a log what its job used and which
// lines are whose, with archiving as the commit before did it.
func measureExtraction(ctx context.Context, l *lab) ([]row, error) {
	rows, err := l.largeLogs(ctx)
	if err != nil {
		return l.unlessShallow(rows, err, "archiving, compared with a commit before")
	}
	jobs, err := l.manyJobs(ctx)
	return append(rows, jobs), err
}

// largeLogs compares the two with one log each, in a process that does nothing else.
func (l *lab) largeLogs(ctx context.Context) ([]row, error) {
	before, err := l.programBefore(ctx, "./internal/bench")
	if err != nil {
		return nil, err
	}
	now, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, c := range []struct {
		what string
		log  githubsim.Log
	}{
		{"one log", githubsim.GeneratedLog(1, l.scale.logSize, githubsim.LogStyle{ANSI: true})},
		{"one log, a third of whose lines are errors, warnings and downloads,", annotatedLog(l.scale.logSize / 4)},
	} {
		archived := func(program string) func() (cost, error) {
			return func() (cost, error) { return l.archiveCost(ctx, program, c.log) }
		}
		t, err := inTurns(2*l.scale.logTurns-1, archived(before), archived(now))
		if err != nil {
			return nil, err
		}
		rows = append(rows, t.row(fmt.Sprintf("%s of %d MiB: archived, and read for what the job used", c.what, c.log.Size()>>20),
			l.earlier.name(), wantExtraction, func(seconds float64) string { return fmt.Sprintf("%.0f MB/s", float64(c.log.Size())/1e6/seconds) }))
	}
	return rows, nil
}

// archiveCost is what it costs a program to archive a log in a process of its own.
func (l *lab) archiveCost(ctx context.Context, program string, log githubsim.Log) (cost, error) {
	sim, err := githubsim.Start(githubsim.Options{Seed: 1})
	if err != nil {
		return cost{}, err
	}
	defer sim.Close()
	sim.AddRepository(benchRepository)
	sim.AddJob(benchJob(1, log))
	bucket := filepath.Join(l.dir, "extraction")
	defer os.RemoveAll(bucket)
	cmd := exec.CommandContext(ctx, program, archiveOne, sim.URL(), sim.Token(), "file://"+bucket)
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return cost{}, fmt.Errorf("%s: %w: %s", program, err, out)
	}
	return costOf(cmd, began), nil
}

// manyJobs compares the two with whole jobs: their logs have all the shapes that a runner
// gives them, and their steps are aligned with those.
func (l *lab) manyJobs(ctx context.Context) (row, error) {
	before, err := l.labBefore(ctx)
	if err != nil {
		return row{}, err
	}
	var jobs []githubsim.Job
	for i := range int64(l.scale.jobs) {
		shaped := githubsim.ShapeJob(uint64(i))
		job := benchJob(i+1, githubsim.TextLog(shaped.Log))
		job.Steps = shaped.Steps
		jobs = append(jobs, job)
	}
	turn := 0
	archived := func(l *lab) func() (cost, error) {
		return func() (cost, error) {
			turn++
			name := fmt.Sprintf("extraction_%d", turn)
			a, err := archiveJobs(ctx, l, name, filepath.Join(l.dir, name), jobs)
			return a.cost, err
		}
	}
	t, err := inTurns(l.scale.logTurns, archived(before), archived(l))
	if err != nil {
		return row{}, err
	}
	return t.row(fmt.Sprintf("%d jobs with logs of all shapes, from delivery to settled ledger", len(jobs)), l.earlier.name(), wantExtraction,
		func(seconds float64) string { return fmt.Sprintf("%.0f/s", float64(len(jobs))/seconds) }), nil
}

// annotatedLog is a log in which more is marked than in any real one.
func annotatedLog(size int64) githubsim.Log {
	output := githubsim.GeneratedLog(1, size, githubsim.LogStyle{ANSI: true}).Bytes()
	marks := []string{
		"##[error]Process completed with exit code 1.",
		"##[warning]src/parse.go:120:3: \x1b[33mthis value is never used\x1b[0m",
		"Download action repository 'actions/cache@v4' (SHA:0c45773b623bea8c8e75f6c82b208c3cf94ea4f9)",
	}
	var b bytes.Buffer
	n := 0
	for line := range bytes.Lines(output) {
		b.Write(line)
		if n++; n%2 == 0 && len(line) > 28 && line[27] == 'Z' {
			b.Write(line[:28])
			b.WriteString(" " + marks[n/2%len(marks)] + "\n")
		}
	}
	return githubsim.TextLog(b.Bytes())
}
