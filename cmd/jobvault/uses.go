package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jobvault/jobvault/store"
)

type usesCmd struct {
	Action string `arg:"" help:"OWNER/REPO, with a path in it if need be; @REF or @SHA: only under that."`
	Repo   string `help:"Used by this repository: OWNER/NAME or NAME."`
	Since  string `help:"By jobs created at or after: a date, a time, or how long ago, such as 36h or 7d."`
	JSON   bool   `help:"One JSON object a line."`
}

// Run tells who used an action, and at which commits. It exits 1 if nobody did.
func (c usesCmd) Run(ctx context.Context, e *environment) error {
	name, ref, _ := strings.Cut(c.Action, "@")
	if parts := strings.Split(name, "/"); len(parts) < 2 || slices.Contains(parts, "") {
		return usageError{fmt.Errorf("%q: want OWNER/REPO, OWNER/REPO@REF or OWNER/REPO/PATH", c.Action)}
	}
	since, err := parseTime("--since", c.Since, time.Now())
	if err != nil {
		return err
	}
	return withStore(ctx, e, func(_ config, db *store.DB) error {
		uses, err := db.ActionUses(ctx, store.ActionFilter{Action: name, Ref: ref, Repository: c.Repo, Since: since})
		if err != nil {
			return err
		}
		if err := noteUnread(ctx, db, e.stderr); err != nil {
			return err
		}
		if c.JSON {
			err = printJSONLines(e.stdout, uses)
		} else {
			err = printUses(e.stdout, uses)
		}
		if err == nil && len(uses) == 0 {
			err = fmt.Errorf("no archived log tells of %s", plain(c.Action))
		}
		return err
	})
}

// noteUnread says so if the answer may not be whole.
func noteUnread(ctx context.Context, db *store.DB, w io.Writer) error {
	unread, err := db.UnreadLogs(ctx, 0, false, 1)
	if err == nil && len(unread) > 0 {
		fmt.Fprintln(w, "jobvault: not all archived logs were read for what they used: run jobvault reindex")
	}
	return err
}

func printUses(out io.Writer, uses []store.ActionUse) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ACTION\tREF\tCOMMIT\tREPOSITORY\tWORKFLOW\tJOBS\tFIRST\tLAST\tLAST JOB\t")
	commits := make(map[string]map[string]bool) // of each ref
	for _, u := range uses {
		name := u.Action
		if u.Path != nil {
			name += "/" + *u.Path
		}
		commit := text(u.SHA)
		at := name + "@" + u.Ref
		if commit != "" {
			if commits[at] == nil {
				commits[at] = make(map[string]bool)
			}
			commits[at][commit] = true
		}
		if u.Version != nil {
			commit = strings.TrimSpace(commit + " " + *u.Version)
		}
		doubt := ""
		if !u.InSetup {
			doubt = "said within a step"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%d\t%s\n", plain(name), plain(u.Ref), plain(commit), plain(u.Repository), plain(text(u.Workflow)), u.Jobs,
			day(u.FirstUsedAt), day(u.LastUsedAt), u.LastJob, doubt)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, at := range slices.Sorted(maps.Keys(commits)) {
		if n := len(commits[at]); n > 1 {
			fmt.Fprintf(out, "%s was %d different commits\n", plain(at), n)
		}
	}
	return nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func day(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format("2006-01-02")
}
