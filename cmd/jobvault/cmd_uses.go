package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

type usesCmd struct {
	Action string `arg:"" help:"Action as OWNER/REPO or OWNER/REPO/PATH, with @REF or @SHA for one version only; or a container image as docker://IMAGE, docker://IMAGE:TAG or docker://IMAGE@sha256:DIGEST."`
	Repo   string `help:"Show only uses by this repository: OWNER/NAME or NAME." placeholder:"REPO"`
	Since  string `help:"Show only uses by jobs created at or after TIME: a date (2026-03-31), a time (2026-03-31T14:00:00Z) or a duration back from now (36h, 7d)." placeholder:"TIME"`
	Event  string `help:"Show only uses in runs that this event started: push, pull_request_target, schedule, …" placeholder:"EVENT"`
	Actor  string `help:"Show only uses in runs whose event this account caused, or whose attempt it started." placeholder:"LOGIN"`
	Fork   bool   `help:"Show only uses in runs whose head commit is in a fork."`
	JSON   bool   `help:"Print one JSON object per line: a use each, and last, if it is not known of all jobs, of how many it is not (unknown)."`

	remoteFlags
}

// Help is kong's: examples and exit status.
func (usesCmd) Help() string {
	return helpText(`jobvault uses actions/checkout
jobvault uses actions/checkout@v4 --since=30d
jobvault uses actions/checkout --event=pull_request_target --fork
jobvault uses docker://ghcr.io/acme/lint:v4`, "0 if the action was used, 1 if it was not or the command failed, 2 if the command was used wrongly.")
}

// Run lists who used an action, and at which commits. It exits 1 if nobody did.
func (c usesCmd) Run(ctx context.Context, e *environment) error {
	f, err := lookup.ParseAction(c.Action)
	if err != nil {
		return usageError{fmt.Errorf("<action>=%w", err)}
	}
	if err := checkTime("--since", c.Since); err != nil {
		return err
	}
	f.Repository, f.Event, f.Actor, f.Fork = c.Repo, c.Event, c.Actor, c.Fork
	server, err := c.open(e)
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
		err = printUsesJSON(e.stdout, uses)
	} else {
		err = printUses(e.stdout, uses)
	}
	if err != nil {
		return err
	}
	if len(uses.Uses) == 0 {
		return fmt.Errorf("no archived log tells of %s", strings.Join(append([]string{plain(c.Action)}, uses.Gaps()...), "; "))
	}
	return nil
}

func printUsesJSON(out io.Writer, uses lookup.Uses) error {
	if err := printJSONLines(out, uses.Uses); err != nil || uses.Unknown == (store.UnknownUses{}) {
		return err
	}
	return printJSONLines(out, []map[string]store.UnknownUses{{"unknown": uses.Unknown}})
}

func printUses(out io.Writer, uses lookup.Uses) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ACTION\tREF\tCOMMIT\tREPOSITORY\tWORKFLOW\tJOBS\tFIRST\tLAST\tLAST JOB\tEVENT\tACTOR\t")
	for _, u := range uses.Uses {
		name := u.Action
		if u.Path != nil {
			name += "/" + *u.Path
		}
		commit := orEmpty(u.SHA) + orEmpty(u.Digest)
		if u.Version != nil {
			commit = strings.TrimSpace(commit + " " + *u.Version)
		}
		doubt := ""
		if !u.InSetup {
			doubt = "not said in a set-up"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%d\t%s\t%s\t%s\n", plain(name), plain(u.Ref), plain(commit), plain(u.Repository), plain(orEmpty(u.Workflow)), u.Jobs,
			formatDate(u.FirstUsedAt), formatDate(u.LastUsedAt), u.LastJob,
			plain(orEmpty(u.LastEvent)), plain(orEmpty(u.LastActor)), doubt)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, moved := range uses.MovedRefs() {
		fmt.Fprintln(out, plain(moved))
	}
	if len(uses.Uses) > 0 {
		for _, gap := range uses.Gaps() {
			fmt.Fprintln(out, gap)
		}
	}
	return nil
}
