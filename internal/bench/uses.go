package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

const (
	wantUses  = 200 * time.Millisecond
	usesTurns = 10
)

// usesKinds are the kinds of questions about actions, in the order of the table.
var usesKinds = []string{"of an action that every job uses", "of a rare action", "at a commit"}

// usesFigure is the slowest question of a kind.
type usesFigure struct {
	filter string
	took   time.Duration
	uses   int // that it finds
}

// usesTimes measures asking who used an action, as the command, the page and the API do.
func (l *lab) usesTimes(ctx context.Context, databaseURL string) (map[string]usesFigure, error) {
	pool, err := store.OpenPool(ctx, databaseURL, 1)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	db, err := store.New(pool)
	if err != nil {
		return nil, err
	}
	var rare string
	if err := pool.QueryRow(ctx, `SELECT action FROM action_uses GROUP BY 1 ORDER BY sum(jobs), 1 LIMIT 1`).Scan(&rare); err != nil {
		return nil, err
	}
	worst := make(map[string]usesFigure)
	common := store.ActionFilter{Action: "actions/checkout"}
	commits := make(map[string]bool)
	for _, f := range usesFilters(common) {
		found, err := l.timeUses(ctx, db, usesKinds[0], f, worst)
		if err != nil {
			return nil, err
		}
		for _, u := range found {
			commits[*u.SHA] = true
		}
	}
	found, err := l.timeUses(ctx, db, usesKinds[1], store.ActionFilter{Action: rare}, worst)
	if err != nil || len(found) == 0 || len(commits) < 2 {
		return nil, errors.Join(fmt.Errorf("%d uses of %s, %d commits of %s", len(found), rare, len(commits), common.Action), err)
	}
	at := []store.ActionFilter{{Action: rare, Ref: *found[0].SHA}}
	for sha := range commits {
		at = append(at, store.ActionFilter{Action: common.Action, Ref: sha}, store.ActionFilter{Action: common.Action, Ref: sha[:7]})
	}
	for _, f := range at {
		if _, err := l.timeUses(ctx, db, usesKinds[2], f, worst); err != nil {
			return nil, err
		}
	}
	return worst, nil
}

// usesFilters are an action's: all of it, and by each thing, alone and together. Times
// are in the middle of a day, a week, and of what is summed up beyond.
func usesFilters(all store.ActionFilter) []store.ActionFilter {
	var filters []store.ActionFilter
	for _, ref := range []string{"", "v4"} {
		for _, repository := range []string{"", "acme/repository-1", "acme/repository-59", "acme/*"} {
			for _, days := range []int{0, 7, 30, 160, 393} {
				f := all
				f.Ref, f.Repository = ref, repository
				if days > 0 {
					f.Since = listEnd.AddDate(0, 0, -days).Add(time.Hour)
				}
				filters = append(filters, f)
			}
		}
	}
	for id := range int64(30) {
		all.Repositories = append(all.Repositories, 2*id+1)
	}
	return append(filters, all)
}

// timeUses asks several times, and keeps the time if it is the slowest of its kind so
// far.
func (l *lab) timeUses(ctx context.Context, db *store.DB, kind string, f store.ActionFilter, worst map[string]usesFigure) ([]store.ActionUse, error) {
	var took []time.Duration
	var found lookup.Uses
	for range usesTurns {
		started := time.Now()
		var err error
		if found, err = lookup.FindUses(ctx, db, f); err != nil {
			return nil, err
		}
		took = append(took, time.Since(started))
	}
	slices.Sort(took)
	if l.each {
		fmt.Fprintf(os.Stderr, "%8s  %d uses of %+v\n", ms(took[len(took)/2]), len(found.Uses), f)
	}
	// Of this few times, take the second slowest: the slowest may be the machine's fault.
	if p := took[len(took)-2]; p > worst[kind].took {
		worst[kind] = usesFigure{fmt.Sprintf("%s@%s by %q since %s", f.Action, f.Ref, f.Repository, f.Since.Format(time.DateTime)), p, len(found.Uses)}
	}
	return found.Uses, nil
}

// usesRows makes the table's rows of each kind, over few jobs and over many.
func usesRows(few, many map[string]usesFigure, jobs int) []row {
	var rows []row
	for _, kind := range usesKinds {
		f := many[kind]
		rows = append(rows, row{
			what: fmt.Sprintf("uses %s, within %d jobs and %d uses; slowest: %s, %d lines", kind, jobs, 6*jobs, f.filter, f.uses), ours: ms(f.took),
			against: ms(few[kind].took) + " within a tenth of them", ratio: fmt.Sprintf("%.1f", f.took.Seconds()/few[kind].took.Seconds()),
			wanted: fmt.Sprintf("< %s", ms(wantUses)), missed: f.took >= wantUses,
		})
	}
	return rows
}
