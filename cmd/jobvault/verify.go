package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/store"
)

type verifyCmd struct {
	Repo   string `help:"Only this repository: OWNER/NAME, or its id."`
	Since  string `help:"Only jobs created at or after: a date, a time, or how long ago. Objects that belong to no job are not looked for then."`
	Sample string `help:"Only so many of the jobs, at random, such as 5%."`
	Deep   bool   `help:"Read every log and job.json: digests, lines and frames, not sizes alone."`
	Repair bool   `help:"Fetch again what is missing or damaged, as far as GitHub still has it."`
	JSON   bool   `help:"One JSON object a line: a fault each, and last the summary."`

	Database bool `help:"Compare the rows of jobs, steps, labels, annotations, actions, removals and the ledger with what the bucket tells; reads every log. It repairs nothing: see docs/manifests.md for what does."`

	Manifests bool   `help:"Check the daily manifests and what they list, from the bucket alone."`
	From      string `help:"With --manifests: from a directory that the bucket was copied to."`
	Head      string `help:"With --manifests: digest of a manifest that was noted, SHA256 or DATE:SHA256."`
}

// Run holds the ledger against the bucket. It fails if anything is wrong that it
// did not repair.
func (c verifyCmd) Run(ctx context.Context, e *environment) error {
	if c.Manifests && c.Database {
		return usageError{errors.New("--manifests needs no database: run it and --database one after the other")}
	}
	if c.Manifests {
		return c.manifests(ctx, e)
	}
	if c.From != "" || c.Head != "" {
		return usageError{errors.New("--from and --head go with --manifests")}
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
	if c.Database && (c.Deep || c.Repair) {
		return usageError{errors.New("--database reads everything and repairs nothing: leave --deep and --repair out")}
	}
	// To look needs neither GitHub nor a clock that is right.
	return runWorkbench(ctx, e, workbenchNeeds{github: c.Repair, clock: c.Repair}, func(b *workbench) error {
		if o.Since, err = timeOf(ctx, b.db, "--since", c.Since); err != nil {
			return err
		}
		if o.RepositoryID, err = repositoryID(ctx, b.db, c.Repo); err != nil {
			return err
		}
		v := &upkeep.Verifier{DB: b.db, Archive: b.archive, GitHub: b.github, Now: b.clock.Now}
		m := newMeter(e.stderr, "verify")
		if c.Database {
			return c.rows(ctx, e, v, o, m)
		}
		if c.Repair {
			// By the word of a database that is older than a removal nothing is mended.
			if err := b.hearRemovals(ctx); err != nil {
				return err
			}
		}
		sum, err := v.Verify(ctx, o, func(f upkeep.Fault) { c.tell(e.stdout, m, f) },
			func(done, total int) { m.set(done, total, "", 0) })
		m.end()
		if serr := c.sum(e.stdout, sum); err == nil {
			err = serr
		}
		if err == nil && sum.Faults > sum.Repaired {
			err = fmt.Errorf("%d faults, %d of them repaired", sum.Faults, sum.Repaired)
		}
		return err
	})
}

func (c verifyCmd) tell(out io.Writer, m *meter, f upkeep.Fault) {
	if c.JSON {
		_ = jsonEncoder(out).Encode(f) // the summary fails likewise, and says so
		return
	}
	if m.bar != nil {
		_ = m.bar.Clear()
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

func (c verifyCmd) sum(out io.Writer, sum upkeep.VerifyResult) error {
	if c.JSON {
		return jsonEncoder(out).Encode(sum)
	}
	_, err := fmt.Fprintf(out, "%d jobs, %d logs (%s read), %d objects looked at: %d faults, %d repaired\n",
		sum.Jobs, sum.Logs, humanize.IBytes(uint64(max(sum.RawBytes, 0))), sum.Objects, sum.Faults, sum.Repaired)
	return err
}

// parseShare reads "5%" or "0.05"; empty: 0.
func parseShare(flag, s string) (float64, error) {
	if s == "" {
		return 0, nil
	}
	text, percent := strings.CutSuffix(s, "%")
	share, err := strconv.ParseFloat(text, 64)
	if percent {
		share /= 100
	}
	if err != nil || !(share > 0 && share <= 1) {
		return 0, usageError{fmt.Errorf("%s=%q: want a share such as 5%%", flag, s)}
	}
	return share, nil
}

// checkRepository wants OWNER/NAME or an id.
func checkRepository(s string) error {
	if id, err := strconv.ParseInt(s, 10, 64); err == nil && id > 0 {
		return nil
	}
	return checkFullName(s)
}

// checkFullName wants OWNER/NAME.
func checkFullName(s string) error {
	owner, name, ok := strings.Cut(s, "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return usageError{fmt.Errorf("--repo=%q: want OWNER/NAME", s)}
	}
	return nil
}

// repositoryID is that of the known repository that has a name, or of the one with an
// id; 0 for no name. Where none has the name but some had it, it names those: which is
// meant is for people to say.
func repositoryID(ctx context.Context, db *store.DB, s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	if id, err := strconv.ParseInt(s, 10, 64); err == nil {
		rs, err := db.RepositoriesOf(ctx, []int64{id})
		if err == nil && len(rs) == 0 {
			err = fmt.Errorf("no repository with the id %d is known", id)
		}
		return id, err
	}
	owner, name, _ := strings.Cut(s, "/")
	rs, err := db.RepositoriesNamed(ctx, owner, name)
	if err != nil {
		return 0, err
	}
	var had []string
	for _, r := range rs {
		switch {
		case !strings.EqualFold(r.FullName(), s):
			had = append(had, fmt.Sprintf("%d (now %s)", r.ID, r.FullName()))
		case r.HasName:
			return r.ID, nil
		default:
			had = append(had, strconv.FormatInt(r.ID, 10))
		}
	}
	if len(had) == 0 {
		return 0, fmt.Errorf("no repository %s is known", s)
	}
	return 0, fmt.Errorf("no repository is known to have the name %s now; it was that of %s: say which by its id", s, strings.Join(had, ", "))
}
