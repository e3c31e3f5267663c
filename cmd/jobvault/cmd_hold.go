package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/jobvault/jobvault/store"
)

type holdCmd struct {
	Set     holdSetCmd     `cmd:"" help:"Set a legal hold: no log that it covers is removed or redacted until it is released."`
	List    holdListCmd    `cmd:"" help:"List legal holds."`
	Release holdReleaseCmd `cmd:"" help:"Release a legal hold, which stays on record."`
}

type holdSetCmd struct {
	Repo   string `help:"Hold all jobs of a repository, including future ones: OWNER/NAME or its id." xor:"what" required:"" placeholder:"REPO"`
	RunID  int64  `name:"run" help:"Hold all jobs of the workflow run with this id." xor:"what" required:"" placeholder:"ID"`
	Job    int64  `help:"Hold the job with this id." xor:"what" required:"" placeholder:"ID"`
	Reason string `help:"Why the hold is set, for the record." required:"" placeholder:"TEXT"`
	JSON   bool   `help:"Print one JSON object."`
	actorFlag
}

type holdListCmd struct {
	All  bool `help:"List released holds too."`
	JSON bool `help:"Print one JSON object per line."`
}

type holdReleaseCmd struct {
	ID int64 `arg:"" help:"Id of the hold."`
	actorFlag
}

// Help is kong's: examples and exit status.
func (holdCmd) Help() string {
	return helpText(`jobvault hold set --repo=acme/rocket --reason='case 7'
jobvault hold list
jobvault hold release 3`, usualExit)
}

// Help is kong's: examples and exit status.
func (holdSetCmd) Help() string {
	return helpText(`jobvault hold set --repo=acme/rocket --reason='case 7'
jobvault hold set --job=21483648 --reason='case 7'`, usualExit)
}

// Run sets a hold. When it is done, nothing that the hold covers is removed any more.
func (c holdSetCmd) Run(ctx context.Context, e *environment) error {
	if err := checkReason(c.Reason); err != nil {
		return err
	}
	if c.Repo != "" {
		if err := checkRepository(c.Repo); err != nil {
			return err
		}
	}
	actor, err := c.actor()
	if err != nil {
		return usageError{err}
	}
	h := store.Hold{Reason: c.Reason, CreatedBy: actor}
	return runSession(ctx, e, recordNeeds, func(s *session) error {
		what, err := c.on(ctx, s.db, &h)
		if err != nil {
			return err
		}
		set, covered, err := s.db.SetHold(ctx, h)
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("no %s is known", what)
		}
		if err != nil {
			return err
		}
		if c.JSON {
			return jsonEncoder(e.stdout).Encode(struct {
				store.Hold
				store.AlreadyRemoved
			}{set, covered})
		}
		fmt.Fprintf(e.stdout, "legal hold %d on %s\n", set.ID, plain(what))
		if covered.Removed > 0 {
			fmt.Fprintf(e.stdout, "It came too late for %d logs, which the ledger calls removed", covered.Removed)
			if covered.Unfinished > 0 {
				fmt.Fprintf(e.stdout, "; of %d of them the bucket has something still, and that stays", covered.Unfinished)
			}
			fmt.Fprintln(e.stdout, ".")
		}
		return nil
	})
}

// on sets what the hold covers, and describes it.
func (c holdSetCmd) on(ctx context.Context, db *store.DB, h *store.Hold) (string, error) {
	switch {
	case c.RunID != 0:
		h.RunID = &c.RunID
		return fmt.Sprintf("run %d", c.RunID), nil
	case c.Job != 0:
		h.JobID = &c.Job
		return fmt.Sprintf("job %d", c.Job), nil
	}
	id, err := repositoryID(ctx, db, c.Repo)
	h.RepositoryID = &id
	return "repository " + c.Repo, err
}

// Help is kong's: examples and exit status.
func (holdListCmd) Help() string {
	return helpText(`jobvault hold list
jobvault hold list --all`, usualExit)
}

// Run lists holds, and what they came too late for.
func (c holdListCmd) Run(ctx context.Context, e *environment) error {
	return runSession(ctx, e, ledgerNeeds, func(s *session) error {
		holds, err := s.db.Holds(ctx, c.All)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSONLines(e.stdout, holds)
		}
		return printHolds(e.stdout, holds)
	})
}

func printHolds(out io.Writer, holds []store.ListedHold) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "HOLD\tREPOSITORY\tON\tREASON\tBY\tSINCE\tRELEASED\tREMOVED BEFORE\tNOT FINISHED")
	for _, h := range holds {
		on := "all"
		switch {
		case h.RunID != nil:
			on = fmt.Sprintf("run %d", *h.RunID)
		case h.JobID != nil:
			on = fmt.Sprintf("job %d", *h.JobID)
		}
		released := "stands"
		if h.ReleasedAt != nil {
			released = formatTime(*h.ReleasedAt) + " by " + plain(*h.ReleasedBy)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\n", h.ID, plain(h.Repository), on, plain(h.Reason), plain(h.CreatedBy), formatTime(h.CreatedAt),
			released, h.Removed, h.Unfinished)
	}
	return w.Flush()
}

// Help is kong's: examples and exit status.
func (holdReleaseCmd) Help() string {
	return helpText("jobvault hold release 3", usualExit)
}

// Run releases a hold.
func (c holdReleaseCmd) Run(ctx context.Context, e *environment) error {
	actor, err := c.actor()
	if err != nil {
		return usageError{err}
	}
	return runSession(ctx, e, recordNeeds, func(s *session) error {
		err := s.db.ReleaseHold(ctx, c.ID, actor, time.Time{})
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("there is no hold %d that stands; jobvault hold list shows those that do", c.ID)
		}
		return err
	})
}
