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
	Add    retentionAddCmd    `cmd:"" help:"Add a rule of how long logs are kept. Of a job the first rule that fits decides."`
	List   retentionListCmd   `cmd:"" help:"List the rules in their order."`
	Delete retentionDeleteCmd `cmd:"" help:"Delete a rule."`
	Plan   retentionPlanCmd   `cmd:"" help:"Say which logs would go now, and remove none."`
	Apply  retentionApplyCmd  `cmd:"" help:"Remove the logs that go by the rules, and finish removals that were stopped. Logs of repositories that were renamed since the last plan are left."`
}

type retentionAddCmd struct {
	Repo       *string `help:"Fits repositories: patterns such as acme/*,!acme/secret." sep:"none"`
	Workflow   *string `help:"Fits workflows by name: patterns, without regard to case." sep:"none"`
	Branch     *string `help:"Fits branches: patterns such as release/*; !main fits all others." sep:"none"`
	Conclusion *string `help:"Fits conclusions: patterns such as success,skipped." sep:"none"`
	OlderThan  string  `help:"Fits jobs that completed so long ago, such as 30d."`
	Keep       string  `help:"How long after completion logs are kept: such as 90d, or forever." required:""`
	At         int     `help:"Its place among the rules, from 1; without it the last."`
	actorFlag
}

type retentionListCmd struct {
	JSON bool `help:"One JSON object a line."`
}

type retentionDeleteCmd struct {
	ID int64 `arg:"" help:"Id of the rule."`
}

type retentionPlanCmd struct {
	Limit int  `help:"Only so many logs; 0: all." default:"0"`
	JSON  bool `help:"One JSON object a line: a log each, and last the summary."`
}

type retentionApplyCmd struct {
	Limit int  `help:"Only so many logs; 0: all." default:"0"`
	JSON  bool `help:"One JSON object a line: a log each, then each repository that was renamed, and last the summary."`
	actorFlag
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
	if err := errors.Join(append(errs, err, r.Check())...); err != nil {
		return usageError{err}
	}
	return withTokens(ctx, e, func(db *store.DB) error {
		added, err := db.AddRetentionRule(ctx, r)
		if errors.Is(err, store.ErrNotFound) {
			return usageError{fmt.Errorf("--at=%d: there are not so many rules", c.At)}
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(e.stdout, "rule %d at place %d: %s\n", added.ID, added.Position, plain(added.String()))
		return err
	})
}

// Run lists the rules in the order in which they are looked at.
func (c retentionListCmd) Run(ctx context.Context, e *environment) error {
	return withTokens(ctx, e, func(db *store.DB) error {
		rules, err := db.RetentionRules(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSONLines(e.stdout, rules)
		}
		w := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "PLACE\tRULE\tFITS\tBY\tSINCE")
		for _, r := range rules {
			fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%s\n", r.Position, r.ID, plain(r.String()), plain(r.CreatedBy), clock(r.CreatedAt))
		}
		return w.Flush()
	})
}

// Run deletes a rule; those after it move up.
func (c retentionDeleteCmd) Run(ctx context.Context, e *environment) error {
	return withTokens(ctx, e, func(db *store.DB) error {
		err := db.DeleteRetentionRule(ctx, c.ID)
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("there is no rule %d; jobvault retention list shows those that there are", c.ID)
		}
		return err
	})
}

// Run says what apply would do.
func (c retentionPlanCmd) Run(ctx context.Context, e *environment) error {
	if err := checkLimit(c.Limit); err != nil {
		return err
	}
	return withTokens(ctx, e, func(db *store.DB) error {
		// Before what would go is looked up: apply leaves what is renamed from here on.
		if err := db.NotePlan(ctx); err != nil {
			return err
		}
		m := &upkeep.Remover{DB: db}
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

func (gs planGroups) print(out io.Writer, p upkeep.PlanResult) error {
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
			bytesText(g.rawBytes), bytesText(g.stored), clock(g.oldest), clock(g.newest), g.held)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d logs would go, %s raw, %s stored; legal holds keep %d more\n", p.Jobs, bytesText(p.RawBytes), bytesText(p.StoredBytes), p.Held)
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
	return withWorkbench(ctx, e, false, func(b *workbench) error {
		if err := b.hearRemovals(ctx); err != nil {
			return err
		}
		var renamed renamedRepositories
		m := b.remover()
		m.Renamed = renamed.add
		plan, err := m.Plan(ctx, c.Limit, func(store.Ending) error { return nil })
		if err != nil {
			return err
		}
		meter := newMeter(e.stderr, "retention")
		out := jsonEncoder(e.stdout)
		var left unfinishedList
		var printed error
		sum, err := m.Apply(ctx, actor, c.Limit, left.add,
			func(g upkeep.RemovedLog, sum upkeep.ApplyResult) {
				if c.JSON {
					printed = errors.Join(printed, out.Encode(g))
				}
				meter.set(int(sum.Jobs), int(plan.Jobs), bytesText(sum.StoredBytes), 0)
			})
		meter.end()
		printed = errors.Join(printed, renamed.print(e.stdout, c.JSON))
		if c.JSON {
			printed = errors.Join(printed, out.Encode(sum))
		} else {
			fmt.Fprintf(e.stdout, "%d logs removed, %s raw, %s stored; %d removals of before finished; legal holds kept %d\n",
				sum.Jobs, bytesText(sum.RawBytes), bytesText(sum.StoredBytes), sum.Finished, sum.Held)
		}
		if err == nil && sum.Renamed > 0 {
			err = errRenamed
		}
		return errors.Join(left.tell(e.stderr), err, printed)
	})
}

// mostTold is how many unfinished removals are printed one by one.
const mostTold = 1000

// unfinishedList is what a command tells at its end.
type unfinishedList struct {
	first []upkeep.Unfinished
	all   int
	bad   int // those that no legal hold of ours keeps
}

func (l *unfinishedList) add(u upkeep.Unfinished) {
	if l.all++; len(l.first) < mostTold {
		l.first = append(l.first, u)
	}
	if u.Hold == nil {
		l.bad++
	}
}

// tell prints what is unfinished. It fails if it is so for another reason than a legal
// hold of ours.
func (l *unfinishedList) tell(w io.Writer) error {
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

// mostDays is a hundred years.
const mostDays = 36525

// parseDays reads "90d".
func parseDays(flag, s string) (*int, error) {
	text, ok := strings.CutSuffix(s, "d")
	n, err := strconv.Atoi(text)
	if !ok || err != nil || n < 1 || n > mostDays {
		return nil, fmt.Errorf("%s=%q: want days, from 1d to %dd", flag, s, mostDays)
	}
	return &n, nil
}

func bytesText(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// clock is a time as people read it.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
