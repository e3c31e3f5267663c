package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"

	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

type logCmd struct {
	JobID int64  `arg:"" help:"Id of the job."`
	Lines string `help:"Only these lines, from 1: 100-200, 100- or 100." xor:"part"`
	Step  *int64 `help:"Only the lines of the step with this number, by estimate." xor:"part"`
	Raw   bool   `help:"On a terminal too, print every byte as it is."`
}

// Run prints the log byte for byte. On a terminal, control characters that could
// do more than colour the text are shown instead of sent.
func (c logCmd) Run(ctx context.Context, e *environment) error {
	first, last, err := parseLines(c.Lines)
	if err != nil {
		return err
	}
	return withStore(ctx, e, func(cfg config, db *store.DB) (err error) {
		a, err := openArchive(cfg)
		if err != nil {
			return err
		}
		logs := lookup.Logs{DB: db, Archive: a}
		out := bufio.NewWriterSize(e.stdout, 64<<10)
		defer func() { err = errors.Join(err, out.Flush()) }()
		var w io.Writer = out
		if !c.Raw && isTerminal(e.stdout) {
			terminal := &terminalWriter{w: out}
			defer func() { err = errors.Join(err, terminal.flush(), out.Flush()) }()
			w = terminal
		}
		switch {
		case c.Step != nil:
			err = logs.Step(ctx, w, c.JobID, *c.Step)
		case c.Lines != "":
			err = logs.Lines(ctx, w, c.JobID, first, last)
		default:
			err = logs.Whole(ctx, w, c.JobID)
		}
		if errors.Is(err, store.ErrNotFound) && c.Step == nil {
			return fmt.Errorf("no job %d is known", c.JobID)
		}
		return err
	})
}

// parseLines reads "100-200", "100-" or "100".
func parseLines(s string) (first, last int64, err error) {
	if s == "" {
		return 0, 0, nil
	}
	from, to, ranged := strings.Cut(s, "-")
	first, err = strconv.ParseInt(from, 10, 64)
	last = first
	if err == nil && ranged {
		last = 1<<63 - 1
		if to != "" {
			last, err = strconv.ParseInt(to, 10, 64)
		}
	}
	if err != nil || first < 1 || last < first {
		return 0, 0, usageError{fmt.Errorf("--lines=%q: want lines from 1, such as 100-200, 100- or 100", s)}
	}
	return first, last, nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
