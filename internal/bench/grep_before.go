package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/jobvault/jobvault/internal/githubsim"
)

const wantGrepBefore = 0.9

// measureGrepBefore compares `jobvault grep` with that of the commit before. Each searches
// what it archived itself: plain logs, and such as have colours in a third of their lines.
func (l *lab) measureGrepBefore(ctx context.Context) ([]row, error) {
	before, err := l.labBefore(ctx)
	if err != nil {
		return nil, err
	}
	logs := l.scale.grepLogs / 2
	var rows []row
	for _, c := range []struct {
		name, what string
		style      githubsim.LogStyle
	}{
		{"plain", "plain logs", githubsim.LogStyle{}},
		{"coloured", "logs with colours in a third of the lines", githubsim.LogStyle{ANSI: true}},
	} {
		rare, err := rareWord(uint64(logs/2), grepLogSize, c.style)
		if err != nil {
			return nil, err
		}
		var search [2]grepping
		for i, side := range []*lab{before, l} {
			search[i].lab = side
			name := fmt.Sprintf("grep_%s_%d", c.name, i)
			if search[i].settings, search[i].bucket, err = side.archiveLogs(ctx, name, c.style, slices.Repeat([]int64{grepLogSize}, logs)...); err != nil {
				return nil, err
			}
		}
		for _, word := range []string{rare, commonWord, massiveWord} {
			r, err := grepBefore(ctx, &search[0], &search[1], word, c.what)
			if err != nil {
				return nil, err
			}
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// grepBefore measures a search for a word. It fails unless both find it in the same number
// of lines.
func grepBefore(ctx context.Context, before, now *grepping, word, what string) (row, error) {
	var found []int
	side := func(g *grepping) func() (cost, error) {
		return func() (cost, error) {
			took, n, err := g.timed(ctx, g.settings, g.binary, "grep", "-F", "--", word)
			found = append(found, n)
			return took, err
		}
	}
	t, err := inTurns(2*now.scale.logTurns-1, side(before), side(now))
	if err != nil {
		return row{}, err
	}
	if slices.Min(found) != slices.Max(found) || found[0] == 0 {
		return row{}, fmt.Errorf("%q: found in %v lines", word, found)
	}
	return t.row(fmt.Sprintf("grep of %d %s for a word of %d lines", now.scale.grepLogs/2, what, found[0]), now.earlier.name(), wantGrepBefore,
		func(seconds float64) string { return fmt.Sprintf("%.0f ms", seconds*1e3) }), nil
}
