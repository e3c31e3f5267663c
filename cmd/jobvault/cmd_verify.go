package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dustin/go-humanize"

	"github.com/jobvault/jobvault/ingest/upkeep"
)

type verifyCmd struct {
	Repo   string `help:"Check only this repository: OWNER/NAME or its id." placeholder:"REPO"`
	Since  string `help:"Check only jobs created at or after TIME: a date (2026-03-31), a time (2026-03-31T14:00:00Z) or a duration back from now (36h, 7d). Objects that belong to no job are not searched for then." placeholder:"TIME"`
	Sample string `help:"Check only this share of the jobs, picked at random." placeholder:"PERCENT"`
	Deep   bool   `help:"Read every log and job.json, and check digests, lines and frames; without it, only sizes."`
	Repair bool   `help:"Fetch missing or damaged objects again from GitHub, if GitHub still has them."`
	JSON   bool   `help:"Print one JSON object per line: each fault, then the summary."`

	Database bool `help:"Compare the rows of jobs, steps, labels, annotations, actions, removals and the ledger with the bucket. Reads every log and repairs nothing; docs/manifests.md says how to repair."`

	Manifests bool   `help:"Check the daily manifests and the objects that they list, without the database."`
	From      string `help:"With --manifests, check a copy of the bucket in this directory." placeholder:"DIR"`
	Head      string `help:"With --manifests, check that the manifest with this digest is still there: SHA256, or DATE:SHA256 to check its date too." placeholder:"DIGEST"`
}

// Help is kong's: examples and exit status.
func (verifyCmd) Help() string {
	return helpText(`jobvault verify
jobvault verify --deep --repair
jobvault verify --manifests --from=DIR`, "0 if nothing is wrong or all was repaired, 1 if something is wrong or the command failed, 2 if it was used wrongly.")
}

// Run compares the ledger with the bucket. It fails if anything is wrong that it did not
// repair.
func (c verifyCmd) Run(ctx context.Context, e *environment) error {
	if err := c.checkTogether(e.given); err != nil {
		return err
	}
	if c.Manifests {
		return c.verifyManifests(ctx, e)
	}
	o := upkeep.VerifyOptions{Deep: c.Deep, Repair: c.Repair}
	var err error
	if err := checkTime("--since", c.Since); err != nil {
		return err
	}
	if o.Sample, err = parseShare("--sample", c.Sample); err != nil {
		return err
	}
	if c.Repo != "" {
		if err := checkRepository(c.Repo); err != nil {
			return err
		}
	}
	return runSession(ctx, e, c.needs(), func(s *session) error {
		if o.Since, err = timeOf(ctx, s.db, "--since", c.Since); err != nil {
			return err
		}
		if o.RepositoryID, err = repositoryID(ctx, s.db, c.Repo); err != nil {
			return err
		}
		p := newMovingProgress(e.stderr, "verify")
		if c.Database {
			return c.verifyDatabase(ctx, e, s.verifier(), o, p)
		}
		return c.verifyBucket(ctx, e, s.verifier(), o, p)
	})
}

// checkTogether refuses flags that cannot be used together.
func (c verifyCmd) checkTogether(given givenFlags) error {
	switch {
	case c.Manifests && c.Database:
		return usageError{errors.New("--manifests and --database cannot be used together: run one after the other")}
	case !c.Manifests && (c.From != "" || c.Head != ""):
		return usageError{fmt.Errorf("%s: only with --manifests", given.anyOf("from", "head"))}
	case c.Database && (c.Deep || c.Repair):
		return usageError{fmt.Errorf("%s: not with --database, which reads everything and repairs nothing", given.anyOf("deep", "repair"))}
	}
	return nil
}

func (c verifyCmd) needs() needs {
	n := maintenanceNeeds
	n.schema, n.clock = currentSchema, anyClock // which is right enough to look
	if c.Repair {
		// Nothing is repaired by the word of a database that is older than a removal.
		n = maintenanceNeeds.withGitHub().withRemovals()
	}
	return n
}

// verifyBucket looks whether the bucket has what the ledger says.
func (c verifyCmd) verifyBucket(ctx context.Context, e *environment, v *upkeep.Verifier, o upkeep.VerifyOptions, p *movingProgress) error {
	sum, err := v.Verify(ctx, o, func(f upkeep.Fault) { c.printFault(e.stdout, p, f) },
		func(done, total int) { p.set(done, total, "", 0) })
	p.end()
	if serr := c.printSummary(e.stdout, sum); err == nil {
		err = serr
	}
	if err == nil && sum.Faults > sum.Repaired {
		err = fmt.Errorf("%d faults, %d of them repaired", sum.Faults, sum.Repaired)
	}
	return err
}

func (c verifyCmd) printFault(out io.Writer, p *movingProgress, f upkeep.Fault) {
	if c.JSON {
		_ = jsonEncoder(out).Encode(f) // the summary fails likewise, and says so
		return
	}
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	repair := ""
	switch {
	case f.Repaired:
		repair = "; repaired: " + f.Repair
	case f.Repair != "":
		repair = "; not repaired: " + f.Repair
	}
	fmt.Fprintf(out, "job %d: %s: %s: %s%s\n", f.JobID, f.Kind, plain(f.Key), plain(f.Detail), plain(repair))
}

func (c verifyCmd) printSummary(out io.Writer, sum upkeep.VerifyResult) error {
	if c.JSON {
		return jsonEncoder(out).Encode(sum)
	}
	_, err := fmt.Fprintf(out, "%d jobs, %d logs (%s read), %d objects looked at: %d faults, %d repaired\n",
		sum.Jobs, sum.Logs, humanize.IBytes(uint64(max(sum.RawBytes, 0))), sum.Objects, sum.Faults, sum.Repaired)
	return err
}
