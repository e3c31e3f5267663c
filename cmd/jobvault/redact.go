package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"regexp/syntax"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/store"
)

type redactCmd struct {
	JobID   int64    `arg:"" help:"Id of the job."`
	Reason  string   `help:"Why, for the record and for readers." required:""`
	Pattern []Secret `help:"Take out only what this regular expression (RE2) matches within a line, and keep a copy without it; may be given more than once." sep:"none"`
	JSON    bool     `help:"One JSON object."`
	actorFlag
}

// Run removes a log, or replaces it with a copy. Patterns are printed and kept nowhere:
// they may be what is to be taken out.
func (c redactCmd) Run(ctx context.Context, e *environment) error {
	if err := checkReason(c.Reason); err != nil {
		return err
	}
	actor, err := c.actor()
	if err != nil {
		return usageError{err}
	}
	o := ingest.RedactOptions{JobID: c.JobID, Actor: actor, Reason: c.Reason}
	if o.Patterns, err = parseExpressions(c.Pattern); err != nil {
		return usageError{err}
	}
	return withWorkbench(ctx, e, false, func(b *workbench) error {
		m := &ingest.Remover{DB: b.db, Archive: b.archive}
		finished, err := m.FinishAll(ctx, func(u ingest.Unfinished) { fmt.Fprintln(e.stderr, "jobvault:", unfinishedText(u)) })
		if finished > 0 {
			fmt.Fprintf(e.stderr, "jobvault: %d removals of before finished\n", finished)
		}
		if err != nil {
			return err
		}
		copied, left, err := m.Redact(ctx, o)
		if err != nil {
			return err
		}
		if err := c.print(e.stdout, copied, left); err != nil {
			return err
		}
		if left != nil {
			return errors.New(unfinishedText(*left))
		}
		return nil
	})
}

func (c redactCmd) print(out io.Writer, copied *store.Redaction, left *ingest.Unfinished) error {
	done := struct {
		JobID      int64              `json:"job_id"`
		Object     string             `json:"object"` // the copy; empty: all of the log is removed
		Matches    int64              `json:"matches"`
		Lines      int64              `json:"lines"` // in which they were
		Unfinished *ingest.Unfinished `json:"unfinished"`
	}{JobID: c.JobID, Unfinished: left}
	text := fmt.Sprintf("the log of job %d is removed", c.JobID)
	if copied != nil {
		done.Object, done.Matches, done.Lines = copied.ObjectKey, copied.Matches, copied.RedactedLines
		text += fmt.Sprintf("; the copy %s is without %d matches in %d lines", copied.ObjectKey, copied.Matches, copied.RedactedLines)
	}
	if c.JSON {
		return json.NewEncoder(out).Encode(done)
	}
	_, err := fmt.Fprintln(out, text)
	return err
}

// longestPattern bounds an expression, in bytes.
const longestPattern = 64 << 10

// parseExpressions reads regular expressions. No error repeats one: it says which it
// is, and what is wrong.
func parseExpressions(patterns []Secret) ([]*regexp.Regexp, error) {
	var all []*regexp.Regexp
	for i, p := range patterns {
		bad := func(why string) error { return fmt.Errorf("--pattern, number %d of %d: %s", i+1, len(patterns), why) }
		if len(p) > longestPattern {
			return nil, bad(fmt.Sprintf("it is longer than %d bytes", longestPattern))
		}
		re, err := regexp.Compile(string(p))
		var wrong *syntax.Error
		switch {
		case errors.As(err, &wrong):
			return nil, bad(wrong.Code.String())
		case err != nil:
			return nil, bad("want a regular expression")
		case re.MatchString(""):
			return nil, bad(archive.ErrEmptyMatch.Error())
		}
		all = append(all, re)
	}
	return all, nil
}
