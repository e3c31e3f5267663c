package upkeep_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

// The jobs of an evidenceWorld.
const (
	jobWithLog   = 1 + iota // archived, with filters, actions and annotations
	jobBesides              // another like it
	jobSkipped              // no log, ever
	jobCameLate             // missing at first, archived a day later
	jobRedacted             // redacted, and a day later once more
	jobRemoved              // removed altogether
	jobRedacted1            // redacted once
	jobMissing              // its log never came
	jobLonger               // archived cut off, and a day later with the rest
)

// evidenceWorld is an archive of some days, with the manifests of them, which somebody
// tampers with.
type evidenceWorld struct {
	*rig
	clock   *ingesttest.Clock
	dir     string
	old     time.Time // of every object: manifests are younger
	first   archive.JobKey
	earlier map[string][]byte // what objects were before they were replaced
	head    archive.Manifest  // as an auditor noted it
	saved   map[string][]byte // the bucket
}

func newEvidenceWorld(t *testing.T) *evidenceWorld {
	t.Helper()
	now := ingesttest.NewClock()
	w := &evidenceWorld{clock: now, dir: t.TempDir(), old: now.Now(), earlier: make(map[string][]byte)}
	w.rig = newRig(t, ingesttest.Options{Now: now.Now, BucketURL: "file://" + w.dir})
	for _, id := range []int64{jobWithLog, jobBesides, jobRedacted, jobRemoved, jobRedacted1} {
		w.Know(ingesttest.Completed(id, w.Now(), githubsim.TextLog(w.logText(id))))
		if says, _ := w.Try(id); says != "done" {
			t.Fatalf("job %d: %s", id, says)
		}
		now.Advance(time.Minute)
	}
	w.archivedCut(jobLonger)
	w.first = w.keyOf(jobWithLog)
	skipped := ingesttest.Completed(jobSkipped, w.Now(), githubsim.Log{})
	skipped.Conclusion, skipped.RunnerID, skipped.RunnerName, skipped.Steps = ingesttest.Ptr("skipped"), nil, nil, nil
	w.Know(skipped)
	w.Try(jobSkipped)
	for _, id := range []int64{jobCameLate, jobMissing} {
		now.Advance(time.Minute)
		w.missing(id)
	}
	w.nextDay(now)
	w.earlier["removed log"] = w.Get(w.keyOf(jobRemoved).Log())
	w.earlier["removed filter"] = w.Get(w.keyOf(jobRemoved).Filter())
	w.comes(jobCameLate, w.Now())
	if says, _ := w.Recheck(jobLonger); says != "done" {
		t.Fatal(says)
	}
	w.redact(jobRedacted, "s3cret")
	w.redact(jobRedacted1, "s3cret")
	w.earlier["settled.json"] = w.Get(w.keyOf(jobRedacted).Settled())
	w.earlier["redacted"] = w.Get(w.keyOf(jobRedacted).Redacted(1))
	w.nextDay(now)
	w.redact(jobRedacted, "hunter2")
	w.redact(jobRemoved)
	w.nextDay(now)
	w.noteHead()
	w.age()
	w.saved = w.bucket()
	return w
}

// archivedCut archives the first half of a log, of which GitHub then has all.
func (w *evidenceWorld) archivedCut(id int64) {
	w.T.Helper()
	text := append(w.logText(id), w.logText(id+100)...)
	j := ingesttest.Completed(id, w.Now(), githubsim.TextLog(text[:len(text)/2]))
	j.Conclusion = ingesttest.Ptr("cancelled")
	w.Know(j)
	if says, _ := w.Try(id); says != "done" {
		w.T.Fatal(says)
	}
	j.Log = githubsim.TextLog(text)
	w.GitHub.AddJob(j)
}

func (w *evidenceWorld) nextDay(c *ingesttest.Clock) {
	w.T.Helper()
	c.Advance(24 * time.Hour)
	w.writeManifests()
}

// logText is a log with all that is read of logs, long enough to have filters.
func (w *evidenceWorld) logText(id int64) []byte {
	var b bytes.Buffer
	for _, line := range []string{
		"Current runner version: '2.317.0'", "##[group]GITHUB_TOKEN Permissions", "Contents: read", "##[endgroup]", "Prepare all required actions",
		fmt.Sprintf("Download action repository 'actions/checkout@v%d' (SHA:%s)", id, strings.Repeat("ab", 20)), "Complete job name: build",
		fmt.Sprintf("##[error]job %d: s3cret and hunter2", id),
	} {
		fmt.Fprintf(&b, "%s%s\n", stamped, line)
	}
	random, word := rand.NewChaCha8([32]byte{byte(id)}), make([]byte, 32)
	for b.Len() < 100_000 {
		_, _ = random.Read(word)
		fmt.Fprintf(&b, "%s%s\n", stamped, hex.EncodeToString(word))
	}
	return b.Bytes()
}

func (w *evidenceWorld) redact(id int64, patterns ...string) {
	w.T.Helper()
	o := upkeep.RedactOptions{JobID: id, Actor: "eve", Reason: "a token"}
	for _, p := range patterns {
		o.Patterns = append(o.Patterns, regexp.MustCompile(p))
	}
	_, left, err := (&upkeep.Remover{DB: w.DB, Archive: w.Archive, Now: w.Now}).Redact(w.T.Context(), o)
	w.Check(err)
	if left != nil {
		w.T.Fatalf("job %d: %+v", id, left)
	}
}

func (w *evidenceWorld) noteHead() {
	w.T.Helper()
	last, err := w.DB.LastManifest(w.T.Context())
	w.Check(err)
	w.head, err = w.Archive.ReadManifest(w.T.Context(), last.Date, func(archive.ManifestEntry) error { return nil })
	w.Check(err)
}

// age makes every object as old as the first.
func (w *evidenceWorld) age() {
	w.T.Helper()
	w.Check(filepath.WalkDir(w.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		return os.Chtimes(path, w.old, w.old)
	}))
}

// bucket is all that is in the bucket.
func (w *evidenceWorld) bucket() map[string][]byte {
	w.T.Helper()
	all := make(map[string][]byte)
	for o, err := range w.Archive.Bucket().List(w.T.Context(), "") {
		w.Check(err)
		all[o.Key] = w.Get(o.Key)
	}
	return all
}

// restore puts the bucket back as it was.
func (w *evidenceWorld) restore() {
	w.T.Helper()
	now := w.bucket()
	for key := range now {
		if _, was := w.saved[key]; !was {
			w.lose(key)
		}
	}
	for key, object := range w.saved {
		if is, there := now[key]; !there || !bytes.Equal(is, object) {
			w.put(key, object)
		}
	}
	w.age()
}

func (w *evidenceWorld) put(key string, object []byte) {
	w.T.Helper()
	_, err := w.Archive.Bucket().Replace(w.T.Context(), key, bytes.NewReader(object))
	w.Check(err)
}

func (w *evidenceWorld) lose(key string) {
	w.T.Helper()
	w.Check(w.Archive.Bucket().Remove(w.T.Context(), key))
}

// What a command makes of tampering.
const (
	silent  = ""
	notices = "○" // it tells of it, and ends well
	finds   = "●"
)

// found is what each of evidenceCommands makes of it.
func (w *evidenceWorld) found() []string {
	w.T.Helper()
	var found []string
	for _, c := range evidenceCommands {
		found = append(found, c.finds(w))
	}
	return found
}

// evidenceCommands are those that tell of tampering.
var evidenceCommands = []struct {
	name  string
	finds func(w *evidenceWorld) string
}{
	{"verify", func(w *evidenceWorld) string { return w.verifies(upkeep.VerifyOptions{}) }},
	{"verify --deep", func(w *evidenceWorld) string { return w.verifies(upkeep.VerifyOptions{Deep: true}) }},
	{"verify --manifests", func(w *evidenceWorld) string { return w.chain(archive.ChainOptions{}) }},
	{"verify --manifests --deep", func(w *evidenceWorld) string { return w.chain(archive.ChainOptions{Deep: true}) }},
	{"verify --database", func(w *evidenceWorld) string {
		faults, _ := w.verifyRows(upkeep.VerifyOptions{})
		return mark(len(faults) > 0)
	}},
	{"export", (*evidenceWorld).export},
	{"verify --manifests --head", func(w *evidenceWorld) string {
		return w.chain(archive.ChainOptions{Head: &w.head.SHA256, HeadDate: w.head.Date})
	}},
}

func mark(found bool) string {
	if found {
		return finds
	}
	return silent
}

func (w *evidenceWorld) verifies(o upkeep.VerifyOptions) string {
	w.T.Helper()
	faults, _ := w.verify(o)
	return mark(len(faults) > 0)
}

func (w *evidenceWorld) chain(o archive.ChainOptions) string {
	w.T.Helper()
	sum, err := w.Archive.VerifyChain(w.T.Context(), o, func(archive.Fault) {}, func(_, _ int64) {})
	w.Check(err)
	if sum.Faults == 0 && sum.Replaced > 0 {
		return notices
	}
	return mark(sum.Faults > 0)
}

// export says whether a package of all jobs is refused.
func (w *evidenceWorld) export() string {
	w.T.Helper()
	var jobs []store.JobDetails
	for id := int64(jobWithLog); id <= jobLonger; id++ {
		j, err := w.DB.JobDetails(w.T.Context(), id)
		if err != nil {
			return finds
		}
		jobs = append(jobs, j)
	}
	parent, err := os.MkdirTemp(w.dir+"/..", "export-*")
	w.Check(err)
	defer os.RemoveAll(parent)
	e := lookup.Evidence{Logs: lookup.Logs{DB: w.DB, Archive: w.Archive}, Subject: "auditor", Now: w.Now}
	err = e.Write(w.T.Context(), filepath.Join(parent, "package"), "everything", jobs)
	if entries, _ := os.ReadDir(parent); err != nil && len(entries) > 0 {
		w.T.Errorf("a package that was refused left %v", entries)
	}
	return mark(err != nil)
}
