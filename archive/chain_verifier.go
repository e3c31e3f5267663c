package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/jobvault/jobvault/archive/bucket"
)

// ChainOptions say how manifests are verified.
type ChainOptions struct {
	Deep     bool      // read every log, redacted copy and job.json that is listed, and compare its digest; false: sizes only
	Parallel int       // how many jobs are verified at the same time; 0: 8
	Head     *Digest   // digest of a manifest that somebody noted; nil: nobody did
	HeadDate time.Time // the day of that manifest; zero: any
}

// Chain sums up a verification of manifests.
type Chain struct {
	Manifests    int    `json:"manifests"`
	Last         string `json:"last"`        // day of the last one
	SHA256       string `json:"sha256"`      // of the last one, uncompressed: to be noted down elsewhere
	Lines        int64  `json:"settlements"` // in all manifests
	Jobs         int64  `json:"jobs"`
	RawBytes     int64  `json:"raw_bytes"` // of logs that were read
	NotYetListed int64  `json:"later"`     // jobs that no manifest lists yet, and that are newer than the last one
	Replaced     int64  `json:"replaced"`  // times that a manifest told of another job.json or settled.json than the one before; no faults
	Faults       int    `json:"faults"`
}

// chainVerifier is one run of VerifyChain.
type chainVerifier struct {
	*Archive
	*Verification[Chain, Fault]
	o             ChainOptions
	dates         []time.Time
	found         []Manifest // of the dates that are before the one that is read
	latest        map[int64]latestEntry
	latestSettled map[int64]settledDigest // of jobs that have a settled.json

}

// latestEntry is what the latest manifest that lists a job says of it. It has the
// beginnings of digests, which are all zero where there is none.
type latestEntry struct {
	manifest uint32  // index in dates
	digest   [8]byte // of the log
	details  [8]byte // of job.json
	objects  listedObjects
}

// settledDigest is what a job had become, and the beginning of the digest of the
// settled.json that tells of it.
type settledDigest struct {
	settlement, digest [8]byte
}

const chainParallel = 8

// VerifyChain compares the manifests of a bucket with each other, and with what is in the
// bucket, without a database. It calls report for each fault and progress
// as it looks at jobs, one call at a time. It fails only if the bucket does not
// answer; faults are no error.
//
// Every manifest is read twice. Memory: 40 to 80 bytes for each job that is listed,
// 50 more for each that has a settled.json, and some MiB.
func (a *Archive) VerifyChain(ctx context.Context, o ChainOptions, report func(Fault), progress func(done, total int64)) (Chain, error) {
	if o.Parallel == 0 {
		o.Parallel = chainParallel
	}
	c := &chainVerifier{Archive: a, o: o, Verification: NewVerification[Chain](report, progress), latest: make(map[int64]latestEntry), latestSettled: make(map[int64]settledDigest)}
	if err := c.list(ctx); err != nil {
		return c.sum, err
	}
	for i, date := range c.dates {
		if err := c.manifest(ctx, i, date); err != nil {
			return c.sum, err
		}
	}
	c.head()
	c.sum.Manifests, c.sum.Jobs = len(c.dates), int64(len(c.latest))
	if n := len(c.found); n > 0 {
		c.sum.Last, c.sum.SHA256 = day(c.found[n-1].Date), fmt.Sprintf("%x", c.found[n-1].SHA256)
	}
	if err := c.removals(ctx); err != nil {
		return c.sum, err
	}
	for i := range c.found {
		if err := c.objects(ctx, i); err != nil {
			return c.sum, err
		}
	}
	err := c.unlisted(ctx)
	return c.Sum(), err
}

func day(date time.Time) string { return date.Format(time.DateOnly) }

func (c *chainVerifier) fault(f Fault) {
	c.Report(f, func(sum *Chain) {
		if f.Notice {
			sum.Replaced++
		} else {
			sum.Faults++
		}
	})
}

// Manifests lists the days whose manifests are in the bucket, the first one first.
// Of objects among them that are none it calls stray.
func (a *Archive) Manifests(ctx context.Context, stray func(bucket.Object)) ([]time.Time, error) {
	var dates []time.Time
	for o, err := range a.bucket.List(ctx, ManifestPrefix) {
		if err != nil {
			return nil, err
		}
		if date, ok := ParseManifestKey(o.Key); ok {
			dates = append(dates, date)
		} else {
			stray(o)
		}
	}
	slices.SortFunc(dates, time.Time.Compare)
	return dates, nil
}

func (c *chainVerifier) list(ctx context.Context) error {
	var err error
	c.dates, err = c.Manifests(ctx, func(o bucket.Object) {
		c.fault(Fault{Kind: FaultKey, Key: o.Key, Detail: "it lies among the manifests and is named like none"})
	})
	if err == nil && len(c.dates) == 0 {
		c.fault(Fault{Kind: FaultAbsent, Key: path.Clean(ManifestPrefix), Detail: "there is no manifest at all"})
	}
	return err
}

// manifest reads one manifest, and compares it with the one before.
func (c *chainVerifier) manifest(ctx context.Context, i int, date time.Time) error {
	f := Fault{Date: day(date), Key: ManifestKey(date)}
	damaged := false
	m, err := c.scanManifest(ctx, date,
		func(m *Manifest, l ManifestEntry) error { return c.checkEntry(i, f, m, l) },
		func(f Fault) error {
			damaged = damaged || f.Line <= 1 // of what the header says, nothing is known
			c.fault(f)
			return nil
		})
	if errors.Is(err, bucket.ErrNotFound) {
		return fmt.Errorf("archive: %s was there a moment ago: %w", f.Key, err)
	}
	if err != nil {
		return err
	}
	c.found = append(c.found, m)
	before := date.AddDate(0, 0, -1)
	switch {
	case i == 0 && m.Previous != nil:
		c.missingDays(before, before, "the next manifest follows it, and so do others that may have been before it")
	case i > 0 && c.dates[i-1].Before(before):
		c.missingDays(c.dates[i-1].AddDate(0, 0, 1), before, "those before and after are there")
	case i > 0 && !damaged && m.Previous == nil:
		f.Kind, f.Detail = FaultPrevious, "it says that it is the first, and there is one of the day before"
		c.fault(f)
	case i > 0 && !damaged && m.PreviousSHA256 != c.found[i-1].SHA256:
		f.Kind, f.Detail = FaultPrevious, fmt.Sprintf("it follows a manifest of %s with SHA-256 %x; the one that is there has %x", day(before), m.PreviousSHA256, c.found[i-1].SHA256)
		c.fault(f)
	}
	return nil
}

// missingDays names days without a manifest.
func (c *chainVerifier) missingDays(first, last time.Time, why string) {
	detail := "there is no manifest of this day; " + why
	if last.After(first) {
		detail = fmt.Sprintf("there are no manifests of the days up to %s; %s", day(last), why)
	}
	c.fault(Fault{Kind: FaultAbsent, Date: day(first), Key: ManifestKey(first), Detail: detail})
}

// checkEntry notes the latest entry of a job. A log that was archived once never becomes
// another one, but for a longer one that says whose place it took, and begins with it.
func (c *chainVerifier) checkEntry(i int, f Fault, m *Manifest, l ManifestEntry) error {
	c.sum.Lines++
	word := latestEntry{manifest: uint32(i), objects: objectsIn(m, l.ManifestLine)}
	if sum, ok := parseDigest(l.SHA256); ok {
		copy(word.digest[:], sum[:])
	}
	if sum, ok := parseDigest(l.DetailsSHA256); ok {
		copy(word.details[:], sum[:])
	}
	before, known := c.latest[l.JobID]
	if known && before.digest != [8]byte{} && before.digest != word.digest && !tookPlace(l.ManifestLine, before.digest) {
		f.Kind, f.Line, f.JobID = FaultChanged, l.Number, l.JobID
		f.Detail = fmt.Sprintf("it says that the log has SHA-256 %q; by the manifest of %s that begins with %x", l.SHA256, day(c.dates[before.manifest]), before.digest)
		c.fault(f)
	}
	c.latest[l.JobID] = word
	c.checkReplaced(f, l, before, word)
	return nil
}

// tookPlace says whether a job's log is a longer one than the one with a digest, of which
// this is the beginning, and took its place.
func tookPlace(l ManifestLine, digest [8]byte) bool {
	return slices.ContainsFunc(l.Shorter, func(s ShorterLog) bool { return [8]byte(s.SHA256[:8]) == digest })
}

// checkReplaced tells of a job.json, and of a settled.json for the same settlement, that is
// another one than before: only verify --repair does so.
func (c *chainVerifier) checkReplaced(f Fault, l ManifestEntry, before, word latestEntry) {
	f.Kind, f.Line, f.JobID, f.Notice = FaultReplaced, l.Number, l.JobID, true
	if before.details != [8]byte{} && word.details != [8]byte{} && before.details != word.details {
		f.Detail = fmt.Sprintf("it says that %s has SHA-256 %s; by the manifest of %s that begins with %x", l.Key().Details(), l.DetailsSHA256, day(c.dates[before.manifest]), before.details)
		c.fault(f)
	}
	sum, ok := parseDigest(l.SettledSHA256)
	if !ok {
		return
	}
	settlement := sha256.Sum256(fmt.Appendf(nil, "%s %d", l.State, l.SettledAt.UnixNano()))
	record := settledDigest{settlement: [8]byte(settlement[:8]), digest: [8]byte(sum[:8])}
	if was, ok := c.latestSettled[l.JobID]; ok && was.settlement == record.settlement && was.digest != record.digest {
		f.Detail = fmt.Sprintf("it says that %s has SHA-256 %s; by an earlier manifest, and of the same settlement, that begins with %x", l.Key().Settled(), l.SettledSHA256, was.digest)
		c.fault(f)
	}
	c.latestSettled[l.JobID] = record
}

// head looks for the manifest that somebody noted.
func (c *chainVerifier) head() {
	if c.o.Head == nil {
		return
	}
	f := Fault{Kind: FaultHead, Key: path.Clean(ManifestPrefix), Detail: fmt.Sprintf("no manifest has the noted SHA-256 %x", *c.o.Head)}
	for _, m := range c.found {
		if m.SHA256 == *c.o.Head && (c.o.HeadDate.IsZero() || m.Date.Equal(c.o.HeadDate)) {
			return
		}
		if m.Date.Equal(c.o.HeadDate) {
			f.Detail = fmt.Sprintf("it has SHA-256 %x; noted was %x", m.SHA256, *c.o.Head)
		}
	}
	if !c.o.HeadDate.IsZero() {
		f.Date, f.Key = day(c.o.HeadDate), ManifestKey(c.o.HeadDate)
	}
	c.fault(f)
}
