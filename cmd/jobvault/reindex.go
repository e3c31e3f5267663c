package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/dustin/go-humanize"

	"github.com/jobvault/jobvault/ingest/upkeep"
)

type reindexCmd struct {
	All bool `help:"Also logs that were read already."`
}

// Run reads archived logs for what their jobs used. Stopped, it goes on where it was.
func (c reindexCmd) Run(ctx context.Context, e *environment) error {
	return withWorkbench(ctx, e, false, func(b *workbench) error {
		if err := b.hearRemovals(ctx); err != nil {
			return err
		}
		x := &upkeep.Reindexer{DB: b.db, Archive: b.archive}
		m := newMeter(e.stderr, "reindex")
		sum, err := x.Reindex(ctx, c.All, runtime.GOMAXPROCS(0),
			func(f upkeep.Fault) { m.above("job %d: %s: %s: %s", f.JobID, f.Kind, plain(f.Key), plain(f.Detail)) },
			func(sum upkeep.ReindexResult) { m.set(sum.Jobs, sum.Jobs, humanize.IBytes(uint64(sum.Bytes)), 0) })
		m.end()
		fmt.Fprintf(e.stdout, "%d logs read, %s\n", sum.Jobs, humanize.IBytes(uint64(sum.Bytes)))
		if err == nil && sum.Faults > 0 {
			err = fmt.Errorf("%d logs could not be read; see above, and jobvault verify", sum.Faults)
		}
		return err
	})
}
