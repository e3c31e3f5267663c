package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/store"
)

type redactCmd struct {
	JobID   int64    `arg:"" help:"Id of the job."`
	Reason  string   `help:"Why the log is redacted, for the record and for readers." required:"" placeholder:"TEXT"`
	Pattern []Secret `help:"Remove only what this RE2 expression matches within a line, and keep the rest of the log as a copy. May be repeated." sep:"none" placeholder:"REGEXP"`
	Yes     bool     `help:"Do not ask for confirmation. Without it, the command shows what would be removed and asks on the terminal."`
	JSON    bool     `help:"Print one JSON object."`
	actorFlag
}

// Help is kong's: examples and exit status.
func (redactCmd) Help() string {
	return helpText(`jobvault redact 21483648 --reason='a token' --pattern='ghp_\w+'
jobvault redact 21483648 --reason='customer data' --yes`, usualExit)
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
	o := upkeep.RedactOptions{JobID: c.JobID, Actor: actor, Reason: c.Reason}
	if o.Patterns, err = parseExpressions(c.Pattern); err != nil {
		return usageError{err}
	}
	if !c.Yes && !canAsk(e) {
		return usageError{errors.New("redact removes for good and asks before it does, which needs a terminal; --yes does not ask. Nothing is changed")}
	}
	return runSession(ctx, e, maintenanceNeeds.withRemovals(), func(s *session) error {
		return c.redact(ctx, e, s.remover(), o)
	})
}

func (c redactCmd) redact(ctx context.Context, e *environment, m *upkeep.Remover, o upkeep.RedactOptions) error {
	if !c.Yes {
		p, err := m.PreviewRedact(ctx, o)
		if err != nil {
			return err
		}
		fmt.Fprintln(e.stderr, previewText(c.JobID, p, len(o.Patterns) > 0))
		yes, err := ask(ctx, e, "Redact? [y/N] ")
		if err != nil {
			return err
		}
		if !yes {
			return errors.New("nothing is redacted")
		}
	}
	finished, err := m.FinishDue(ctx, 0, func(u upkeep.Unfinished) { fmt.Fprintln(e.stderr, "jobvault:", unfinishedText(u)) })
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
		return errors.New(unfinishedText(*left) + ". Nobody reads the log any more; a serving jobvault, or the next retention apply, goes on with its removal")
	}
	return nil
}

// previewText says what would go. The text itself is not shown: it may be a secret, and
// terminals are recorded; jobvault log --lines shows it to whoever wants to see it.
func previewText(jobID int64, p archive.RedactionPreview, patterns bool) string {
	if !patterns {
		return fmt.Sprintf("all of the log of job %d would go: %d lines, %s", jobID, p.Lines, formatBytes(p.Bytes))
	}
	numbers := make([]string, len(p.FirstLines))
	for i, n := range p.FirstLines {
		numbers[i] = strconv.FormatInt(n, 10)
	}
	text := strings.Join(numbers, ", ")
	if p.Lines > int64(len(numbers)) {
		text += ", …"
	}
	return fmt.Sprintf("%d matches in %d lines of the log of job %d would go, %s: lines %s\n(jobvault log %d --lines %d shows the first)",
		p.Matches, p.Lines, jobID, formatBytes(p.Bytes), text, jobID, p.FirstLines[0])
}

func (c redactCmd) print(out io.Writer, copied *store.Redaction, left *upkeep.Unfinished) error {
	done := struct {
		JobID      int64              `json:"job_id"`
		Object     string             `json:"object"` // the copy; empty: all of the log is removed
		Matches    int64              `json:"matches"`
		Lines      int64              `json:"lines"` // in which they were
		Unfinished *upkeep.Unfinished `json:"unfinished"`
	}{JobID: c.JobID, Unfinished: left}
	text := fmt.Sprintf("the log of job %d is removed", c.JobID)
	if copied != nil {
		done.Object, done.Matches, done.Lines = copied.ObjectKey, copied.Matches, copied.RedactedLines
		text += fmt.Sprintf("; the copy %s is without %d matches in %d lines", copied.ObjectKey, copied.Matches, copied.RedactedLines)
	}
	if c.JSON {
		return jsonEncoder(out).Encode(done)
	}
	_, err := fmt.Fprintln(out, plain(text))
	return err
}

// maxPatternBytes bounds an expression, in bytes.
const maxPatternBytes = 64 << 10

// parseExpressions reads regular expressions. No error repeats one: it says which it
// is, and what is wrong.
func parseExpressions(patterns []Secret) ([]*regexp.Regexp, error) {
	var all []*regexp.Regexp
	for i, p := range patterns {
		bad := func(why string) error { return fmt.Errorf("--pattern, number %d of %d: %s", i+1, len(patterns), why) }
		if len(p) > maxPatternBytes {
			return nil, bad(fmt.Sprintf("it is longer than %d bytes", maxPatternBytes))
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
