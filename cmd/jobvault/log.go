package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

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
	part := lookup.Part{Step: c.Step}
	if c.Lines != "" {
		var err error
		if part, err = lookup.ParseLines(c.Lines); err != nil {
			return usageError{fmt.Errorf("--lines=%w", err)}
		}
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
		log, err := logs.Find(ctx, c.JobID)
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("no job %d is known", c.JobID)
		}
		if err != nil {
			return err
		}
		return logs.Copy(ctx, w, log, part)
	})
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
