package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
)

const (
	wantCommon  = 2.0
	wantRare    = 50.0
	wantFilters = 3.0 // percent
	grepLogSize = 1 << 20
	commonWord  = "warning"     // some thirty lines of each log
	massiveWord = "downloading" // a quarter of all lines
)

// measureGrep compares `jobvault grep`, the whole command, with `rg -z` over the same
// objects in the bucket's folder: for words that many lines have, and for one that only
// a single log has. Both write what they find to a file.
func measureGrep(ctx context.Context, l *lab) ([]row, error) {
	rg, err := exec.LookPath("rg")
	if err != nil {
		return nil, fmt.Errorf("install the package ripgrep: %w", err)
	}
	if _, err := exec.LookPath("zstd"); err != nil {
		return nil, fmt.Errorf("install the package zstd, which rg -z runs: %w", err)
	}
	g, style := grepping{lab: l, rg: rg}, githubsim.LogStyle{ANSI: true}
	if g.settings, g.bucket, err = l.archiveLogs(ctx, "grep", style, slices.Repeat([]int64{grepLogSize}, l.scale.grepLogs)...); err != nil {
		return nil, err
	}
	rare, err := rareWord(uint64(l.scale.grepLogs/2), grepLogSize, style)
	if err != nil {
		return nil, err
	}
	common, err := g.search(ctx, commonWord, wantCommon)
	if err != nil {
		return nil, err
	}
	seldom, err := g.search(ctx, rare, wantRare)
	if err != nil {
		return nil, err
	}
	massive, err := g.search(ctx, massiveWord, 0)
	if err != nil {
		return nil, err
	}
	massive.wanted, massive.missed = "reported", false
	filters, err := g.filterSize()
	if err != nil {
		return nil, err
	}
	rows := []row{common, seldom, massive, filters}
	more, err := l.measureGrepBefore(ctx)
	return l.unlessShallow(append(rows, more...), err, "grep, compared with a commit before")
}

// grepping is a bucket of logs that are searched.
type grepping struct {
	*lab
	rg       string
	settings []string
	bucket   string
}

// raw is the size of all logs.
func (g *grepping) raw() int64 { return int64(g.scale.grepLogs) * grepLogSize }

// search measures how long both take to find a word. It fails unless both find it in the
// same number of lines.
func (g *grepping) search(ctx context.Context, word string, want float64) (row, error) {
	var ours, theirs, ratios []float64
	found := 0
	for range g.scale.logTurns {
		their, n, err := g.timed(ctx, nil, g.rg, "-z", "-F", "-n", "--no-ignore", "-g", "*.zst", "-e", word, g.bucket)
		if err != nil {
			return row{}, err
		}
		our, m, err := g.timed(ctx, g.settings, g.binary, "grep", "-F", "--", word)
		if err != nil {
			return row{}, err
		}
		if n != m || n == 0 {
			return row{}, fmt.Errorf("%q: rg finds %d lines, jobvault %d", word, n, m)
		}
		found = n
		ours, theirs, ratios = append(ours, wall(our)*1e3), append(theirs, wall(their)*1e3), append(ratios, wall(their)/wall(our))
	}
	ratio := median(ratios)
	return row{
		what: fmt.Sprintf("grep of %d MiB in %d logs for a word of %d lines", g.raw()>>20, g.scale.grepLogs, found),
		ours: fmt.Sprintf("%.0f ms", median(ours)), against: fmt.Sprintf("%.0f ms rg -z", median(theirs)),
		ratio: fmt.Sprintf("%.1f", ratio), wanted: fmt.Sprintf("≥ %.0f", want), missed: ratio < want,
	}, nil
}

// filterSize compares the size of the filters with that of the logs.
func (g *grepping) filterSize() (row, error) {
	filters, err := sizeOf(g.bucket, "log.filter")
	share := 100 * float64(filters) / float64(g.raw())
	return row{
		what: "filters that grep looks into", ours: fmt.Sprintf("%.1f MiB", float64(filters)/(1<<20)), against: fmt.Sprintf("%d MiB of logs", g.raw()>>20),
		ratio: fmt.Sprintf("%.2f %%", share), wanted: fmt.Sprintf("≤ %.0f %%", wantFilters), missed: share > wantFilters,
	}, err
}

// timed runs a command with its output in a file, and returns what it took and how many
// lines it wrote.
func (l *lab) timed(ctx context.Context, settings []string, name string, args ...string) (cost, int, error) {
	out, err := os.Create(filepath.Join(l.dir, "found.txt"))
	if err != nil {
		return cost{}, 0, err
	}
	defer out.Close()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), settings...)
	cmd.Env = append(cmd.Env, "JOBVAULT_DATA_DIR="+l.dir+"/jobvault-data")
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &stderr
	started := time.Now()
	if err := cmd.Run(); err != nil {
		return cost{}, 0, fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, stderr.Bytes())
	}
	took := costOf(cmd, started)
	found, err := os.ReadFile(out.Name())
	return took, bytes.Count(found, []byte{'\n'}), err
}

// slot matches the part of a line of output that differs from log to log.
var slot = regexp.MustCompile(`[\w:]*[0-9a-f]{8}\w*`)

// rareWord returns a word from the middle of one log that is in no other log.
func rareWord(seed uint64, size int64, style githubsim.LogStyle) (string, error) {
	log, err := io.ReadAll(githubsim.GeneratedLog(seed, size, style).Reader())
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(string(log[len(log)/2:]), "\n")[1:] {
		_, text, _ := strings.Cut(line, "Z ")
		if word := slot.FindString(text); word != "" {
			return word, nil
		}
	}
	return "", errors.New("no such word in the log")
}

// sizeOf returns the total size of all files with a name in a folder.
func sizeOf(dir, name string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.Name() != name {
			return err
		}
		info, err := e.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}
