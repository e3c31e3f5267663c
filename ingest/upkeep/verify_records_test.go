package upkeep_test

import (
	"bytes"
	"context"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// A record that was changed is written again if the database's rows give the one that
// was noted. If they were changed too, nothing is; one that is as it was noted is
// never touched, whatever the rows say.
func TestRecordsAreRepairedOnlyAsTheyWereNoted(t *testing.T) {
	t.Parallel()
	w := newEvidenceWorld(t)
	forged := func(id int64) {
		w.put(w.keyOf(id).Settled(), bytes.Replace(w.Get(w.keyOf(id).Settled()), []byte(`"settled_at":"2026`), []byte(`"settled_at":"2025`), 1))
	}
	for name, c := range map[string]struct {
		sql  string
		do   func()
		want []string
	}{
		"no log":            {"", func() { forged(jobMissing) }, []string{"8 settled repaired"}},
		"removed":           {"", func() { forged(jobRemoved) }, []string{"6 settled repaired"}},
		"lost":              {"", func() { w.lose(w.keyOf(jobRemoved).Settled()); w.lose(w.keyOf(jobSkipped).Settled()) }, []string{"3 settled repaired", "6 settled repaired"}},
		"no log, both":      {`UPDATE job_logs SET reason = 'because' WHERE job_id = 8`, func() { forged(jobMissing) }, []string{"8 settled"}},
		"removed, both":     {`UPDATE log_removals SET actor = 'mallory' WHERE job_id = 6`, func() { forged(jobRemoved) }, []string{"6 removals", "6 settled"}},
		"the row alone":     {`UPDATE log_removals SET sha256 = sha256('') WHERE job_id = 6`, func() {}, []string{"6 removals", "6 settled"}},
		"of before the log": {"", func() { forged(jobCameLate) }, []string{"4 settled"}},
	} {
		undo := w.tampered(c.sql)
		c.do()
		tampered := w.bucket()
		got, sum := w.verify(upkeep.VerifyOptions{Repair: true})
		if !cmp.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		after := w.bucket()
		switch {
		case sum.Repaired == sum.Faults && !sameObjects(after, w.saved):
			t.Errorf("%s: repaired, and not as it was", name)
		case sum.Repaired == 0 && !sameObjects(after, tampered):
			t.Errorf("%s: not repaired, and touched", name)
		}
		undo()
		w.restore()
	}
}

func sameObjects(a, b map[string][]byte) bool {
	for key, object := range a {
		if !bytes.Equal(b[key], object) {
			return false
		}
	}
	return len(a) == len(b)
}

// countingBucket counts what is asked of a bucket.
type countingBucket struct {
	bucket.Bucket
	asked atomic.Int64
}

func (b *countingBucket) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	b.asked.Add(1)
	return b.Bucket.Get(ctx, key, offset, length)
}

func (b *countingBucket) Size(ctx context.Context, key string) (int64, error) {
	b.asked.Add(1)
	return b.Bucket.Size(ctx, key)
}

// How often verify asks the bucket for a job, beside listing it: an archived log costs
// three requests, as it did before records were compared; a manifest of jobs whose
// objects were noted costs none for any of them.
func TestVerifyAsksLittle(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	const jobs = 5
	text := bytes.Repeat([]byte("a line\n"), 10_000)
	for id := range int64(jobs) {
		r.Know(ingesttest.Completed(id+1, r.Now(), githubsim.TextLog(text)))
		r.Try(id + 1)
	}
	counting := &countingBucket{Bucket: r.Archive.Bucket()}
	a, err := archive.New(counting, 1<<40)
	r.Check(err)
	r.Archive = a
	for _, c := range []struct {
		what string
		do   func()
		want int64
	}{
		{"verify", func() { r.verify(upkeep.VerifyOptions{Since: r.Now().AddDate(-1, 0, 0)}) }, 3 * jobs},
		{"manifest", func() { now.Advance(24 * time.Hour); r.writeManifests() }, 3}, // it is read twice, and the log of removals is looked for
	} {
		counting.asked.Store(0)
		c.do()
		if n := counting.asked.Load(); n != c.want {
			t.Errorf("%s asks %d times, want %d", c.what, n, c.want)
		}
	}
}
