package main

import (
	"context"
	"fmt"
	"io"

	"github.com/dustin/go-humanize"

	"github.com/jobvault/jobvault/ingest/upkeep"
)

// rows compares the database with the bucket. It fails if a row says something else.
func (c verifyCmd) rows(ctx context.Context, e *environment, v *upkeep.Verifier, o upkeep.VerifyOptions, m *meter) error {
	sum, err := v.VerifyDatabase(ctx, o, func(f upkeep.Fault) { c.tell(e.stdout, m, f) },
		func(done, total int) { m.set(done, total, "", 0) })
	m.end()
	if serr := c.sumRows(e.stdout, sum); err == nil {
		err = serr
	}
	if err == nil && sum.Faults > 0 {
		err = fmt.Errorf("%d faults; jobvault reindex --all writes what logs tell again, and jobvault rebuild everything, into an empty database", sum.Faults)
	}
	return err
}

func (c verifyCmd) sumRows(out io.Writer, sum upkeep.VerifyDatabaseResult) error {
	if c.JSON {
		return jsonEncoder(out).Encode(sum)
	}
	_, err := fmt.Fprintf(out, "%d jobs, %d of them without job.json, %d logs (%s read), %d of them to be reindexed, %d lines of manifests: %d faults\n",
		sum.Jobs, sum.Untold, sum.Logs, humanize.IBytes(uint64(max(sum.RawBytes, 0))), sum.Unread, sum.Listed, sum.Faults)
	return err
}
