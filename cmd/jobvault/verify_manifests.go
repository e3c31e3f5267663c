package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
)

// manifests holds the manifests against each other and against the bucket, or a copy
// of it. It needs neither Postgres nor GitHub.
func (c verifyCmd) manifests(ctx context.Context, e *environment) error {
	if c.Repo != "" || c.Since != "" || c.Sample != "" || c.Repair {
		return usageError{errors.New("--manifests looks at everything and repairs nothing: leave --repo, --since, --sample and --repair out")}
	}
	o := archive.ChainOptions{Deep: c.Deep}
	if err := c.parseHead(&o); err != nil {
		return err
	}
	a, err := c.openManifests(ctx, e)
	if err != nil {
		return err
	}
	m := newMeter(e.stderr, "verify")
	sum, err := a.VerifyChain(ctx, o, func(f archive.Fault) { c.tellChain(e, m, f) },
		func(done, total int64) { m.set(int(done), int(total), "", 0) })
	m.end()
	if err != nil {
		return err
	}
	if c.JSON {
		err = jsonEncoder(e.stdout).Encode(sum)
	} else {
		_, err = fmt.Fprintf(e.stdout, "%d manifests, %d settlements of %d jobs (%s of logs read), %d jobs not listed yet, %d records replaced: %d faults\n",
			sum.Manifests, sum.Lines, sum.Jobs, humanize.IBytes(uint64(max(sum.RawBytes, 0))), sum.NotYetListed, sum.Replaced, sum.Faults)
		if err == nil && sum.Last != "" {
			_, err = fmt.Fprintf(e.stdout, "the last one, to be noted down: %s:%s\n", sum.Last, sum.SHA256)
		}
	}
	if err == nil && sum.Faults > 0 {
		err = fmt.Errorf("%d faults", sum.Faults)
	}
	return err
}

// openManifests opens the bucket of the settings, or the copy that --from names: then
// no setting counts.
func (c verifyCmd) openManifests(ctx context.Context, e *environment) (*archive.Archive, error) {
	if c.From != "" {
		b, err := bucket.OpenCopy(c.From)
		if err != nil {
			return nil, fmt.Errorf("--from: %w", err)
		}
		return archive.New(b, 0)
	}
	cfg, err := e.settings.load()
	if err != nil {
		return nil, err
	}
	a, err := openArchive(cfg)
	if err != nil {
		return nil, err
	}
	checking, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	if err := a.Bucket().Check(checking); err != nil {
		return nil, fmt.Errorf("JOBVAULT_BUCKET_URL: %w", err)
	}
	return a, nil
}

// parseHead reads SHA256 or DATE:SHA256.
func (c verifyCmd) parseHead(o *archive.ChainOptions) error {
	if c.Head == "" {
		return nil
	}
	bad := usageError{fmt.Errorf("--head=%q: want a SHA-256 of 64 hex digits, or DATE:SHA256", c.Head)}
	text := c.Head
	if date, sum, ok := strings.Cut(text, ":"); ok {
		var err error
		if o.HeadDate, err = time.Parse(time.DateOnly, date); err != nil {
			return bad
		}
		text = sum
	}
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 32 {
		return bad
	}
	o.Head = (*archive.Digest)(b)
	return nil
}

func (c verifyCmd) tellChain(e *environment, m *meter, f archive.Fault) {
	if c.JSON {
		_ = jsonEncoder(e.stdout).Encode(f) // the summary fails likewise, and says so
		return
	}
	if m.bar != nil {
		_ = m.bar.Clear()
	}
	notice := ""
	if f.Notice {
		notice = "notice: "
	}
	fmt.Fprintf(e.stdout, "%s%s (%s)\n", notice, plain(f.Error()), plain(f.Key))
}
