package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

type jobsCmd struct {
	Repo       string `help:"Repository: OWNER/NAME or NAME."`
	Workflow   string `help:"Name of the workflow."`
	Branch     string `help:"Head branch."`
	Commit     string `help:"Head commit, or its beginning."`
	RunID      int64  `name:"run" help:"Id of the workflow run."`
	Status     string `help:"queued, in_progress, completed, …"`
	Conclusion string `help:"success, failure, cancelled, skipped, …"`
	Label      string `help:"Runner label that the job asked for."`
	Runner     string `help:"Name of the runner."`
	LogState   string `help:"State in the ledger." enum:",pending,archived,none,expired,missing,denied,removed" default:""`
	Since      string `help:"Created at or after: a date, a time, or how long ago, such as 36h or 7d."`
	Until      string `help:"Created before: as --since."`
	Limit      int    `help:"At most so many." default:"50"`
	JSON       bool   `help:"One JSON object a line."`
}

// Run lists jobs, the newest first.
func (c jobsCmd) Run(ctx context.Context, e *environment) error {
	filter := store.JobFilter{
		Repository: c.Repo, Workflow: c.Workflow, Branch: c.Branch, SHA: c.Commit, RunID: c.RunID, Status: c.Status,
		Conclusion: c.Conclusion, Label: c.Label, Runner: c.Runner, LogState: c.LogState, Limit: c.Limit,
	}
	var err error
	if filter.Since, err = parseTime("--since", c.Since, time.Now()); err != nil {
		return err
	}
	if filter.Until, err = parseTime("--until", c.Until, time.Now()); err != nil {
		return err
	}
	if c.Limit < 1 {
		return usageError{fmt.Errorf("--limit=%d: want at least 1", c.Limit)}
	}
	return withStore(ctx, e, func(_ config, db *store.DB) error {
		jobs, err := db.Jobs(ctx, filter)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSONLines(e.stdout, jobs)
		}
		return printJobs(e.stdout, jobs)
	})
}

func printJSONLines[T any](w io.Writer, rows []T) error {
	out := json.NewEncoder(w)
	for _, row := range rows {
		if err := out.Encode(row); err != nil {
			return err
		}
	}
	return nil
}

func printJobs(out io.Writer, jobs []store.JobSummary) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "JOB\tREPOSITORY\tRUN\tNAME\tCONCLUSION\tCREATED\tTOOK\tLOG\tSIZE")
	for _, j := range jobs {
		run := strconv.FormatInt(j.RunID, 10)
		if j.RunAttempt != nil && *j.RunAttempt > 1 {
			run += fmt.Sprintf("#%d", *j.RunAttempt)
		}
		conclusion := j.Status
		if j.Conclusion != nil {
			conclusion = *j.Conclusion
		}
		created, took, size := "", "", ""
		if j.CreatedAt != nil {
			created = j.CreatedAt.UTC().Format("2006-01-02 15:04:05Z")
		}
		if j.StartedAt != nil && j.CompletedAt != nil && !j.CompletedAt.Before(*j.StartedAt) {
			took = j.CompletedAt.Sub(*j.StartedAt).String()
		}
		if j.RawBytes != nil {
			size = humanize.IBytes(uint64(*j.RawBytes))
		}
		fmt.Fprintf(w, "%d\t%s/%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", j.ID, plain(j.Owner), plain(j.Repository), run, plain(j.Name),
			plain(conclusion), created, took, j.LogState, size)
	}
	return w.Flush()
}

// plain makes a name from outside safe for a terminal and a table.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, s)
}

// parseTime is lookup.ParseTime of a flag.
func parseTime(flag, s string, now time.Time) (time.Time, error) {
	t, err := lookup.ParseTime(s, now)
	if err != nil {
		return t, usageError{fmt.Errorf("%s=%w", flag, err)}
	}
	return t, nil
}
