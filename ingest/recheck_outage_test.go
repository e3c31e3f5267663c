package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// recheckFor has the worker ask, whenever it is due, until it is done or the time is over.
func (g *growing) recheckFor(limit time.Duration) (done bool) {
	g.T.Helper()
	rechecker := ingest.NewRechecker(g.Archiver())
	began := g.now.Now()
	for attempt := 1; g.now.Now().Sub(began) < limit; attempt++ {
		job := &river.Job[store.RecheckArgs]{JobRow: &rivertype.JobRow{Attempt: attempt}, Args: store.RecheckArgs{JobID: 1}}
		err := rechecker.Work(g.T.Context(), job)
		if err == nil {
			return true
		}
		var snooze *river.JobSnoozeError
		if ingesttest.AsSnooze(err, &snooze) {
			g.now.Advance(snooze.Duration)
			continue
		}
		g.now.Set(rechecker.NextRetry(job))
	}
	return false
}

// awayBucket takes nothing.
type awayBucket struct{ bucket.Bucket }

func (awayBucket) Put(context.Context, string, io.Reader) (int64, error) {
	return 0, errors.New("the bucket is away")
}

// The rest of a log is not lost because GitHub fails for an hour, or the bucket is away for
// days, just when it is asked for; who fails for longer is given up.
func TestARecheckOutlastsAnOutage(t *testing.T) {
	t.Parallel()
	full := logText(8000)
	for name, c := range map[string]struct {
		away  func(g *growing) (back func())
		lasts time.Duration
		lost  bool
	}{
		"GitHub fails for an hour":   {func(g *growing) func() { return g.GitHub.Inject(failing) }, time.Hour, false},
		"GitHub refuses for an hour": {func(g *growing) func() { return g.GitHub.Inject(githubsim.Fault{Kind: githubsim.Forbidden}) }, time.Hour, false},
		"GitHub refuses for a day":   {func(g *growing) func() { return g.GitHub.Inject(githubsim.Fault{Kind: githubsim.Forbidden}) }, aDay, true},
		"the token is no good for an hour": {func(g *growing) func() {
			return g.GitHub.Inject(githubsim.Fault{Kind: githubsim.Status, Status: 401})
		}, time.Hour, false},
		"the repository is hidden for an hour": {func(g *growing) func() {
			g.GitHub.RemoveRepository(ingesttest.Repository.ID)
			return func() { g.GitHub.AddRepository(ingesttest.Repository); g.GitHub.AddJob(g.job) }
		}, time.Hour, false},
		"GitHub limits us for an hour": {func(g *growing) func() {
			return g.GitHub.Inject(githubsim.Fault{Endpoint: log, Kind: githubsim.TooMany, RetryAfter: time.Second})
		}, time.Hour, false},
		"GitHub limits us for two days": {func(g *growing) func() {
			return g.GitHub.Inject(githubsim.Fault{Endpoint: log, Kind: githubsim.TooMany, RetryAfter: time.Second})
		}, 2 * aDay, true},
		"GitHub fails for a day": {func(g *growing) func() { return g.GitHub.Inject(failing) }, aDay, true},
		"the bucket is away for a week": {func(g *growing) func() {
			whole := g.Archive
			var err error
			g.Archive, err = archive.New(awayBucket{whole.Bucket()}, 1<<40)
			g.Check(err)
			return func() { g.Archive = whole }
		}, 7 * aDay, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := archivedCut(t, ingesttest.Options{}, "cancelled", full, 1000)
			g.now.Advance(store.RecheckDelay)
			back := c.away(g)
			if done := g.recheckFor(c.lasts); done != c.lost {
				t.Errorf("it is over: %t; %s", done, g.outcome())
			}
			back()
			g.recheckFor(aDay)
			if c.lost {
				g.keeps(full[:1000])
			} else {
				g.keeps(full, full[:1000])
			}
			if n := g.logRequests(); c.lost && n > 7 {
				t.Errorf("GitHub was asked %d times", n)
			}
		})
	}
}

// A job that is reported as completed while its log is asked for again may have more of it
// than the answer: it is asked for once more, although the report is read later.
func TestAReportDuringARecheck(t *testing.T) {
	t.Parallel()
	full := logText(8000)
	r := newRig(t, ingesttest.Options{})
	g := &growing{rig: r, job: ingesttest.Completed(1, time.Now(), githubsim.TextLog(full[:1000]))}
	g.job.Conclusion = ingesttest.Ptr("cancelled")
	r.Know(g.job)
	g.says(r.Try, "done", 0)
	g.grow(full[:2000])
	r.Exec(`UPDATE log_rechecks SET due_at = now() - interval '1 second'`)
	var report sync.Once
	r.GitHub.OnRequest(func(e githubsim.Endpoint, _ *http.Request) {
		if e == log {
			report.Do(func() {
				ds := r.GitHub.Deliveries(g.job)
				last := ds[len(ds)-1]
				last.GUID = fmt.Sprintf("00000000-0000-4000-8000-%012d", 1)
				r.Send([]githubsim.Delivery{last}, githubsim.SendOptions{})
			})
		}
	})
	g.says(r.Recheck, "done", 0)
	r.Drain()
	if got := g.outcome(); !strings.HasPrefix(got, "due t, tries 0, asked 1") {
		t.Error(got)
	}
}

// What is reported as completed again while its log is fetched for the first time, or after
// that and before the ledger tells of it, has its log asked for again.
func TestAReportDuringTheFirstFetch(t *testing.T) {
	t.Parallel()
	full := logText(8000)
	r := newRig(t, ingesttest.Options{})
	g := &growing{rig: r, job: ingesttest.Completed(1, time.Now(), githubsim.TextLog(full[:1000]))}
	r.Know(g.job)
	var report sync.Once
	r.GitHub.OnRequest(func(e githubsim.Endpoint, _ *http.Request) {
		if e == log {
			report.Do(func() {
				ds := r.GitHub.Deliveries(g.job)
				last := ds[len(ds)-1]
				last.GUID = fmt.Sprintf("00000000-0000-4000-8000-%012d", 1)
				r.Send([]githubsim.Delivery{last}, githubsim.SendOptions{})
				r.Drain()
			})
		}
	})
	g.says(r.Try, "done", 0)
	if got := g.outcome(); !strings.HasPrefix(got, "due t, tries 0, asked 0") {
		t.Fatal(got)
	}
	g.grow(full)
	r.Exec(`UPDATE log_rechecks SET due_at = now() - interval '1 second'`)
	g.says(r.Recheck, "done", 0)
	g.keeps(full, full[:1000])
}

// The log is asked for where its repository is, although its name is another's by now.
func TestARecheckOfARenamedRepository(t *testing.T) {
	t.Parallel()
	full := logText(8000)
	g := archivedCut(t, ingesttest.Options{}, "cancelled", full, 1000)
	renamed(g.rig)
	g.now.Advance(store.RecheckDelay)
	g.says(g.Recheck, "done", 0)
	g.keeps(full, full[:1000])
}

// Two workers that find a damaged object in the place of a log: the slower one does not
// replace what the ledger tells of by then, also if it loses the connection with its lock.
func TestTwoWorkersReplaceADamagedLog(t *testing.T) {
	t.Parallel()
	full := logText(9000)
	for name, lost := range map[string]bool{"beside each other": false, "after the lock is lost": true} {
		for _, again := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, longer %t", name, again), func(t *testing.T) {
				t.Parallel()
				var g *growing
				if again {
					g = archivedCut(t, ingesttest.Options{}, "cancelled", full, 1000)
					g.now.Advance(store.RecheckDelay)
				} else {
					g = &growing{rig: newRig(t, ingesttest.Options{}), job: ingesttest.Completed(1, time.Now(), githubsim.TextLog(full))}
					g.Know(g.job)
				}
				key, work, number := archive.JobKey{RepositoryID: ingesttest.Repository.ID, RunID: 101, RunAttempt: 1, JobID: 1}, g.Try, 1
				if again {
					work, number = g.Recheck, 2
				}
				_, err := g.Archive.Bucket().Put(t.Context(), key.LogNumbered(number), strings.NewReader("damaged"))
				g.Check(err)
				var began atomic.Bool // the other worker's request comes here too
				g.GitHub.OnRequest(func(e githubsim.Endpoint, _ *http.Request) {
					if e == log && began.CompareAndSwap(false, true) {
						if lost {
							g.Exec(`SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
								WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()`)
						}
						g.grow(full[:2000])
						work(1)
						g.grow(full[:3000])
					}
				})
				for range 4 {
					if says, _ := work(1); says == "done" {
						break
					}
				}
				e, err := g.DB.JobLog(t.Context(), 1)
				g.Check(err)
				if e.State != store.LogArchived || archive.LogNumber(*e.ObjectKey) != number {
					t.Fatalf("the ledger says %s, %v; %s", e.State, e.ObjectKey, g.outcome())
				}
				body, err := g.Archive.OpenLog(t.Context(), *e.ObjectKey)
				g.Check(err)
				text, err := io.ReadAll(body)
				g.Check(errors.Join(err, body.Close()))
				if int64(len(text)) != *e.RawBytes {
					t.Errorf("the ledger tells of %d bytes, the object has %d", *e.RawBytes, len(text))
				}
			})
		}
	}
}
