package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
)

const wantExtraction = 0.9

// measureExtraction compares archiving, which reads from a log what its job used, with
// archiving by a program that does not.
func measureExtraction(ctx context.Context, l *lab) ([]row, error) {
	on, err := os.Executable()
	if err != nil {
		return nil, err
	}
	off, err := l.buildWithoutExtraction(ctx)
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
		var with, without, ratios []float64
		for turn := range 2*l.scale.logTurns - 1 {
			their, err := l.archiveRateOf(ctx, off, c.log, fmt.Sprintf("off-%d", turn))
			if err != nil {
				return nil, err
			}
			our, err := l.archiveRateOf(ctx, on, c.log, fmt.Sprintf("on-%d", turn))
			if err != nil {
				return nil, err
			}
			with, without, ratios = append(with, our), append(without, their), append(ratios, our/their)
		}
		ratio := median(ratios)
		rows = append(rows, row{
			what: fmt.Sprintf("%s of %d MiB: archived, and read for what the job used", c.what, c.log.Size()>>20),
			ours: fmt.Sprintf("%.0f MB/s", median(with)), against: fmt.Sprintf("%.0f MB/s not read for it", median(without)),
			ratio: fmt.Sprintf("%.2f", ratio), wanted: fmt.Sprintf("≥ %.1f", wantExtraction), missed: ratio < wantExtraction,
		})
	}
	return rows, nil
}

// buildWithoutExtraction builds this program from its own sources, without the one call
// that hands a line to the reader of usage.
func (l *lab) buildWithoutExtraction(ctx context.Context) (string, error) {
	const call = "x.usage.tells("
	source, err := filepath.Abs(filepath.Join("archive", "joblog", "indexer.go"))
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(source)
	if err != nil {
		return "", err
	}
	if bytes.Count(text, []byte(call)) != 1 {
		return "", fmt.Errorf("%s does not have %s once", source, call)
	}
	replaced, overlay, binary := filepath.Join(l.dir, "indexer.go"), filepath.Join(l.dir, "overlay.json"), filepath.Join(l.dir, "without-extraction")
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{source: replaced}})
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.WriteFile(replaced, bytes.Replace(text, []byte(call), []byte("false && "+call), 1), 0o600), os.WriteFile(overlay, list, 0o600)); err != nil {
		return "", err
	}
	build := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", binary, "./internal/bench")
	build.Stderr = os.Stderr
	return binary, build.Run()
}

// archiveRateOf returns how fast a program archives a log in a process of its own, in
// MB/s.
func (l *lab) archiveRateOf(ctx context.Context, program string, log githubsim.Log, name string) (float64, error) {
	sim, err := githubsim.Start(githubsim.Options{Seed: 1})
	if err != nil {
		return 0, err
	}
	defer sim.Close()
	sim.AddRepository(benchRepository)
	sim.AddJob(benchJob(1, log))
	bucket := filepath.Join(l.dir, "extraction-"+name)
	defer os.RemoveAll(bucket)
	started := time.Now()
	if out, err := exec.CommandContext(ctx, program, archiveOne, sim.URL(), sim.Token(), "file://"+bucket).CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%s: %w: %s", program, err, out)
	}
	return mbPerSecond(log.Size(), time.Since(started)), nil
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
