package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

type logCmd struct {
	JobID        int64  `arg:"" help:"Id of the job."`
	Lines        string `help:"Print only these lines, counted from 1: 100-200, 100- or 100." xor:"part" placeholder:"RANGE"`
	Step         *int64 `help:"Print only the lines of the step with this number. If they are an estimate, or other steps have them too, standard error says so." xor:"part" placeholder:"NUM"`
	FollowErrors bool   `help:"Print only lines marked as errors or warnings, with their line numbers and leading context."`
	Context      int    `help:"With --follow-errors, print NUM lines of leading context." default:"3" placeholder:"NUM"`
	Raw          bool   `help:"Print every byte unchanged and without a pager, also on a terminal."`

	remoteFlags
}

// Help is kong's: examples and exit status.
func (logCmd) Help() string {
	return helpText(`jobvault log 21483648
jobvault log 21483648 --lines=100-200
jobvault log 21483648 --follow-errors`, usualExit)
}

// Run prints the log byte for byte. On a terminal it goes through a pager, what the
// runner marks is coloured, and control characters that could do more than colour
// the text are shown instead of sent.
func (c logCmd) Run(ctx context.Context, e *environment) error {
	part := lookup.Selection{Step: c.Step}
	if c.Lines != "" {
		var err error
		if part, err = lookup.ParseSelection(c.Lines); err != nil {
			return usageError{fmt.Errorf("--lines=%w", err)}
		}
	}
	if c.Context < 0 || c.Context > 1000 {
		return usageError{fmt.Errorf("--context=%d: want 0 to 1000", c.Context)}
	}
	server, err := c.open(e)
	if err != nil {
		return err
	}
	if server != nil {
		return c.print(ctx, e, max(part.First, 1), func(w io.Writer) error {
			return server.log(ctx, w, c.JobID, part, func(header http.Header) {
				noteRedacted(e, c.JobID, header.Get(lookup.RedactedHeader))
				noteStepLines(e, c.Step, header.Get(lookup.StepLinesHeader))
			})
		})
	}
	return runSession(ctx, e, readNeeds, func(s *session) error {
		logs := s.logs()
		log, err := logs.Find(ctx, c.JobID)
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("no job %d is known", c.JobID)
		}
		if err != nil {
			return err
		}
		lines, err := logs.Lines(ctx, log, part)
		if err != nil {
			return err
		}
		if err := s.db.NoteRead(ctx, subject(), c.JobID, part.String()); err != nil {
			return err
		}
		noteRedacted(e, c.JobID, lookup.RedactedNote(log))
		noteStepLines(e, c.Step, lines.String())
		return c.print(ctx, e, lines.First, func(w io.Writer) error { return logs.Copy(ctx, w, log, part) })
	})
}

// subject is who reads, in the table reads: somebody who has the database's password
// and the bucket's.
func subject() string { return "local " + osUser() }

// print writes what copy gives, from line first on, in the way that the flags and
// standard output ask for.
func (c logCmd) print(ctx context.Context, e *environment, first int64, copy func(io.Writer) error) error {
	if c.Raw || !isTerminal(e.stdout) {
		return c.printTo(e.stdout, first, false, copy)
	}
	return paged(ctx, e, func(w io.Writer) error { return c.printTo(w, first, true, copy) })
}

func (c logCmd) printTo(w io.Writer, first int64, terminal bool, copy func(io.Writer) error) (err error) {
	out := bufio.NewWriterSize(w, 64<<10)
	flushes := []func() error{out.Flush}
	defer func() {
		for i := len(flushes) - 1; i >= 0; i-- {
			err = errors.Join(err, flushes[i]())
		}
	}()
	w = out
	style := bytes.Clone
	if terminal {
		shown := &terminalWriter{w: w}
		w, flushes, style = shown, append(flushes, shown.flush), colourLine
	}
	var lines *lineWriter
	switch {
	case c.FollowErrors:
		lines = followErrors(w, first, c.Context, style)
	case terminal:
		lines = coloured(w)
	default:
		return copy(w)
	}
	flushes = append(flushes, lines.flush)
	return copy(lines)
}

// noteRedacted says beside the log that it is not as GitHub sent it.
func noteRedacted(e *environment, jobID int64, note string) {
	if note != "" {
		fmt.Fprintf(e.stderr, "jobvault: the log of job %d is redacted: %s\n", jobID, plain(note))
	}
}

// noteStepLines says beside the lines of a step that others may have printed them, by
// what lookup.StepLinesHeader says of them.
func noteStepLines(e *environment, step *int64, lines string) {
	if step != nil && lines != "" && !strings.HasSuffix(lines, "; "+string(joblog.Exact)) {
		fmt.Fprintf(e.stderr, "jobvault: lines of step %d: %s\n", *step, plain(lines))
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
