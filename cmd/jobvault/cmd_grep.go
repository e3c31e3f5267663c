package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

type grepCmd struct {
	Pattern    string `arg:"" help:"Expression in the syntax of RE2. It is held against each line without its timestamp."`
	IgnoreCase bool   `short:"i" help:"Upper and lower case are the same."`
	Fixed      bool   `short:"F" name:"fixed-strings" help:"The pattern is a text, not an expression."`
	Extended   bool   `short:"E" name:"extended-regexp" help:"For the sake of habit: RE2 is much like that anyway."`
	Inverse    bool   `short:"v" name:"invert-match" help:"Lines that do not match."`
	Count      bool   `short:"c" help:"Only how many lines of each log." xor:"what"`
	List       bool   `short:"l" name:"files-with-matches" help:"Only which logs." xor:"what"`
	MaxCount   int64  `short:"m" help:"At most so many lines of each log."`
	After      int64  `short:"A" name:"after-context" help:"So many lines after each one too."`
	Before     int64  `short:"B" name:"before-context" help:"So many lines before each one too."`
	Context    int64  `short:"C" help:"So many lines before and after."`

	Repo       string `group:"jobs" help:"Repository: OWNER/NAME, NAME or OWNER/."`
	Workflow   string `group:"jobs" help:"Name of the workflow."`
	Branch     string `group:"jobs" help:"Head branch."`
	Commit     string `group:"jobs" help:"Head commit, or its beginning."`
	RunID      int64  `group:"jobs" name:"run" help:"Id of the workflow run."`
	Conclusion string `group:"jobs" help:"success, failure, cancelled, …"`
	Label      string `group:"jobs" help:"Runner label that the job asked for."`
	Runner     string `group:"jobs" help:"Name of the runner."`
	Since      string `group:"jobs" help:"Created at or after: a date, a time, or how long ago, such as 36h or 7d."`
	Until      string `group:"jobs" help:"Created before: as --since."`
	Step       string `group:"jobs" help:"Only lines of steps with this number, or with this in their names; by estimate."`
	NoFilters  bool   `hidden:"" help:"Read every log whole."`
	JSON       bool   `help:"One JSON object a line."`

	remoteFlags
}

// Exit codes of grep, as of its namesake.
const (
	grepNothing = 1
	grepFailed  = 2
)

// Run prints lines of archived logs, those of the newest jobs first, as they are found.
func (c grepCmd) Run(ctx context.Context, e *environment) error {
	err := c.run(ctx, e)
	if err == nil || errors.As(err, &exitError{}) {
		return err
	}
	return exitError{grepFailed, err}
}

func (c grepCmd) run(ctx context.Context, e *environment) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	search, err := lookup.ParseSearch(q, time.Now())
	if err != nil {
		return usageError{err}
	}
	server, err := c.open()
	if err != nil {
		return err
	}
	// What is held is little and changes fast: it is not worth being looked through often.
	debug.SetGCPercent(grepGCPercent)
	p := newFoundPrinter(c, e, search.Pattern)
	var sum lookup.Searched
	if server != nil {
		sum, err = server.search(ctx, q, p)
	} else {
		err = runSession(ctx, e, readNeeds, func(s *session) error {
			now, err := s.db.Time(ctx)
			if err != nil {
				return err
			}
			if search, err = lookup.ParseSearch(q, now); err != nil {
				return err
			}
			search.Unfiltered, search.Parallel = c.NoFilters, grepParallel
			if p.progress != nil {
				counting, stop := context.WithCancel(ctx)
				defer stop()
				go func() { p.total.Store(countOf(counting, s.db, search.Jobs)) }()
			}
			sum, err = s.logs().Search(ctx, search, p, func(jobIDs []int64) error { return s.db.NoteReads(ctx, subject(), jobIDs, lookup.FoundBySearch) })
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

// grepGCPercent is how much garbage there may be, in percent of what is not.
const grepGCPercent = 400

// grepParallel is how many logs are read at a time: over a network, the more the
// better; nearer, it does no harm.
const grepParallel = 32

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
		"label": c.Label, "runner": c.Runner, "since": c.Since, "until": c.Until, "step": c.Step,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, on := range map[string]bool{"fixed": c.Fixed, "ignore_case": c.IgnoreCase, "inverse": c.Inverse, "count": c.Count} {
		if on {
			q.Set(name, "1")
		}
	}
	for name, n := range map[string]int64{
		"run": c.RunID, "most": c.MaxCount, "lines_before": max(c.Before, c.Context), "lines_after": max(c.After, c.Context),
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
