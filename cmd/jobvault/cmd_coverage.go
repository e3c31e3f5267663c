package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/store"
)

type coverageCmd struct {
	Repo  string `help:"Show only this repository." placeholder:"OWNER/NAME"`
	Since string `help:"Show days from TIME on: a date (2026-03-31), a time (2026-03-31T14:00:00Z) or a duration back from now (36h, 7d)." placeholder:"TIME"`
	JSON  bool   `help:"Print one JSON object per line."`
}

// Help is kong's: examples and exit status.
func (coverageCmd) Help() string {
	return helpText(`jobvault coverage --since=30d
jobvault coverage --repo=acme/rocket --json`, "0 if of every past day nothing is left to be done (UNLISTED: runs whose jobs GitHub never listed; ?: how many is not known), 1 if something is or the command failed, 2 if it was used wrongly.")
}

// Run says what became of the jobs of each day. It fails if a day that has ended
// is not complete or was not looked at, or if a repository's last sweep failed; of
// the present day, and of what cannot be known any more, it only reports.
func (c coverageCmd) Run(ctx context.Context, e *environment) error {
	if err := checkTime("--since", c.Since); err != nil {
		return err
	}
	if c.Repo != "" {
		if err := checkFullName(c.Repo); err != nil {
			return err
		}
	}
	return runSession(ctx, e, ledgerNeeds, func(s *session) error {
		now, err := s.db.Time(ctx)
		if err != nil {
			return err
		}
		since, err := parseTime("--since", c.Since, now)
		if err != nil {
			return err
		}
		days, err := s.db.Coverage(ctx, c.Repo, since)
		if err != nil {
			return err
		}
		if c.JSON {
			err = printJSONLines(e.stdout, days)
		} else {
			err = printCoverage(e.stdout, days)
		}
		if err != nil {
			return err
		}
		if err := printUnfinished(ctx, e.stderr, s.db); err != nil {
			return err
		}
		if err := c.printGone(ctx, e.stderr, s.db, days); err != nil {
			return err
		}
		if err := c.printUnlisted(ctx, e.stderr, s.db, since); err != nil {
			return err
		}
		gaps, err := s.db.Gaps(ctx, c.Repo, since)
		if err != nil {
			return err
		}
		return errors.Join(checkDays(days, now), checkGaps(gaps))
	})
}

// printGone names the repositories of which no more can be known, and says of how many of
// the days that is so.
func (c coverageCmd) printGone(ctx context.Context, w io.Writer, db *store.DB, days []store.Coverage) error {
	gone, err := db.GoneRepositories(ctx, c.Repo)
	unknown := make(map[int64]int)
	for _, d := range days {
		if d.GoneAt != nil {
			unknown[d.RepositoryID]++
		}
	}
	for _, g := range gone {
		listed := "no run of it was ever listed"
		if g.ListedTo != nil {
			listed = "runs created after " + g.ListedTo.UTC().Format(time.RFC3339) + " were not listed"
		}
		if n := unknown[g.RepositoryID]; n > 0 {
			listed += fmt.Sprintf("; days of which it cannot be known whether they had more jobs: %d", n)
		}
		fmt.Fprintf(w, "jobvault: %s: GitHub knows no such repository since %s, or does not show it: %s\n", plain(g.Repository), g.GoneAt.UTC().Format(time.RFC3339), listed)
	}
	return err
}

// printUnlisted names the repositories whose jobs or runs GitHub does not list.
func (c coverageCmd) printUnlisted(ctx context.Context, w io.Writer, db *store.DB, since time.Time) error {
	list, err := db.UnlistedRepositories(ctx, c.Repo, since)
	for _, u := range list {
		if u.Runs > 0 {
			fmt.Fprintf(w, "jobvault: %s: the jobs of %d runs could not be listed, and are not all known: first, run %d: %s\n", plain(u.Repository), u.Runs, *u.FirstRun, plain(orNothing(u.Reason)))
		}
		if u.From != nil {
			fmt.Fprintf(w, "jobvault: %s: runs created from %s to %s could not all be listed, and are not all known\n", plain(u.Repository), u.From.UTC().Format(time.RFC3339), u.To.UTC().Format(time.RFC3339))
		}
		if u.GivenUpAt != nil {
			fmt.Fprintf(w, "jobvault: %s: since %s the listing of runs is given up, and tried again: %s\n", plain(u.Repository), u.GivenUpAt.UTC().Format(time.RFC3339), plain(orNothing(u.Error)))
		}
	}
	return err
}

// orNothing is a text, empty if there is none.
func orNothing(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// printUnfinished names removed logs of which the bucket still has something.
func printUnfinished(ctx context.Context, w io.Writer, db *store.DB) error {
	left, err := upkeep.FirstUnfinished(ctx, db)
	if err != nil {
		return err
	}
	for _, u := range left {
		fmt.Fprintln(w, "jobvault:", unfinishedText(u))
	}
	n, err := db.CountUnfinishedRemovals(ctx)
	if more := int(n) - len(left); err == nil && more > 0 {
		fmt.Fprintf(w, "jobvault: and %d more\n", more)
	}
	return err
}

// checkDays fails if a day that is over is not complete, and somebody can do something
// about it.
func checkDays(days []store.Coverage, now time.Time) error {
	today := now.UTC().Truncate(24 * time.Hour)
	bad := 0
	for _, d := range days {
		if !d.Complete && (d.Day == nil || d.Day.Before(today)) {
			bad++
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d days are not complete: a job of theirs is not settled, or no sweep has listed all their runs (jobvault reconcile --since, jobvault backfill)", bad)
	}
	return nil
}

// checkGaps fails with what is wrong with the sweeps: at most maxListed of them.
func checkGaps(gaps []store.Gap) error {
	const maxListed = 10
	var errs []error
	for _, g := range gaps[:min(len(gaps), maxListed)] {
		if g.FailedAt != nil {
			errs = append(errs, fmt.Errorf("%s: the last sweep failed at %s: %s", plain(g.Repository), g.FailedAt.UTC().Format(time.RFC3339), plain(orNothing(g.Error))))
		}
		if g.From != nil {
			errs = append(errs, fmt.Errorf("%s: runs created from %s on were not all listed", plain(g.Repository), g.From.UTC().Format(time.RFC3339)))
		}
	}
	if more := len(gaps) - maxListed; more > 0 {
		errs = append(errs, fmt.Errorf("%d more repositories", more))
	}
	return errors.Join(errs...)
}

func printCoverage(out io.Writer, days []store.Coverage) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "REPOSITORY\tDAY\tJOBS\tARCHIVED\tNONE\tEXPIRED\tMISSING\tDENIED\tREMOVED\tPENDING\tCOMPLETE\tUNLISTED\t")
	for _, d := range days {
		day, complete := "?", "no"
		if d.Day != nil {
			day = d.Day.UTC().Format(time.DateOnly)
		}
		if d.Complete {
			complete = "yes"
		}
		unlisted := "?"
		if d.Unlisted != nil {
			unlisted = strconv.FormatInt(*d.Unlisted, 10)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t\n", plain(d.Repository), day,
			d.Jobs, d.Archived, d.None, d.Expired, d.Missing, d.Denied, d.Removed, d.Pending, complete, unlisted)
	}
	return w.Flush()
}
