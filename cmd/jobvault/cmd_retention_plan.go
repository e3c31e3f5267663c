package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/store"
)

type retentionPlanCmd struct {
	Limit int  `help:"List at most NUM logs; 0: all." default:"0" placeholder:"NUM"`
	JSON  bool `help:"Print one JSON object per line: each log, then the summary."`
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
	return runSession(ctx, e, ledgerNeeds, func(s *session) error {
		// Before what would go is looked up: apply leaves what is renamed from here on.
		if err := s.db.NotePlan(ctx); err != nil {
			return err
		}
		m := s.remover()
		out := jsonEncoder(e.stdout)
		groups := make(planGroups)
		plan, err := m.Plan(ctx, c.Limit, func(g store.ExpiringLog) error {
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

func (gs planGroups) add(e store.ExpiringLog) {
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

func checkLimit(n int) error {
	if n < 0 {
		return usageError{fmt.Errorf("--limit=%d: want a number of logs, or 0 for all", n)}
	}
	return nil
}
