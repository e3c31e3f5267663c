package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/jobvault/jobvault/ingest/upkeep"
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

type retentionPlanCmd struct {
	Limit int  `help:"List at most NUM logs; 0: all." default:"0" placeholder:"NUM"`
	JSON  bool `help:"Print one JSON object per line: each log, then the summary."`
}

type retentionApplyCmd struct {
	Limit int  `help:"Remove at most NUM logs; 0: all." default:"0" placeholder:"NUM"`
	JSON  bool `help:"Print one JSON object per line: each log, then each renamed repository, then the summary."`
	actorFlag
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
	return runSession(ctx, e, recordNeeds, func(s *session) error {
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
	return runSession(ctx, e, recordNeeds, func(s *session) error {
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

// Help is kong's: examples and exit status.
func (retentionPlanCmd) Help() string {
	return helpText(`jobvault retention plan
jobvault retention plan --limit=100 --json`, usualExit)
}

// Run says what apply would do.
func (c retentionPlanCmd) Run(ctx context.Context, e *environment) error {
	if err := checkLimit(c.Limit); err != nil {
		return err
	}
	return runSession(ctx, e, recordNeeds, func(s *session) error {
		// Before what would go is looked up: apply leaves what is renamed from here on.
		if err := s.db.NotePlan(ctx); err != nil {
			return err
		}
		m := s.remover()
		out := jsonEncoder(e.stdout)
		groups := make(planGroups)
		plan, err := m.Plan(ctx, c.Limit, func(g store.Ending) error {
			if c.JSON {
				return out.Encode(g)
			}
			groups.add(g)
			return nil
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return out.Encode(plan)
		}
		return groups.print(e.stdout, plan)
	})
}

// planGroup is what a rule ends in a repository.
type planGroup struct {
	rule             store.RetentionRule
	repository       string
	jobs, held       int64
	rawBytes, stored int64
	oldest, newest   time.Time
}

type planGroups map[string]*planGroup

func (gs planGroups) add(e store.Ending) {
	key := fmt.Sprintf("%d %d", e.Rule.ID, e.RepositoryID)
	g := gs[key]
	if g == nil {
		g = &planGroup{rule: e.Rule, repository: e.Repository, oldest: e.Since, newest: e.Since}
		gs[key] = g
	}
	if e.Hold != nil {
		g.held++
		return
	}
	g.jobs++
	g.rawBytes += e.RawBytes
	g.stored += e.StoredBytes
	if e.Since.Before(g.oldest) {
		g.oldest = e.Since
	}
	if e.Since.After(g.newest) {
		g.newest = e.Since
	}
}

func (gs planGroups) print(out io.Writer, p upkeep.Planned) error {
	sorted := make([]*planGroup, 0, len(gs))
	for _, g := range gs {
		sorted = append(sorted, g)
	}
	slices.SortFunc(sorted, func(a, b *planGroup) int {
		return cmp.Or(cmp.Compare(a.rule.Position, b.rule.Position), cmp.Compare(a.repository, b.repository))
	})
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "RULE\tFITS\tREPOSITORY\tLOGS\tRAW\tSTORED\tOLDEST\tNEWEST\tHELD")
	for _, g := range sorted {
		fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%d\n", g.rule.ID, plain(g.rule.String()), plain(g.repository), g.jobs,
			formatBytes(g.rawBytes), formatBytes(g.stored), formatTime(g.oldest), formatTime(g.newest), g.held)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d logs would go, %s raw, %s stored; legal holds keep %d more\n", p.Jobs, formatBytes(p.RawBytes), formatBytes(p.StoredBytes), p.Held)
	for _, u := range p.Unfinished {
		fmt.Fprintln(out, unfinishedText(u))
	}
	return nil
}

// unfinishedText says of a removal that the bucket has something of it still.
func unfinishedText(u upkeep.Unfinished) string {
	text := fmt.Sprintf("job %d: its removal is not finished", u.JobID)
	if u.Undecided {
		text = fmt.Sprintf("job %d: its log is not removed", u.JobID)
	}
	switch {
	case u.Error != "":
		text += ": " + plain(u.Error)
	case u.Hold != nil:
		text += fmt.Sprintf(": legal hold %d keeps what is there", *u.Hold)
	}
	return text
}

// Help is kong's: examples and exit status.
func (retentionApplyCmd) Help() string {
	return helpText(`jobvault retention apply
jobvault retention apply --limit=100 --json`, "0 if it is done, 1 if it failed, a removal is not finished or a repository was renamed, 2 if it was used wrongly.")
}

// Run removes logs. Stopped, it goes on where it was. It fails if a log could not be
// removed, if the bucket has something still that no legal hold of ours keeps, or if a
// repository was renamed since the last plan; that keeps none of the others.
func (c retentionApplyCmd) Run(ctx context.Context, e *environment) error {
	if err := checkLimit(c.Limit); err != nil {
		return err
	}
	actor, err := c.actor()
	if err != nil {
		return usageError{err}
	}
	return runSession(ctx, e, maintenanceNeeds.withRemovals(), func(s *session) error {
		var renamed renamedRepositories
		m := s.remover()
		m.Renamed = renamed.add
		plan, err := m.Plan(ctx, c.Limit, func(store.Ending) error { return nil })
		if err != nil {
			return err
		}
		meter := newMovingProgress(e.stderr, "retention")
		out := jsonEncoder(e.stdout)
		var left unfinishedList
		var printed error
		sum, err := m.Apply(ctx, actor, c.Limit, left.add,
			func(g upkeep.Gone, sum upkeep.Applied) {
				if c.JSON {
					printed = errors.Join(printed, out.Encode(g))
				}
				meter.set(int(sum.Jobs), int(plan.Jobs), formatBytes(sum.StoredBytes), 0)
			})
		meter.end()
		printed = errors.Join(printed, renamed.print(e.stdout, c.JSON))
		if c.JSON {
			printed = errors.Join(printed, out.Encode(sum))
		} else {
			fmt.Fprintf(e.stdout, "%d logs removed, %s raw, %s stored; %d removals of before finished; legal holds kept %d\n",
				sum.Jobs, formatBytes(sum.RawBytes), formatBytes(sum.StoredBytes), sum.Finished, sum.Held)
		}
		if err == nil && sum.Renamed > 0 {
			err = errRenamed
		}
		return errors.Join(left.print(e.stderr), err, printed)
	})
}

// maxListedUnfinished is how many unfinished removals are printed one by one.
const maxListedUnfinished = 1000

// unfinishedList is what a command tells at its end.
type unfinishedList struct {
	first []upkeep.Unfinished
	all   int
	bad   int // those that no legal hold of ours keeps
}

func (l *unfinishedList) add(u upkeep.Unfinished) {
	if l.all++; len(l.first) < maxListedUnfinished {
		l.first = append(l.first, u)
	}
	if u.Hold == nil {
		l.bad++
	}
}

// print prints what is unfinished. It fails if it is so for another reason than a legal
// hold of ours.
func (l *unfinishedList) print(w io.Writer) error {
	for _, u := range l.first {
		fmt.Fprintln(w, "jobvault:", unfinishedText(u))
	}
	if more := l.all - len(l.first); more > 0 {
		fmt.Fprintf(w, "jobvault: and %d more\n", more)
	}
	if l.bad > 0 {
		return fmt.Errorf("%d removals could not be finished; see above. A serving jobvault tries them again by itself, and so does the next retention apply", l.bad)
	}
	return nil
}

func checkLimit(n int) error {
	if n < 0 {
		return usageError{fmt.Errorf("--limit=%d: want a number of logs, or 0 for all", n)}
	}
	return nil
}

// maxRuleDays is a hundred years.
const maxRuleDays = 36525

// parseDays reads "90d".
func parseDays(flag, s string) (*int, error) {
	text, ok := strings.CutSuffix(s, "d")
	n, err := strconv.Atoi(text)
	if !ok || err != nil || n < 1 || n > maxRuleDays {
		return nil, fmt.Errorf("%s=%q: want days, from 1d to %dd", flag, s, maxRuleDays)
	}
	return &n, nil
}

func formatBytes(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// formatTime is a time as people read it.
func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
