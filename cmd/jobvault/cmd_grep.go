package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/jobvault/jobvault/lookup/search"
	"github.com/jobvault/jobvault/store"
)

type grepCmd struct {
	Pattern    string `arg:"" help:"Regular expression in RE2 syntax, matched against each line as it is seen: without its timestamp, without escape sequences, and in its last state where it was written over."`
	IgnoreCase bool   `short:"i" help:"Ignore case distinctions in the pattern and in logs."`
	Fixed      bool   `short:"F" name:"fixed-strings" help:"Interpret the pattern as a fixed string, not as a regular expression."`
	Extended   bool   `short:"E" name:"extended-regexp" help:"Ignored, for compatibility with grep: patterns are always RE2."`
	Inverse    bool   `short:"v" name:"invert-match" help:"Select lines that do not match."`
	Raw        bool   `help:"Match the bytes of lines, with escape sequences and all that was written over."`
	Count      bool   `short:"c" help:"Print only a count of selected lines per log." xor:"what"`
	List       bool   `short:"l" name:"files-with-matches" help:"Print only the repository and the job id of logs with selected lines." xor:"what"`
	MaxCount   int64  `short:"m" help:"Stop reading a log after NUM selected lines." placeholder:"NUM"`
	After      int64  `short:"A" name:"after-context" help:"Print NUM lines of trailing context." placeholder:"NUM"`
	Before     int64  `short:"B" name:"before-context" help:"Print NUM lines of leading context." placeholder:"NUM"`
	Context    int64  `short:"C" help:"Print NUM lines of leading and trailing context." placeholder:"NUM"`

	Repo       string `group:"jobs" help:"Search jobs of this repository: OWNER/NAME, NAME, or OWNER/ for all of an owner's." placeholder:"REPO"`
	Workflow   string `group:"jobs" help:"Search jobs of the workflow with this name." placeholder:"NAME"`
	Branch     string `group:"jobs" help:"Search jobs with this head branch." placeholder:"BRANCH"`
	Commit     string `group:"jobs" help:"Search jobs with this head commit, or a prefix of it." placeholder:"SHA"`
	RunID      int64  `group:"jobs" name:"run" help:"Search jobs of the workflow run with this id." placeholder:"ID"`
	Conclusion string `group:"jobs" help:"Search jobs with this conclusion: success, failure, cancelled, …" placeholder:"CONCLUSION"`
	Label      string `group:"jobs" help:"Search jobs that asked for this runner label." placeholder:"LABEL"`
	Runner     string `group:"jobs" help:"Search jobs that ran on the runner with this name." placeholder:"NAME"`
	Event      string `group:"jobs" help:"Search jobs of runs that this event started: push, pull_request_target, schedule, …" placeholder:"EVENT"`
	Actor      string `group:"jobs" help:"Search jobs of runs whose event this account caused, or whose attempt it started." placeholder:"LOGIN"`
	Fork       bool   `group:"jobs" help:"Search jobs of runs whose head commit is in a fork."`
	Since      string `group:"jobs" help:"Search jobs created at or after TIME: a date (2026-03-31), a time (2026-03-31T14:00:00Z) or a duration back from now (36h, 7d)." placeholder:"TIME"`
	Until      string `group:"jobs" help:"Search jobs created before TIME, given as for --since." placeholder:"TIME"`
	Step       string `group:"jobs" help:"Search lines of the steps with this number, or with this text in their name, also lines that they share with other steps." placeholder:"STEP"`
	NoFilters  bool   `hidden:"" help:"Read every log whole."`
	JSON       bool   `help:"Print one JSON object per line."`

	remoteFlags
}

// Exit codes of grep, as of its namesake.
const (
	grepNothing = 1
	grepFailed  = 2
)

// Help is kong's: examples and exit status.
func (grepCmd) Help() string {
	return helpText(`jobvault grep -F memdump.py --since=90d
jobvault grep -i -C 2 'error: .*timed? out' --repo=acme/rocket --step='make test'
jobvault grep -c . --label=self-hosted --json`, "0 if a line is selected, 1 if none is, 2 if an error occurred, as with grep.")
}

// Run prints lines of archived logs, those of the newest jobs first, as they are found.
func (c grepCmd) Run(ctx context.Context, e *environment) error {
	err := c.run(ctx, e)
	if err == nil || errors.As(err, &exitError{}) {
		return err
	}
	return exitError{grepFailed, err}
}

func (c grepCmd) run(ctx context.Context, e *environment) error {
	if err := c.checkNumbers(e.given); err != nil {
		return err
	}
	q, err := c.query()
	if err != nil {
		return err
	}
	query, err := search.ParseQuery(q, time.Now())
	if err != nil {
		return usageError{err}
	}
	server, err := c.open(e)
	if err != nil {
		return err
	}
	// The heap is small and short-lived: collecting it often is not worth the time.
	debug.SetGCPercent(grepGCPercent)
	p := newFoundPrinter(c, e, query.Pattern)
	var sum search.Stats
	if server != nil {
		sum, err = server.search(ctx, q, p)
	} else {
		err = runSession(ctx, e, readNeeds, func(s *session) (err error) {
			sum, err = c.searchHere(ctx, s, q, p)
			return err
		})
	}
	if err := errors.Join(err, p.end(sum)); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted: %d logs were searched", sum.Logs)
		}
		return err
	}
	switch {
	case sum.Faults > 0:
		return fmt.Errorf("%d logs could not be read; jobvault verify tells more", sum.Faults)
	case sum.Lines == 0:
		return exitError{grepNothing, nil}
	}
	return nil
}

// searchHere searches the database and the bucket of the settings. Durations count back
// from Postgres' time.
func (c grepCmd) searchHere(ctx context.Context, s *session, q url.Values, p *foundPrinter) (search.Stats, error) {
	now, err := s.db.Time(ctx)
	if err != nil {
		return search.Stats{}, err
	}
	query, err := search.ParseQuery(q, now)
	if err != nil {
		return search.Stats{}, err
	}
	query.Unfiltered, query.Parallel = c.NoFilters, grepParallel
	if p.progress != nil {
		counting, stop := context.WithCancel(ctx)
		defer stop()
		go func() { p.total.Store(countOf(counting, s.db, query.Jobs)) }()
	}
	return search.Run(ctx, s.logs(), query, p, func(jobIDs []int64) error { return s.db.NoteReads(ctx, subject(), jobIDs, search.AuditEntry) })
}

// grepGCPercent is GOGC while a search runs.
const grepGCPercent = 400

// grepParallel is how many logs are read at a time: over a network, the more the
// better; nearer, it does no harm.
const grepParallel = 32

// maxContext is how many lines of context the API gives at most.
const maxContext = 1000

// checkNumbers names the flag that was given, where the API would name its parameter.
func (c grepCmd) checkNumbers(given givenFlags) error {
	if c.MaxCount < 0 {
		return usageError{errors.New(given.number("max-count", c.MaxCount) + ": want a number of lines")}
	}
	for _, f := range []struct {
		name  string
		lines int64
	}{{"after-context", c.After}, {"before-context", c.Before}, {"context", c.Context}} {
		if f.lines < 0 || f.lines > maxContext {
			return usageError{fmt.Errorf("%s: want a number of lines, at most %d", given.number(f.name, f.lines), maxContext)}
		}
	}
	if c.RunID < 0 {
		return usageError{errors.New(given.number("run", c.RunID) + ": want the id of a workflow run")}
	}
	return nil
}

// query is what is searched for, as the API takes it.
func (c grepCmd) query() (url.Values, error) {
	if err := errors.Join(checkTime("--since", c.Since), checkTime("--until", c.Until)); err != nil {
		return nil, err
	}
	if c.List {
		c.Count, c.MaxCount = true, 1
	}
	q := url.Values{"pattern": {c.Pattern}, "limit": {"all"}}
	for name, value := range map[string]string{
		"repository": c.Repo, "workflow": c.Workflow, "branch": c.Branch, "commit": c.Commit, "conclusion": c.Conclusion,
		"label": c.Label, "runner": c.Runner, "event": c.Event, "actor": c.Actor, "since": c.Since, "until": c.Until, "step": c.Step,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, on := range map[string]bool{"fixed": c.Fixed, "ignore_case": c.IgnoreCase, "inverse": c.Inverse, "raw": c.Raw, "count": c.Count, "fork": c.Fork} {
		if on {
			q.Set(name, "1")
		}
	}
	before, after := max(c.Before, c.Context), max(c.After, c.Context)
	for name, n := range map[string]int64{
		"run": c.RunID, "max_count": c.MaxCount, "before_context": before, "after_context": after,
		// The same by their old names, for a server that does not know the new ones.
		"most": c.MaxCount, "lines_before": before, "lines_after": after,
	} {
		if n != 0 {
			q.Set(name, strconv.FormatInt(n, 10))
		}
	}
	return q, nil
}

// countOf is how many jobs a search looks at; 0: that is not known.
func countOf(ctx context.Context, db *store.DB, f store.JobFilter) int64 {
	n, err := db.CountJobs(ctx, f)
	if err != nil {
		return 0 // only the bar is the worse for it
	}
	return n
}
