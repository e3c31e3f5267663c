package ingest_test

import (
	"container/heap"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// limitJobs is how many jobs the backfill has, unless JOBVAULT_TEST_LIMIT_JOBS
// says otherwise. The limit is half of it an hour: 10000 make it GitHub's own.
const limitJobs = 500

// due is a job that is to be worked on at a time.
type due struct {
	at   time.Time
	id   int64
	live bool
}

// agenda is a heap of what is due, live jobs first.
type agenda []due

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if !a[i].at.Equal(a[j].at) {
		return a[i].at.Before(a[j].at)
	}
	return a[i].live && !a[j].live
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(due)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// A backfill needs the requests of two hours, beside live jobs that need two fifths of
// the limit, on a simulated clock: no live job ever waits, and GitHub never has to refuse
// a request.
func TestBackfillDelaysNoLiveJob(t *testing.T) {
	t.Parallel()
	jobs := limitJobs
	if s := os.Getenv("JOBVAULT_TEST_LIMIT_JOBS"); s != "" {
		var err error
		if jobs, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now, GitHub: githubsim.Options{Now: now.Now, RateLimit: jobs / 2}})
	day := r.GitHub.AddHistory(githubsim.History{Seed: 5, Jobs: jobs, Runs: jobs / 50, Repositories: 1, Begin: now.Now().Add(-50 * 24 * time.Hour), NoDeliveries: true})
	hist, err := r.DB.SeeRepositories(t.Context(), []store.Repository{{ID: day.Repositories[0].ID, Owner: day.Repositories[0].Owner, Name: day.Repositories[0].Name}})
	r.Check(err)
	// The listing is a request for each run, and may have to wait itself.
	for {
		_, err := r.Sweeper().Backfill(t.Context(), hist[0], now.Now().Add(-60*24*time.Hour), now.Now())
		if err == nil {
			break
		}
		now.Advance(5 * time.Minute)
	}
	plan := &agenda{}
	for _, j := range day.Jobs {
		heap.Push(plan, due{at: now.Now(), id: j.ID})
	}
	waits, done := r.playAgenda(now, plan, jobs/10)
	if waits > 0 {
		t.Errorf("%d live jobs had to wait for the limit", waits)
	}
	if n := r.GitHub.LongestLimitRun(); n > 0 {
		t.Errorf("GitHub refused %d times in a row", n)
	}
	r.CompareDay(withLive(day, done))
	t.Logf("%d jobs of a backfill and %d live ones in %s, under a limit of %d an hour", len(day.Jobs), len(done), now.Now().Sub(ingesttest.NewClock().Now()), jobs/2)
}

// playAgenda works through the plan, with as many live jobs an hour besides,
// until the backfill is done. A request takes a tenth of a second. It returns how
// many live jobs were put off, and all live jobs.
func (r *rig) playAgenda(now *ingesttest.Clock, plan *agenda, perHour int) (waits int, live []githubsim.Job) {
	r.T.Helper()
	r.GitHub.OnRequest(func(githubsim.Endpoint, *http.Request) { now.Advance(100 * time.Millisecond) })
	archiver := r.Archiver()
	left := plan.Len()
	heap.Push(plan, due{at: now.Now(), live: true})
	for left > 0 {
		next := heap.Pop(plan).(due)
		if wait := next.at.Sub(now.Now()); wait > 0 {
			now.Advance(wait)
		}
		priority := store.PriorityBackfill
		if next.live {
			priority = store.PriorityLive
			if next.id == 0 { // a job ends, and the next one will
				next.id = int64(len(live) + 1)
				j := ingesttest.Completed(next.id, now.Now().Add(time.Minute), githubsim.TextLog([]byte("live\n")))
				live = append(live, j)
				r.Know(j)
				heap.Push(plan, due{at: now.Now().Add(time.Hour / time.Duration(perHour)), live: true})
			}
		}
		err := archiver.Work(r.T.Context(), &river.Job[store.ArchiveArgs]{
			JobRow: &rivertype.JobRow{Attempt: 1, Priority: int(priority)}, Args: store.ArchiveArgs{JobID: next.id},
		})
		var snooze *river.JobSnoozeError
		switch {
		case err == nil && !next.live:
			left--
		case err == nil:
		case ingesttest.AsSnooze(err, &snooze):
			if next.live {
				waits++
			}
			heap.Push(plan, due{at: now.Now().Add(snooze.Duration), id: next.id, live: next.live})
		default:
			r.T.Fatalf("job %d: %v", next.id, err)
		}
	}
	r.GitHub.OnRequest(nil)
	return waits, live
}

// A job of a backfill waits for its limit in its worker, so that it is not put off again
// and again with all others; when a webhook tells of it, it goes on at once; and it does
// not keep the process from ending.
func TestPastWaitsForItsLimitInPlace(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{GitHub: githubsim.Options{RateLimit: 40}})
	r.GitHub.AddRepository(ingesttest.Repository)
	var old []store.Facts
	var jobs []githubsim.Job
	for id := range int64(30) {
		j := ingesttest.Completed(id+1, time.Now(), githubsim.TextLog([]byte("x\n")))
		r.GitHub.AddJob(j)
		jobs = append(jobs, j)
		old = append(old, store.Facts{
			Repository: store.Repository{ID: ingesttest.Repository.ID, Owner: ingesttest.Repository.Owner, Name: ingesttest.Repository.Name},
			Run:        store.WorkflowRun{ID: j.RunID, RepositoryID: ingesttest.Repository.ID},
			Job:        store.Job{ID: j.ID, RunID: j.RunID, RepositoryID: ingesttest.Repository.ID, Status: store.StatusCompleted, CompletedAt: j.CompletedAt},
		})
	}
	r.Check(r.DB.RecordListed(t.Context(), old, time.Now(), store.PriorityBackfill))
	r.Work()
	// Half of the limit is the backfill's. Then its workers wait, and the rest with them.
	waiting := `(SELECT count(*) FROM queue.river_job WHERE kind = 'archive' AND state = 'running') = 8
		AND NOT EXISTS (SELECT FROM queue.river_job WHERE kind = 'archive' AND state = 'scheduled')
		AND (SELECT count(*) FROM job_logs WHERE state = 'archived') > 5`
	r.Await(20*time.Second, waiting)
	stuck := ingesttest.Scalar[int64](r.Rig, `SELECT min((args->>'job_id')::bigint) FROM queue.river_job WHERE kind = 'archive' AND state = 'running'`)
	r.Send(r.GitHub.Deliveries(jobs[stuck-1]), githubsim.SendOptions{})
	r.Await(20*time.Second, `(SELECT state = 'archived' FROM job_logs WHERE job_id = $1)`, stuck)
	r.Await(20*time.Second, waiting)
	r.StopWork()
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM queue.river_job WHERE kind = 'archive' AND state = 'running'`); n > 0 {
		t.Errorf("%d jobs were not given back", n)
	}
}

func withLive(day githubsim.Day, live []githubsim.Job) githubsim.Day {
	day.Jobs = append(day.Jobs[:len(day.Jobs):len(day.Jobs)], live...)
	expected := make(map[int64]string, len(day.Jobs))
	for id, state := range day.Expected {
		expected[id] = state
	}
	for _, j := range live {
		expected[j.ID] = "archived"
	}
	day.Expected = expected
	return day
}

// When somebody else uses up the same token, GitHub refuses one request, and no replica
// asks again before the reset.
func TestReplicasHeedALimitTogether(t *testing.T) {
	t.Parallel()
	for _, kind := range []githubsim.FaultKind{githubsim.PrimaryLimit, githubsim.SecondaryLimit, githubsim.TooMany} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			t.Parallel()
			now := ingesttest.NewClock()
			r := newRig(t, ingesttest.Options{Now: now.Now, GitHub: githubsim.Options{Now: now.Now}})
			var replicas []*ghapi.Client
			for range 3 {
				cs, err := ghapi.New(ghapi.Config{
					BaseURL: r.GitHub.URL(), Token: r.GitHub.Token(), Concurrency: 10, UserAgent: "replica", Now: now.Now,
					Limits: ingest.NewSharedLimits(r.DB),
				})
				r.Check(err)
				t.Cleanup(cs.Close)
				c, err := cs.For(t.Context(), nil, ingesttest.Repository.Owner, ingesttest.Repository.Name)
				r.Check(err)
				replicas = append(replicas, c)
			}
			r.GitHub.AddRepository(ingesttest.Repository)
			r.GitHub.AddJob(ingesttest.Completed(1, now.Now(), githubsim.Log{}))
			ask := func(i int) error {
				_, err := replicas[i%3].Job(t.Context(), ingesttest.Repository.Owner, ingesttest.Repository.Name, 1)
				return err
			}
			for i := range 3 {
				r.Check(ask(i))
			}
			for round := range 4 {
				r.GitHub.Inject(githubsim.Fault{Endpoint: job, Kind: kind, Times: 1, RetryAfter: 10 * time.Minute})
				if err := ask(round); err == nil {
					t.Fatal("the limit is not felt")
				}
				before := r.GitHub.Requests()[job]
				for range 9 {
					for i := range 3 {
						if err := ask(i); err == nil {
							t.Fatal("a replica does not know of the limit")
						}
					}
					now.Advance(time.Minute)
				}
				if after := r.GitHub.Requests()[job]; after != before {
					t.Fatalf("%d requests in spite of the limit", after-before)
				}
				now.Advance(2 * time.Minute)
				for i := range 3 {
					r.Check(ask(i))
				}
			}
			if n := r.GitHub.LongestLimitRun(); n != 1 {
				t.Errorf("refused %d times in a row", n)
			}
		})
	}
}

// Three replicas share what remains to the last request, without one too many.
func TestReplicasShareTheLastRequests(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now, GitHub: githubsim.Options{Now: now.Now, RateLimit: 200}})
	r.GitHub.AddRepository(ingesttest.Repository)
	r.GitHub.AddJob(ingesttest.Completed(1, now.Now(), githubsim.Log{}))
	answered := make(chan int)
	for range 3 {
		cs, err := ghapi.New(ghapi.Config{
			BaseURL: r.GitHub.URL(), Token: r.GitHub.Token(), Concurrency: 10, UserAgent: "replica", Now: now.Now, Limits: ingest.NewSharedLimits(r.DB),
		})
		r.Check(err)
		t.Cleanup(cs.Close)
		c, err := cs.For(t.Context(), nil, ingesttest.Repository.Owner, ingesttest.Repository.Name)
		r.Check(err)
		_, err = c.Job(t.Context(), ingesttest.Repository.Owner, ingesttest.Repository.Name, 1) // learns of the limit
		r.Check(err)
		for range 4 {
			go func() {
				n := 0
				for range 30 {
					if _, err := c.Job(t.Context(), ingesttest.Repository.Owner, ingesttest.Repository.Name, 1); err == nil {
						n++
					}
				}
				answered <- n
			}()
		}
	}
	total := 3
	for range 12 {
		total += <-answered
	}
	if total != 200 || r.GitHub.LongestLimitRun() > 0 {
		t.Errorf("%d of 200 requests were answered, and GitHub refused %d times in a row", total, r.GitHub.LongestLimitRun())
	}
}

// A backfill's job that is put off for longer than a limit lasts, because it was asked for in
// vain for days, does not keep its worker from others.
func TestALimitedJobOfABackfillLeavesItsWorker(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	r.Know(ingesttest.Completed(1, now.Now(), githubsim.TextLog([]byte("x\n"))))
	r.GitHub.Inject(githubsim.Fault{Endpoint: log, Kind: githubsim.TooMany, RetryAfter: time.Minute})
	// Longer than the limit, by a quarter of that.
	r.Exec(`UPDATE job_logs SET trying_since = $1`, now.Now().Add(-3*aDay))
	r.Exec(`UPDATE jobs SET fetched_at = $1`, now.Now())
	a := r.Archiver()
	_, err := ingest.NewWorkers(ingest.WorkersConfig{DB: r.DB, Archiver: a, Parallel: 1, Logger: r.Logger, Metrics: r.Metrics})
	r.Check(err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // who waits in place gives the job back then
	defer cancel()
	said := a.Work(ctx, &river.Job[store.ArchiveArgs]{JobRow: &rivertype.JobRow{Attempt: 1, Priority: int(store.PriorityBackfill)}, Args: store.ArchiveArgs{JobID: 1}})
	var snooze *river.JobSnoozeError
	if !ingesttest.AsSnooze(said, &snooze) || snooze.Duration <= time.Hour {
		t.Errorf("the worker says %v", said)
	}
}
