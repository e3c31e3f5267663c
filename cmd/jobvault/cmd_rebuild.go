package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"

	"github.com/dustin/go-humanize"

	"github.com/jobvault/jobvault/archive"
)

type rebuildCmd struct{}

// Help is kong's: examples and exit status.
func (rebuildCmd) Help() string {
	return helpText("jobvault rebuild", "0 if it is done, 1 if it failed or something in the bucket is wrong, 2 if it was used wrongly.")
}

// Run fills the database from the bucket alone. It may be repeated: what is
// settled already stays as it is.
func (rebuildCmd) Run(ctx context.Context, e *environment) error {
	return runSession(ctx, e, maintenanceNeeds.mayBegin(), func(s *session) error {
		p := newMovingProgress(e.stderr, "rebuild")
		sum, err := s.rebuilder().Rebuild(ctx, 2*runtime.GOMAXPROCS(0),
			func(f archive.Fault) {
				p.printLine("job %d: %s: %s: %s", f.JobID, f.Kind, plain(f.Key), plain(f.Detail))
			},
			func(jobs int) { p.set(jobs, jobs, "", 0) })
		p.end()
		fmt.Fprintf(e.stdout, "%d jobs in the bucket, %d of them settled before; %s of logs read\n",
			sum.Jobs, sum.Before, humanize.IBytes(uint64(max(sum.Bytes, 0))))
		if sum.Manifests > 0 {
			fmt.Fprintf(e.stdout, "%d manifests\n", sum.Manifests)
		}
		if sum.Records > 0 || sum.Unlogged > 0 {
			fmt.Fprintf(e.stdout, "%d records of removals", sum.Records)
			if sum.Removals > 0 {
				fmt.Fprintf(e.stdout, ", with %d jobs whose removal or redaction the database did not know", sum.Removals)
			}
			if sum.Unlogged > 0 {
				fmt.Fprint(e.stdout, "; not all removals are in one: a serving jobvault, or retention apply, writes them down")
			}
			fmt.Fprintln(e.stdout)
		}
		for _, state := range slices.Sorted(maps.Keys(sum.States)) {
			fmt.Fprintf(e.stdout, "%d %s\n", sum.States[state], plain(state))
		}
		unlisted, cerr := s.db.UnlistedRuns(ctx)
		if unlisted > 0 {
			fmt.Fprintf(e.stdout, "who and what started %d runs is not in the bucket: GitHub may list them again, for which there is jobvault backfill\n", unlisted)
		}
		err = errors.Join(err, cerr)
		if err == nil && sum.Faults > 0 {
			err = fmt.Errorf("%d faults: something of the bucket was of no use, or not as it should be; see above", sum.Faults)
		}
		return err
	})
}
