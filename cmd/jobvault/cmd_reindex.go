package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/dustin/go-humanize"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest/upkeep"
)

type reindexCmd struct {
	All bool `help:"Read every archived log, also those that are indexed already."`
}

// Help is kong's: examples and exit status.
func (reindexCmd) Help() string {
	return helpText(`jobvault reindex
jobvault reindex --all`, "0 if it is done, 1 if it failed or a log could not be read, 2 if it was used wrongly.")
}

// Run reads archived logs for the lines of their steps and for what their jobs used.
// Stopped, it goes on where it was.
func (c reindexCmd) Run(ctx context.Context, e *environment) error {
	return runSession(ctx, e, maintenanceNeeds.withRemovals(), func(s *session) error {
		p := newMovingProgress(e.stderr, "reindex")
		sum, err := s.reindexer().Reindex(ctx, c.All, runtime.GOMAXPROCS(0),
			func(f archive.Fault) {
				p.printLine("job %d: %s: %s: %s", f.JobID, f.Kind, plain(f.Key), plain(f.Detail))
			},
			func(sum upkeep.ReindexResult) { p.set(sum.Jobs, sum.Jobs, humanize.IBytes(uint64(sum.Bytes)), 0) })
		p.end()
		fmt.Fprintf(e.stdout, "%d logs read, %s\n", sum.Jobs, humanize.IBytes(uint64(sum.Bytes)))
		if err == nil && sum.Faults > 0 {
			err = fmt.Errorf("%d logs could not be read; see above, and jobvault verify", sum.Faults)
		}
		return err
	})
}
