package main

import (
	"context"
	"fmt"
	"io"

	"github.com/dustin/go-humanize"

	"github.com/jobvault/jobvault/ingest/upkeep"
)

// verifyDatabase compares the database with the bucket. It fails if a row says something else.
func (c verifyCmd) verifyDatabase(ctx context.Context, e *environment, v *upkeep.Verifier, o upkeep.VerifyOptions, p *movingProgress) error {
	sum, err := v.VerifyDatabase(ctx, o, func(f upkeep.Fault) { c.printFault(e.stdout, p, f) },
		func(done, total int) { p.set(done, total, "", 0) })
	p.end()
	if serr := c.printDatabaseSummary(e.stdout, sum); err == nil {
		err = serr
	}
	if err == nil && sum.Faults > 0 {
		err = fmt.Errorf("%d faults; jobvault reindex --all writes what logs tell again, and jobvault rebuild everything, into an empty database", sum.Faults)
	}
	return err
}

func (c verifyCmd) printDatabaseSummary(out io.Writer, sum upkeep.VerifyDatabaseResult) error {
	if c.JSON {
		return jsonEncoder(out).Encode(sum)
	}
	_, err := fmt.Fprintf(out, "%d jobs, %d of them without job.json, %d logs (%s read), %d of them to be reindexed, %d lines of manifests: %d faults\n",
		sum.Jobs, sum.Untold, sum.Logs, humanize.IBytes(uint64(max(sum.RawBytes, 0))), sum.Unread, sum.Listed, sum.Faults)
	return err
}
