package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jobvault/jobvault/archive/bucket"
)

// listedObjects are the objects of a job, apart from job.json, that its last line lists.
type listedObjects uint32

const (
	listsWhole   listedObjects = 1 << 31 // what it does not tell of, there was none of
	listsLog     listedObjects = 1 << 30 // there is a log, or there was one and it is removed
	listsSettled listedObjects = 1 << 29
	listsLogs                  = 0xff << logsShift // bits with the number of the log that took the place of all before; those above 255 are not looked for
	listsCopy                  = 1<<logsShift - 1  // bits with the number of the redacted copy

	logsShift = 21
)

func objectsIn(m *Manifest, l ManifestLine) listedObjects {
	var o listedObjects
	if m.Whole {
		o |= listsWhole
	}
	if l.SHA256 != "" {
		o |= listsLog | listedObjects(min(len(l.Shorter)+1, listsLogs>>logsShift))<<logsShift
	}
	if l.SettledSHA256 != "" || l.State != archivedState {
		o |= listsSettled
	}
	for _, c := range l.Redactions {
		o |= listedObjects(c.Number) & listsCopy
	}
	return o
}

// has reports whether an object of a job is one that its last line lists, or one that the
// line cannot list.
func (o listedObjects) has(k JobKey, name, key string) bool {
	if o&listsWhole == 0 {
		return true
	}
	switch name {
	case LogName, FilterName:
		return o&listsLog != 0 && LogNumber(key) <= int(o&listsLogs>>logsShift)
	case SettledName:
		return o&listsSettled != 0
	case RedactedName:
		return key == k.Redacted(int(o&listsCopy))
	}
	return true
}

// settled compares settled.json with its entry. It is small, and always read.
func (c *chainVerifier) settled(ctx context.Context, l ManifestEntry, tell func(kind, key, format string, args ...any)) error {
	key := l.Key().Settled()
	raw, err := c.read(ctx, key)
	absent, err := c.Missing(ctx, err)
	switch {
	case absent:
		tell(FaultSettled, key, "there is no such object")
		return nil
	case errors.Is(err, bucket.ErrUnreadable):
		tell(FaultSettled, key, "%v", err)
		return nil
	case err != nil:
		return err
	}
	var s Settled
	sum := sha256.Sum256(raw)
	switch err := json.Unmarshal(raw, &s); {
	case l.SettledSHA256 != "" && hex.EncodeToString(sum[:]) != l.SettledSHA256:
		tell(FaultSettled, key, "it has SHA-256 %x, the manifest says %s; it says %q, the manifest %q", sum, l.SettledSHA256, s.State, l.State)
	case err != nil:
		tell(FaultSettled, key, "%v: %v", bucket.ErrUnreadable, err)
	case s.State != l.State && l.State != archivedState:
		tell(FaultSettled, key, "it says %q, the manifest %q", s.State, l.State)
	}
	return nil
}

// redactions looks at the redacted copies of a removed log.
func (c *chainVerifier) redactions(ctx context.Context, l ManifestEntry, tell func(kind, key, format string, args ...any)) error {
	for _, r := range l.Redactions {
		if key := l.Key().Redacted(r.Number); r.ObjectKey != key {
			tell(FaultKey, r.ObjectKey, "the manifest names this object as copy %d; the job's own is %s", r.Number, key)
			continue
		}
		err := c.log(ctx, ManifestLine{
			ObjectKey: r.ObjectKey, RawBytes: &r.RawBytes, StoredBytes: &r.StoredBytes, Lines: &r.Lines, SHA256: r.SHA256, StoredSHA256: r.StoredSHA256,
		}, tell)
		if err != nil {
			return err
		}
	}
	return nil
}

// unlisted looks for jobs that no manifest lists, and for objects that the latest entry of
// their job does not list. Those that are newer than the end of the last
// manifest's day, by the storage's clock, are only counted.
func (c *chainVerifier) unlisted(ctx context.Context) error {
	if len(c.dates) == 0 {
		return nil
	}
	end := c.dates[len(c.dates)-1].AddDate(0, 0, 1)
	var lastFolder JobKey // the last folder that was reported; the objects of a folder come together
	for o, err := range c.bucket.List(ctx, "") {
		if err != nil {
			return err
		}
		k, name, ok := ParseKey(o.Key)
		// job.json is there before a job is settled.
		if !ok || name == DetailsName || k == lastFolder {
			continue
		}
		word, listed := c.latest[k.JobID]
		if listed && word.objects.has(k, name, o.Key) {
			continue
		}
		lastFolder = k
		if !o.ModTime.Before(end) {
			c.sum.NotYetListed++
			continue
		}
		what := "no manifest lists this job"
		if listed {
			what = fmt.Sprintf("the manifest of %s, the last word on this job, does not list this object", day(c.dates[word.manifest]))
		}
		c.fault(Fault{
			Kind: FaultUnlisted, JobID: k.JobID, Key: o.Key,
			Detail: fmt.Sprintf("%s, though it is from %s and the last manifest from after that", what, o.ModTime.UTC().Format(time.RFC3339)),
		})
	}
	return nil
}
