package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jobvault/jobvault/lookup"
)

type usesCmd struct {
	Action string `arg:"" help:"OWNER/REPO, with a path in it if need be; @REF or @SHA: only under that."`
	Repo   string `help:"Used by this repository: OWNER/NAME or NAME."`
	Since  string `help:"By jobs created at or after: a date, a time, or how long ago, such as 36h or 7d."`
	JSON   bool   `help:"One JSON object a line."`

	remoteFlags
}

// Run tells who used an action, and at which commits. It exits 1 if nobody did.
func (c usesCmd) Run(ctx context.Context, e *environment) error {
	f, err := lookup.ParseAction(c.Action)
	if err != nil {
		return usageError{err}
	}
	if err := checkTime("--since", c.Since); err != nil {
		return err
	}
	f.Repository = c.Repo
	server, err := c.open()
	if err != nil {
		return err
	}
	if server != nil {
		uses, err := server.uses(ctx, c)
		if err != nil {
			return err
		}
		return c.print(e, uses)
	}
	return runSession(ctx, e, readNeeds, func(s *session) error {
		var err error
		if f.Since, err = timeOf(ctx, s.db, "--since", c.Since); err != nil {
			return err
		}
		uses, err := lookup.FindUses(ctx, s.db, f)
		if err != nil {
			return err
		}
		return c.print(e, uses)
	})
}

func (c usesCmd) print(e *environment, uses lookup.Uses) error {
	if !uses.Whole {
		fmt.Fprintln(e.stderr, "jobvault: not all archived logs were read for what they used: run jobvault reindex")
	}
	var err error
	if c.JSON {
		err = printJSONLines(e.stdout, uses.Uses)
	} else {
		err = printUses(e.stdout, uses)
	}
	if err != nil {
		return err
	}
	if len(uses.Uses) == 0 {
		return fmt.Errorf("no archived log tells of %s", plain(c.Action))
	}
	return nil
}

func printUses(out io.Writer, uses lookup.Uses) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ACTION\tREF\tCOMMIT\tREPOSITORY\tWORKFLOW\tJOBS\tFIRST\tLAST\tLAST JOB\t")
	for _, u := range uses.Uses {
		name := u.Action
		if u.Path != nil {
			name += "/" + *u.Path
		}
		commit := orEmpty(u.SHA)
		if u.Version != nil {
			commit = strings.TrimSpace(commit + " " + *u.Version)
		}
		doubt := ""
		if !u.InSetup {
			doubt = "not said in a set-up"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%d\t%s\n", plain(name), plain(u.Ref), plain(commit), plain(u.Repository), plain(orEmpty(u.Workflow)), u.Jobs,
			formatDate(u.FirstUsedAt), formatDate(u.LastUsedAt), u.LastJob, doubt)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, at := range uses.Moved {
		fmt.Fprintf(out, "%s was more than one commit\n", plain(at))
	}
	return nil
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func formatDate(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format("2006-01-02")
}
