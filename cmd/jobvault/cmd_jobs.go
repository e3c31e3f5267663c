package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"

	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

type jobsCmd struct {
	Repo       string `help:"List jobs of this repository: OWNER/NAME or NAME." placeholder:"REPO"`
	Workflow   string `help:"List jobs of the workflow with this name." placeholder:"NAME"`
	Branch     string `help:"List jobs with this head branch." placeholder:"BRANCH"`
	Commit     string `help:"List jobs with this head commit, or a prefix of it." placeholder:"SHA"`
	RunID      int64  `name:"run" help:"List jobs of the workflow run with this id." placeholder:"ID"`
	Status     string `help:"List jobs with this status: queued, in_progress, completed, …" placeholder:"STATUS"`
	Conclusion string `help:"List jobs with this conclusion: success, failure, cancelled, skipped, …" placeholder:"CONCLUSION"`
	Label      string `help:"List jobs that asked for this runner label." placeholder:"LABEL"`
	Runner     string `help:"List jobs that ran on the runner with this name." placeholder:"NAME"`
	Event      string `help:"List jobs of runs that this event started: push, pull_request_target, schedule, …" placeholder:"EVENT"`
	Actor      string `help:"List jobs of runs whose event this account caused, or whose attempt it started." placeholder:"LOGIN"`
	Fork       bool   `help:"List jobs of runs whose head commit is in a fork."`
	LogState   string `help:"List jobs whose log is in this state: pending, archived, none, expired, missing, denied or removed." enum:",pending,archived,none,expired,missing,denied,removed" default:"" placeholder:"STATE"`
	Since      string `help:"List jobs created at or after TIME: a date (2026-03-31), a time (2026-03-31T14:00:00Z) or a duration back from now (36h, 7d)." placeholder:"TIME"`
	Until      string `help:"List jobs created before TIME, given as for --since." placeholder:"TIME"`
	Limit      int    `help:"List at most NUM jobs." default:"50" placeholder:"NUM"`
	JSON       bool   `help:"Print one JSON object per line."`

	remoteFlags
}

// Help is kong's: examples and exit status.
func (jobsCmd) Help() string {
	return helpText(`jobvault jobs --repo=acme/rocket --conclusion=failure --since=7d
jobvault jobs --event=pull_request_target --fork
jobvault jobs --log-state=missing --json`, usualExit)
}

// Run lists jobs, the newest first.
func (c jobsCmd) Run(ctx context.Context, e *environment) error {
	filter := store.JobFilter{
		Repository: c.Repo, Workflow: c.Workflow, Branch: c.Branch, SHA: c.Commit, RunID: c.RunID, Status: c.Status,
		Conclusion: c.Conclusion, Label: c.Label, Runner: c.Runner, LogState: c.LogState, Limit: c.Limit,
		Event: c.Event, Actor: c.Actor, Fork: c.Fork,
	}
	if err := errors.Join(checkTime("--since", c.Since), checkTime("--until", c.Until)); err != nil {
		return err
	}
	if c.Limit < 1 {
		return usageError{fmt.Errorf("--limit=%d: want at least 1", c.Limit)}
	}
	server, err := c.open(e)
	if err != nil {
		return err
	}
	if server != nil {
		jobs, unknown, err := server.jobs(ctx, c.query(), c.Limit)
		if err == nil {
			err = c.checkStarts(jobs)
		}
		if err != nil {
			return err
		}
		if unknown == nil && (c.Event != "" || c.Actor != "" || c.Fork) {
			fmt.Fprintf(e.stderr, "jobvault: %s: this jobvault is too old to tell how many jobs it leaves out as it does not know what started them\n", server.base)
		}
		return c.print(ctx, e, jobs, unknown)
	}
	return runSession(ctx, e, readNeeds, func(s *session) error {
		var err error
		if filter.Since, err = timeOf(ctx, s.db, "--since", c.Since); err != nil {
			return err
		}
		if filter.Until, err = timeOf(ctx, s.db, "--until", c.Until); err != nil {
			return err
		}
		jobs, err := s.db.Jobs(ctx, filter)
		if err != nil {
			return err
		}
		unknown, err := s.db.UnknownStarts(ctx, filter)
		if err != nil {
			return err
		}
		return c.print(ctx, e, jobs, unknown)
	})
}

// query is the filter for a jobvault elsewhere, by whose time it is how long ago.
func (c jobsCmd) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{
		"repository": c.Repo, "workflow": c.Workflow, "branch": c.Branch, "commit": c.Commit, "status": c.Status, "conclusion": c.Conclusion,
		"label": c.Label, "runner": c.Runner, "log": c.LogState, "since": c.Since, "until": c.Until,
		"event": c.Event, "actor": c.Actor,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if c.Fork {
		q.Set("fork", "1")
	}
	if c.RunID != 0 {
		q.Set("run", strconv.FormatInt(c.RunID, 10))
	}
	return q
}

// print lists the jobs, and says how many are left out as it is not known what started them.
func (c jobsCmd) print(ctx context.Context, e *environment, jobs []store.JobSummary, unknown *store.UnknownStarts) error {
	if left := lookup.SayUnknownStarts(unknown); left != "" {
		fmt.Fprintln(e.stderr, "jobvault:", left)
	}
	if c.JSON {
		return printJSONLines(e.stdout, jobs)
	}
	return paged(ctx, e, func(w io.Writer) error { return printJobs(w, jobs, isTerminal(e.stdout)) })
}

func printJobs(out io.Writer, jobs []store.JobSummary, terminal bool) error {
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "JOB\tREPOSITORY\tRUN\tNAME\tCONCLUSION\tCREATED\tTOOK\tLOG\tSIZE\tEVENT\tACTOR")
	for _, j := range jobs {
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
		fmt.Fprintf(w, "%d\t%s/%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", j.ID, plain(j.Owner), plain(j.Repository), runOf(j), plain(j.Name),
			plain(conclusion), created, took, plain(j.LogState), size, plain(orEmpty(j.Event)), plain(actorOf(j.RunStart)))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if !terminal {
		_, err := out.Write(table.Bytes())
		return err
	}
	for i, line := range strings.SplitAfter(table.String(), "\n") {
		if i > 0 && i <= len(jobs) {
			line = colourRow(line, jobs[i-1])
		}
		if _, err := io.WriteString(out, line); err != nil {
			return err
		}
	}
	return nil
}

// actorOf is who caused a run's event, and who started the attempt where that is somebody
// else.
func actorOf(s store.RunStart) string {
	if by := s.RunBy(); by != "" {
		return orEmpty(s.Actor) + ", run by " + by
	}
	return orEmpty(s.Actor)
}

// runOf is a job's run, with the attempt if it is not the first, and the attempt that a
// job which did not run again ran in.
func runOf(j store.JobSummary) string {
	run := strconv.FormatInt(j.RunID, 10)
	if j.RunAttempt != nil && *j.RunAttempt > 1 {
		run += fmt.Sprintf("#%d", *j.RunAttempt)
	}
	if j.CarriedOverFromAttempt != nil {
		run += fmt.Sprintf(" carried over from #%d", *j.CarriedOverFromAttempt)
	}
	return run
}

// colourRow makes failures red, and faint what never ran.
func colourRow(line string, j store.JobSummary) string {
	if j.Conclusion == nil {
		return line
	}
	switch *j.Conclusion {
	case "failure", "timed_out":
		return "\x1b[31m" + strings.TrimSuffix(line, "\n") + "\x1b[0m\n"
	case "skipped", "cancelled":
		return "\x1b[2m" + strings.TrimSuffix(line, "\n") + "\x1b[0m\n"
	}
	return line
}
