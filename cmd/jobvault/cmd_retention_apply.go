package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/store"
)

type retentionApplyCmd struct {
	Limit int  `help:"Remove at most NUM logs; 0: all." default:"0" placeholder:"NUM"`
	JSON  bool `help:"Print one JSON object per line: each log, then each renamed repository, then the summary."`
	actorFlag
}

// Help is kong's: examples and exit status.
func (retentionApplyCmd) Help() string {
	return helpText(`jobvault retention apply
jobvault retention apply --limit=100 --json`, "0 if it is done, 1 if it failed, a removal is not finished or a repository was renamed, 2 if it was used wrongly.")
}

// Run removes logs. Stopped, it goes on where it was. It fails if a log could not be
// removed, if the bucket has something still that no legal hold of ours keeps, or if a
// repository was renamed since the last plan; that keeps none of the others.
func (c retentionApplyCmd) Run(ctx context.Context, e *environment) error {
	if err := checkLimit(c.Limit); err != nil {
		return err
	}
	actor, err := c.actor()
	if err != nil {
		return usageError{err}
	}
	return runSession(ctx, e, maintenanceNeeds.withRemovals(), func(s *session) error {
		var renamed renamedRepositories
		m := s.remover()
		m.Renamed = renamed.add
		plan, err := m.Plan(ctx, c.Limit, func(store.ExpiringLog) error { return nil })
		if err != nil {
			return err
		}
		progress := newMovingProgress(e.stderr, "retention")
		out := jsonEncoder(e.stdout)
		var left unfinishedList
		var printed error
		sum, err := m.Apply(ctx, actor, c.Limit, left.add,
			func(g upkeep.RemovedLog, sum upkeep.ApplyResult) {
				if c.JSON {
					printed = errors.Join(printed, out.Encode(g))
				}
				progress.set(int(sum.Jobs), int(plan.Jobs), formatBytes(sum.StoredBytes), 0)
			})
		progress.end()
		printed = errors.Join(printed, renamed.print(e.stdout, c.JSON))
		if c.JSON {
			printed = errors.Join(printed, out.Encode(sum))
		} else {
			fmt.Fprintf(e.stdout, "%d logs removed, %s raw, %s stored; %d removals of before finished; legal holds kept %d\n",
				sum.Jobs, formatBytes(sum.RawBytes), formatBytes(sum.StoredBytes), sum.Finished, sum.Held)
		}
		if err == nil && sum.Renamed > 0 {
			err = errRenamed
		}
		return errors.Join(left.print(e.stderr), err, printed)
	})
}

// maxListedUnfinished is how many unfinished removals are printed one by one.
const maxListedUnfinished = 1000

// unfinishedList is what a command reports at its end.
type unfinishedList struct {
	first []upkeep.Unfinished
	all   int
	bad   int // those that no legal hold of ours keeps
}

func (l *unfinishedList) add(u upkeep.Unfinished) {
	if l.all++; len(l.first) < maxListedUnfinished {
		l.first = append(l.first, u)
	}
	if u.Hold == nil {
		l.bad++
	}
}

// print prints what is unfinished. It fails if it is so for another reason than a legal
// hold of ours.
func (l *unfinishedList) print(w io.Writer) error {
	for _, u := range l.first {
		fmt.Fprintln(w, "jobvault:", unfinishedText(u))
	}
	if more := l.all - len(l.first); more > 0 {
		fmt.Fprintf(w, "jobvault: and %d more\n", more)
	}
	if l.bad > 0 {
		return fmt.Errorf("%d removals could not be finished; see above. A serving jobvault tries them again by itself, and so does the next retention apply", l.bad)
	}
	return nil
}

// unfinishedText says of a removal that the bucket has something of it still.
func unfinishedText(u upkeep.Unfinished) string {
	text := fmt.Sprintf("job %d: its removal is not finished", u.JobID)
	if u.Undecided {
		text = fmt.Sprintf("job %d: its log is not removed", u.JobID)
	}
	switch {
	case u.Error != "":
		text += ": " + plain(u.Error)
	case u.Hold != nil:
		text += fmt.Sprintf(": legal hold %d keeps what is there", *u.Hold)
	}
	return text
}
