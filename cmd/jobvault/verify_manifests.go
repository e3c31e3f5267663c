package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
)

// verifyManifests compares the manifests with each other and with the bucket, or a copy
// of it. It needs neither Postgres nor GitHub.
func (c verifyCmd) verifyManifests(ctx context.Context, e *environment) error {
	if c.Repo != "" || c.Since != "" || c.Sample != "" || c.Repair {
		return usageError{fmt.Errorf("%s: not with --manifests, which checks everything and repairs nothing", e.given.anyOf("repo", "since", "sample", "repair"))}
	}
	o := archive.ChainOptions{Deep: c.Deep}
	if err := c.parseHead(&o); err != nil {
		return err
	}
	if c.From == "" {
		return runSession(ctx, e, bucketNeeds, func(s *session) error { return c.verifyChain(ctx, e, s.archive, o) })
	}
	// A copy: no setting counts.
	b, err := bucket.OpenCopy(c.From)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	a, err := archive.New(b, 0)
	if err != nil {
		return err
	}
	return c.verifyChain(ctx, e, a, o)
}

// verifyChain prints each fault, and last the summary.
func (c verifyCmd) verifyChain(ctx context.Context, e *environment, a *archive.Archive, o archive.ChainOptions) error {
	p := newMovingProgress(e.stderr, "verify")
	sum, err := a.VerifyChain(ctx, o, func(f archive.Fault) { c.printChainFault(e, p, f) },
		func(done, total int64) { p.set(int(done), int(total), "", 0) })
	p.end()
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

func (c verifyCmd) printChainFault(e *environment, p *movingProgress, f archive.Fault) {
	if c.JSON {
		_ = jsonEncoder(e.stdout).Encode(f) // the summary fails likewise, and says so
		return
	}
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	notice := ""
	if f.Notice {
		notice = "notice: "
	}
	fmt.Fprintf(e.stdout, "%s%s (%s)\n", notice, plain(f.Error()), plain(f.Key))
}
