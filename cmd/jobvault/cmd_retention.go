package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/jobvault/jobvault/store"
)

type retentionCmd struct {
	Add    retentionAddCmd    `cmd:"" help:"Add a rule for how long logs are kept; the first rule that matches a job applies."`
	List   retentionListCmd   `cmd:"" help:"List the rules in their order."`
	Delete retentionDeleteCmd `cmd:"" help:"Delete a rule."`
	Plan   retentionPlanCmd   `cmd:"" help:"Show which logs would be removed now, and remove none."`
	Apply  retentionApplyCmd  `cmd:"" help:"Remove the logs that the rules say, and finish interrupted removals. Logs of repositories renamed since the last plan are kept."`
}

type retentionAddCmd struct {
	Repo       *string `help:"Match jobs by repository: patterns such as acme/*,!acme/secret." sep:"none" placeholder:"PATTERNS"`
	Workflow   *string `help:"Match jobs by workflow name: patterns, ignoring case." sep:"none" placeholder:"PATTERNS"`
	Branch     *string `help:"Match jobs by head branch: patterns such as release/*, or !main for all others." sep:"none" placeholder:"PATTERNS"`
	Conclusion *string `help:"Match jobs by conclusion: patterns such as success,skipped." sep:"none" placeholder:"PATTERNS"`
	OlderThan  string  `help:"Match jobs that completed at least this many days ago, such as 30d." placeholder:"DAYS"`
	Keep       string  `help:"Keep logs for this many days after the job completed, such as 90d, or forever." required:"" placeholder:"DAYS"`
	At         int     `help:"Insert the rule at this position, counted from 1. Without it: at the end." placeholder:"POSITION"`
	actorFlag
}

type retentionListCmd struct {
	JSON bool `help:"Print one JSON object per line."`
}

type retentionDeleteCmd struct {
	ID int64 `arg:"" help:"Id of the rule."`
}

// Help is kong's: examples and exit status.
func (retentionCmd) Help() string {
	return helpText(`jobvault retention add --repo='acme/*' --keep=90d
jobvault retention plan
jobvault retention apply`, usualExit)
}

// Help is kong's: examples and exit status.
func (retentionAddCmd) Help() string {
	return helpText(`jobvault retention add --conclusion=failure --keep=forever
jobvault retention add --repo='acme/*,!acme/audited' --keep=90d --at=1`, usualExit)
}

// Run prints the rule's id and place.
func (c retentionAddCmd) Run(ctx context.Context, e *environment) error {
	r := store.RetentionRule{
		Position: c.At, Repository: c.Repo, Workflow: c.Workflow, Branch: c.Branch, Conclusion: c.Conclusion,
	}
	var errs []error
	var err error
	if c.OlderThan != "" {
		r.OlderThanDays, err = parseDays("--older-than", c.OlderThan)
		errs = append(errs, err)
	}
	if c.Keep != "forever" {
		r.KeepDays, err = parseDays("--keep", c.Keep)
		if err != nil {
			err = fmt.Errorf("%w, or forever", err)
		}
		errs = append(errs, err)
	}
	if c.At < 0 {
		errs = append(errs, fmt.Errorf("--at=%d: want a place from 1", c.At))
	}
	r.CreatedBy, err = c.actor()
	if err := errors.Join(append(errs, err, c.checkPatterns())...); err != nil {
		return usageError{err}
	}
	return runSession(ctx, e, recordNeeds.mayBegin(), func(s *session) error {
		added, err := s.db.AddRetentionRule(ctx, r)
		if errors.Is(err, store.ErrNotFound) {
			return usageError{fmt.Errorf("--at=%d: there are fewer rules than that", c.At)}
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(e.stdout, "rule %d at place %d: %s\n", added.ID, added.Position, plain(added.String()))
		return err
	})
}

// checkPatterns names the flag whose patterns are wrong.
func (c retentionAddCmd) checkPatterns() error {
	var errs []error
	for _, f := range []struct {
		flag    string
		pattern *string
		rule    store.RetentionRule
	}{
		{"--repo", c.Repo, store.RetentionRule{Repository: c.Repo}},
		{"--workflow", c.Workflow, store.RetentionRule{Workflow: c.Workflow}},
		{"--branch", c.Branch, store.RetentionRule{Branch: c.Branch}},
		{"--conclusion", c.Conclusion, store.RetentionRule{Conclusion: c.Conclusion}},
	} {
		if err := f.rule.Check(); err != nil {
			errs = append(errs, fmt.Errorf("%s=%q: %w", f.flag, *f.pattern, errors.Unwrap(err)))
		}
	}
	return errors.Join(errs...)
}

// Help is kong's: examples and exit status.
func (retentionListCmd) Help() string {
	return helpText("jobvault retention list", usualExit)
}

// Run lists the rules in the order in which they are looked at.
func (c retentionListCmd) Run(ctx context.Context, e *environment) error {
	return runSession(ctx, e, ledgerNeeds, func(s *session) error {
		rules, err := s.db.RetentionRules(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSONLines(e.stdout, rules)
		}
		w := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "PLACE\tRULE\tFITS\tBY\tSINCE")
		for _, r := range rules {
			fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%s\n", r.Position, r.ID, plain(r.String()), plain(r.CreatedBy), formatTime(r.CreatedAt))
		}
		return w.Flush()
	})
}

// Help is kong's: examples and exit status.
func (retentionDeleteCmd) Help() string {
	return helpText("jobvault retention delete 3", usualExit)
}

// Run deletes a rule; those after it move up.
func (c retentionDeleteCmd) Run(ctx context.Context, e *environment) error {
	return runSession(ctx, e, recordNeeds, func(s *session) error {
		err := s.db.DeleteRetentionRule(ctx, c.ID)
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("there is no rule %d; jobvault retention list shows those that there are", c.ID)
		}
		return err
	})
}
