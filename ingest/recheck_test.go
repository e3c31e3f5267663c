package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

// growing is a job whose log is archived cut off, while GitHub has all of it by now.
type growing struct {
	*rig
	now  *ingesttest.Clock
	job  githubsim.Job
	cut  []byte
	full []byte
}

// logText is a log of so many bytes.
func logText(size int) []byte {
	return githubsim.GeneratedLog(7, int64(size), githubsim.LogStyle{}).Bytes()
}

// archivedCut archives the beginning of a log of a job with this conclusion.
func archivedCut(t *testing.T, o ingesttest.Options, conclusion string, full []byte, cut int) *growing {
	t.Helper()
	now := ingesttest.NewClock()
	o.Now = now.Now
	g := &growing{rig: newRig(t, o), now: now, cut: full[:cut], full: full}
	g.job = ingesttest.Completed(1, now.Now(), githubsim.TextLog(g.cut))
	g.job.Conclusion = &conclusion
	g.Know(g.job)
	g.says(g.Try, "done", 0)
	g.grow(full)
	return g
}

// grow has GitHub have another log of the job.
func (g *growing) grow(text []byte) {
	g.job.Log = githubsim.TextLog(text)
	g.GitHub.AddJob(g.job)
}

// says wants a worker to say something to River, and to wait for so long at least.
func (g *growing) says(work func(int64) (string, time.Duration), want string, pause time.Duration) {
	g.T.Helper()
	if says, after := work(1); says != want || after < pause {
		g.T.Fatalf("the worker says %s %s, want %s %s; %s", says, after, want, pause, g.outcome())
	}
}

func (g *growing) outcome() string {
	g.T.Helper()
	return ingesttest.Scalar[string](g.Rig, `SELECT coalesce((SELECT format('due %s, tries %s, asked %s: %s', due_at IS NOT NULL, tries, asked, outcome) FROM log_rechecks), 'no recheck')`)
}

// keeps wants the ledger and the bucket to have this log, and of shorter ones those.
func (g *growing) keeps(want []byte, shorter ...[]byte) {
	g.T.Helper()
	entry, err := g.DB.JobLog(g.T.Context(), 1)
	g.Check(err)
	logs := append(shorter, want)
	for i, s := range entry.Shorter {
		if i >= len(shorter) || s.RawBytes != int64(len(shorter[i])) || s.Number != i+1 {
			g.T.Errorf("shorter log %d is %+v", i+1, s)
		}
	}
	if len(entry.Shorter) != len(shorter) || *entry.RawBytes != int64(len(want)) {
		g.T.Fatalf("the ledger has a log of %d bytes and %d shorter ones, want %d and %d; %s", *entry.RawBytes, len(entry.Shorter), len(want), len(shorter), g.outcome())
	}
	key, _, _ := archive.ParseKey(*entry.ObjectKey)
	if *entry.ObjectKey != key.LogNumbered(len(logs)) {
		g.T.Errorf("the log is %s, of %d", *entry.ObjectKey, len(logs))
	}
	for i, text := range logs {
		body, err := g.Archive.OpenLog(g.T.Context(), key.LogNumbered(i+1))
		g.Check(err)
		got, err := io.ReadAll(body)
		g.Check(errors.Join(err, body.Close()))
		if !bytes.Equal(got, text) {
			g.T.Errorf("log %d has %d bytes, want %d as sent", i+1, len(got), len(text))
		}
	}
}

func (g *growing) logRequests() int { return int(g.GitHub.RequestsFor(1)[log]) }

// Which logs are asked for again: once, after two minutes; and none of an ordinary job of
// GitHub's.
func TestWhichLogsAreAskedForAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, conclusion string
		direct           bool
		age              time.Duration // of the job when it is archived, beside a minute, by its server's clock
		heard            time.Duration // how long ago a webhook reported it
		again            bool
	}{
		{name: "GitHub's, successful", conclusion: "success"},
		{name: "GitHub's, failed", conclusion: "failure"},
		{name: "cancelled", conclusion: "cancelled", again: true},
		{name: "timed out", conclusion: "timed_out", again: true},
		{name: "another server's", conclusion: "success", direct: true, again: true},
		{name: "cancelled long ago", conclusion: "cancelled", age: 2 * time.Hour, heard: 2 * time.Hour},
		{name: "another server's, of long ago", conclusion: "success", direct: true, age: 2 * time.Hour, heard: 2 * time.Hour},
		{name: "cancelled now, by a clock that is slow", conclusion: "cancelled", age: 2 * time.Hour, again: true},
		{name: "another server's, by a clock that is years slow", conclusion: "success", direct: true, age: 20_000 * time.Hour, again: true},
		{name: "cancelled now, by a clock that is fast", conclusion: "cancelled", age: -20_000 * time.Hour, again: true},
		{name: "GitHub's, by a clock that is slow", conclusion: "success", age: 2 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			now := ingesttest.NewClock()
			g := &growing{rig: newRig(t, ingesttest.Options{Now: now.Now, GitHub: githubsim.Options{DirectLogs: c.direct}}), now: now}
			full := logText(100_000)
			g.job = ingesttest.Completed(1, now.Now().Add(-c.age), githubsim.TextLog(full[:70_000]))
			g.job.Conclusion = &c.conclusion
			g.Know(g.job)
			g.Exec(`UPDATE deliveries SET received_at = now() - $1::interval`, c.heard)
			g.says(g.Try, "done", 0)
			g.grow(full)
			if queued := ingesttest.Scalar[int](g.Rig, `SELECT count(*) FROM queue.river_job WHERE kind = 'recheck'`); queued != map[bool]int{true: 1}[c.again] {
				t.Errorf("%d rows in the queue", queued)
			}
			if !c.again {
				now.Advance(time.Hour)
				g.says(g.Recheck, "done", 0)
				g.keeps(full[:70_000])
				return
			}
			g.says(g.Recheck, "snooze", store.RecheckDelay)
			now.Advance(store.RecheckDelay)
			g.says(g.Recheck, "done", 0)
			g.keeps(full, full[:70_000])
			g.grow(append(bytes.Clone(full), "never seen\n"...))
			now.Advance(24 * time.Hour)
			g.says(g.Recheck, "done", 0)
			g.keeps(full, full[:70_000])
			if n := g.logRequests(); n != 2 {
				t.Errorf("GitHub was asked %d times for the log", n)
			}
			if lines := ingesttest.Scalar[int64](g.Rig, `SELECT lines FROM job_logs`); lines != int64(bytes.Count(full, []byte("\n"))) {
				t.Errorf("the ledger has %d lines", lines)
			}
		})
	}
}

// Whatever GitHub answers, only a longer log that begins with the archived one takes its
// place; and the number of requests is bounded.
func TestNothingElseReplacesALog(t *testing.T) {
	t.Parallel()
	full := logText(4000)
	cut := full[:3000]
	flipped := append(bytes.Clone(cut), "more"...)
	flipped[10] ^= 1
	for name, c := range map[string]struct {
		text    []byte // nil: all of it
		fault   *githubsim.Fault
		says    string
		outcome string
	}{
		"the same":                {text: cut, says: "done", outcome: "no longer log"},
		"shorter":                 {text: cut[:100], says: "done", outcome: "no longer log"},
		"empty":                   {text: []byte{}, says: "done", outcome: "no longer log"},
		"longer, and another one": {text: flipped, says: "done", outcome: "no longer log"},
		"gone":                    {fault: &githubsim.Fault{Endpoint: log, Kind: githubsim.Gone}, says: "done", outcome: "Server Error"},
		"not there":               {fault: &githubsim.Fault{Endpoint: blb, Kind: githubsim.NotFoundXML}, says: "done", outcome: "BlobNotFound"},
		"forbidden":               {fault: &githubsim.Fault{Endpoint: log, Kind: githubsim.Forbidden}, says: "retry", outcome: "given up: get log of job 1: denied (403)"},
		"401":                     {fault: &githubsim.Fault{Endpoint: log, Kind: githubsim.Status, Status: 401}, says: "retry", outcome: "given up: "},
		"404 of the API":          {fault: &githubsim.Fault{Endpoint: log, Kind: githubsim.Status, Status: 404}, says: "retry", outcome: "given up: "},
		"a page":                  {fault: &githubsim.Fault{Endpoint: blb, Kind: githubsim.HTML200}, says: "retry", outcome: "given up"},
		"a long page as text": {fault: &githubsim.Fault{Endpoint: blb, Kind: githubsim.Status, Status: 200, Body: strings.Repeat("service unavailable ", 1000)},
			says: "done", outcome: "no longer log"},
		"cut short":             {fault: &githubsim.Fault{Endpoint: blb, Kind: githubsim.CutBody, After: 3500}, says: "retry", outcome: "given up"},
		"cut short, in chunks":  {fault: &githubsim.Fault{Endpoint: blb, Kind: githubsim.CutChunked, After: 3500}, says: "retry", outcome: "given up"},
		"another checksum":      {fault: &githubsim.Fault{Endpoint: blb, Kind: githubsim.WrongMD5}, says: "retry", outcome: "given up"},
		"500":                   {fault: &githubsim.Fault{Endpoint: log, Kind: githubsim.ServerError}, says: "retry", outcome: "given up"},
		"the limit is used up":  {fault: &githubsim.Fault{Endpoint: log, Kind: githubsim.PrimaryLimit, RetryAfter: time.Minute}, says: "snooze", outcome: "tries 1"},
		"the storage says 206":  {fault: &githubsim.Fault{Endpoint: blb, Kind: githubsim.Status, Status: 206, Body: string(full)}, says: "retry", outcome: "given up"},
		"the storage redirects": {fault: &githubsim.Fault{Endpoint: log, Kind: githubsim.Status, Status: 302}, says: "retry", outcome: "given up"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := archivedCut(t, ingesttest.Options{}, "cancelled", full, len(cut))
			if c.text != nil {
				g.grow(c.text)
			}
			if c.fault != nil {
				defer g.GitHub.Inject(*c.fault)()
			}
			before := g.logRequests()
			g.now.Advance(store.RecheckDelay)
			g.says(g.Recheck, c.says, 0)
			for range 10 {
				if says, _ := g.Recheck(1); says == "done" {
					break
				}
			}
			g.keeps(cut)
			if got := g.outcome(); !strings.Contains(got, c.outcome) {
				t.Errorf("what came of it: %s", got)
			}
			if n := g.logRequests() - before; n > 6 || c.says == "done" && n != 1 {
				t.Errorf("GitHub was asked %d times", n)
			}
		})
	}
}

// A job that is reported as completed again, whatever its conclusion, has its log asked
// for again; not so one that a webhook reports late, nor one that is reported all the time.
func TestCompletedAgain(t *testing.T) {
	t.Parallel()
	full := logText(8000)
	g := archivedCut(t, ingesttest.Options{}, "success", full, 1000)
	if got := g.outcome(); got != "no recheck" {
		t.Fatal(got)
	}
	completed := func(guid string) {
		t.Helper()
		ds := g.GitHub.Deliveries(g.job)
		last := ds[len(ds)-1]
		last.GUID = guid
		g.Send([]githubsim.Delivery{last}, githubsim.SendOptions{})
		g.Drain()
	}
	ds := g.GitHub.Deliveries(g.job)
	completed(ds[len(ds)-1].GUID) // the same delivery again
	if got := g.outcome(); got != "no recheck" {
		t.Fatal(got)
	}
	for i := range 5 {
		g.grow(full[:2000+1000*i])
		completed(fmt.Sprintf("00000000-0000-4000-8000-%012d", i+1))
		g.now.Set(time.Now().Add(time.Duration(i+1) * time.Hour))
		g.says(g.Recheck, "done", 0)
		g.Exec(`UPDATE log_rechecks SET asked_at = '-infinity'`) // deliveries have the time of Postgres
	}
	g.keeps(full[:4000], full[:1000], full[:2000], full[:3000])
	if n := g.logRequests(); n != 4 {
		t.Errorf("GitHub was asked %d times for the log", n)
	}
	if got := g.outcome(); !strings.Contains(got, "due f, tries 0, asked 3") {
		t.Error(got)
	}
}

// A job that a sweep found, and a webhook reports for the first time after its log was
// archived, is reported once.
func TestALateWebhookAsksForNothing(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	j := ingesttest.Completed(1, now.Now(), githubsim.TextLog(logText(1000)))
	r.GitHub.AddRepository(ingesttest.Repository)
	r.GitHub.AddJob(j)
	ds := r.GitHub.Deliveries(j)
	r.Send(ds[:1], githubsim.SendOptions{})
	r.Drain()
	if says, _ := r.Try(1); says != "done" {
		t.Fatal(says)
	}
	r.Send(ds, githubsim.SendOptions{})
	r.Drain()
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM log_rechecks`); n != 0 {
		t.Error("it is asked for again")
	}
}

// dyingBucket dies at its n-th upload from 1: before it, or once it is whole. Then it does
// nothing any more, as if its process had been killed.
type dyingBucket struct {
	bucket.Bucket
	mu    sync.Mutex
	left  int
	whole bool
	dead  bool
}

var errKilled = errors.New("killed")

func (b *dyingBucket) Put(ctx context.Context, key string, r io.Reader) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left--
	if b.dead || b.left == 0 && !b.whole {
		b.dead = true
		return 0, errKilled
	}
	n, err := b.Bucket.Put(ctx, key, r)
	if b.left == 0 {
		b.dead = true
		return 0, errKilled
	}
	return n, err
}

// Killed at each point, it goes on where it was, with what is in the bucket, and asks no
// more than it must.
func TestALongerLogIsKilledAtEachPoint(t *testing.T) {
	t.Parallel()
	full := logText(300_000)
	for name, bucketURL := range map[string]func(*testing.T) string{
		"file":                func(t *testing.T) string { return testenv.FileBucketURL(t) },
		"s3 with Object Lock": func(t *testing.T) string { return testenv.S3LockedBucketURL(t) + "&lock=governance&lock_days=1" },
	} {
		for upload := 1; upload <= 2; upload++ {
			for _, whole := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/upload %d, whole %t", name, upload, whole), func(t *testing.T) {
					t.Parallel()
					g := archivedCut(t, ingesttest.Options{BucketURL: bucketURL(t)}, "cancelled", full, 100_000)
					g.now.Advance(store.RecheckDelay)
					alive := g.Archive
					var err error
					g.Archive, err = archive.New(&dyingBucket{Bucket: alive.Bucket(), left: upload, whole: whole}, 1<<40)
					g.Check(err)
					g.says(g.Recheck, "retry", 0)
					g.Archive = alive
					if got := ingesttest.Scalar[int64](g.Rig, `SELECT raw_bytes FROM job_logs`); got != 100_000 {
						t.Errorf("the ledger tells of %d bytes already", got)
					}
					g.says(g.Recheck, "done", 0)
					g.keeps(full, full[:100_000])
					want := 2
					if upload == 1 && !whole {
						want = 3
					}
					if n := g.logRequests(); n != want {
						t.Errorf("GitHub was asked %d times for the log, want %d", n, want)
					}
				})
			}
		}
	}
	t.Run("after the ledger", func(t *testing.T) {
		t.Parallel()
		g := archivedCut(t, ingesttest.Options{}, "cancelled", full, 100_000)
		g.now.Advance(store.RecheckDelay)
		g.says(g.Recheck, "done", 0)
		g.Exec(`UPDATE log_rechecks SET due_at = '2026-01-01', asked = 0`)
		g.says(g.Recheck, "done", 0)
		g.keeps(full, full[:100_000])
	})
}

// Two workers at once: one log takes the place, once.
func TestTwoWorkersLengthenOneLog(t *testing.T) {
	t.Parallel()
	full := logText(200_000)
	g := archivedCut(t, ingesttest.Options{}, "cancelled", full, 100_000)
	g.now.Advance(store.RecheckDelay)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if says, _ := g.Recheck(1); says != "done" {
				t.Errorf("a worker says %s", says)
			}
		})
	}
	wg.Wait()
	g.keeps(full, full[:100_000])
}

// What the log tells is what the longer one tells.
func TestRowsAreThoseOfTheLongerLog(t *testing.T) {
	t.Parallel()
	full := []byte("2026-03-01T11:58:00.0000000Z ##[group]Run make\n2026-03-01T11:58:01.0000000Z ##[error]cancelled\n2026-03-01T11:58:02.0000000Z ##[warning]left behind\n")
	g := archivedCut(t, ingesttest.Options{}, "cancelled", full, bytes.IndexByte(full, '\n')+1)
	annotations := `SELECT coalesce(string_agg(format('%s %s %s', log_line, level, message), '; ' ORDER BY log_line), '') FROM job_annotations`
	if got := ingesttest.Scalar[string](g.Rig, annotations); got != "" {
		t.Fatal(got)
	}
	g.Exec(`UPDATE job_logs SET manifest_date = '2026-03-01'`)
	g.now.Advance(store.RecheckDelay)
	g.says(g.Recheck, "done", 0)
	if diff := cmp.Diff("2 error cancelled; 3 warning left behind", ingesttest.Scalar[string](g.Rig, annotations)); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	if ingesttest.Scalar[bool](g.Rig, `SELECT manifest_date IS NOT NULL FROM job_logs`) {
		t.Error("no manifest will list the longer log")
	}
}

// The workers do it by themselves, also if the queue lost its row.
func TestWorkersAskAgain(t *testing.T) {
	t.Parallel()
	full := logText(5000)
	r := newRig(t, ingesttest.Options{})
	g := &growing{rig: r}
	g.job = ingesttest.Completed(1, time.Now(), githubsim.TextLog(full[:1000]))
	g.job.Conclusion = ingesttest.Ptr("cancelled")
	r.Know(g.job)
	if says, _ := r.Try(1); says != "done" {
		t.Fatal(says)
	}
	g.grow(full)
	r.Exec(`DELETE FROM queue.river_job WHERE kind = 'recheck'`)
	r.Exec(`UPDATE log_rechecks SET due_at = now() - interval '1 second'`)
	n, err := r.DB.RequeueRechecks(t.Context())
	r.Check(err)
	again, err := r.DB.RequeueRechecks(t.Context())
	if r.Check(err); n != 1 || again != 0 {
		t.Errorf("requeued %d, and then %d", n, again)
	}
	r.Work()
	r.Await(30*time.Second, `SELECT raw_bytes = 5000 FROM job_logs`)
	r.Await(30*time.Second, `SELECT due_at IS NULL AND asked = 1 FROM log_rechecks`)
	g.keeps(full, full[:1000])
}
