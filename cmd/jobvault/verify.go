package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/store"
)

type verifyCmd struct {
	Repo   string `help:"Only this repository, OWNER/NAME."`
	Since  string `help:"Only jobs created at or after: a date, a time, or how long ago. Objects that belong to no job are not looked for then."`
	Sample string `help:"Only so many of the jobs, at random, such as 5%."`
	Deep   bool   `help:"Read every log: its digest, lines and frames, not its size alone."`
	Repair bool   `help:"Fetch again what is missing or damaged, as far as GitHub still has it."`
	JSON   bool   `help:"One JSON object a line: a fault each, and last the summary."`

	Manifests bool   `help:"Check the daily manifests and what they list, from the bucket alone."`
	From      string `help:"With --manifests: from a directory that the bucket was copied to."`
	Head      string `help:"With --manifests: digest of a manifest that was noted, SHA256 or DATE:SHA256."`
}

// Run holds the ledger against the bucket. It fails if anything is wrong that it
// did not repair.
func (c verifyCmd) Run(ctx context.Context, e *environment) error {
	if c.Manifests {
		return c.manifests(ctx, e)
	}
	if c.From != "" || c.Head != "" {
		return usageError{errors.New("--from and --head go with --manifests")}
	}
	o := ingest.VerifyOptions{Deep: c.Deep, Repair: c.Repair}
	var err error
	if err := checkTime("--since", c.Since); err != nil {
		return err
	}
	if o.Sample, err = parseShare("--sample", c.Sample); err != nil {
		return err
	}
	if c.Repo != "" {
		if err := checkFullName(c.Repo); err != nil {
			return err
		}
	}
	// To look needs neither GitHub nor a clock that is right.
	return runWorkbench(ctx, e, workbenchNeeds{github: c.Repair, clock: c.Repair}, func(b *workbench) error {
		if o.Since, err = timeOf(ctx, b.db, "--since", c.Since); err != nil {
			return err
		}
		if o.RepositoryID, err = repositoryID(ctx, b.db, c.Repo); err != nil {
			return err
		}
		v := &ingest.Verifier{DB: b.db, Archive: b.archive, GitHub: b.github, Now: b.clock.Now}
		m := newMeter(e.stderr, "verify")
		sum, err := v.Verify(ctx, o, func(f ingest.Fault) { c.tell(e.stdout, m, f) },
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

func (c verifyCmd) tell(out io.Writer, m *meter, f ingest.Fault) {
	if c.JSON {
		_ = json.NewEncoder(out).Encode(f) // the summary fails likewise, and says so
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

func (c verifyCmd) sum(out io.Writer, sum ingest.Verified) error {
	if c.JSON {
		return json.NewEncoder(out).Encode(sum)
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

// checkFullName wants OWNER/NAME.
func checkFullName(s string) error {
	owner, name, ok := strings.Cut(s, "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return usageError{fmt.Errorf("--repo=%q: want OWNER/NAME", s)}
	}
	return nil
}

// repositoryID is that of a known repository, of several with the name the one
// heard of last; 0 for no name.
func repositoryID(ctx context.Context, db *store.DB, fullName string) (int64, error) {
	if fullName == "" {
		return 0, nil
	}
	rs, err := db.Repositories(ctx)
	if err != nil {
		return 0, err
	}
	var found store.Repository
	for _, r := range rs {
		if strings.EqualFold(r.FullName(), fullName) && r.SeenAt.After(found.SeenAt) {
			found = r
		}
	}
	if found.ID == 0 {
		return 0, fmt.Errorf("no repository %s is known", fullName)
	}
	return found.ID, nil
}
