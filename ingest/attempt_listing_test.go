package ingest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// ofOneRun are jobs of one attempt that have completed.
func ofOneRun(n int, now time.Time) []githubsim.Job {
	jobs := make([]githubsim.Job, n)
	for i := range jobs {
		id := int64(i + 1)
		jobs[i] = ingesttest.Completed(id, now, githubsim.TextLog(fmt.Appendf(nil, "2026-01-01T00:00:00.0000000Z the log of %d\n", id)))
		jobs[i].RunID = 500
	}
	return jobs
}

// tryAll has each of the jobs tried once by one archive worker, which is to come to its end.
func (r *rig) tryAll(jobs ...githubsim.Job) {
	r.T.Helper()
	a := r.Archiver()
	for _, j := range jobs {
		if err := a.Work(r.T.Context(), archiveRow(j.ID)); err != nil {
			r.T.Errorf("job %d: %v", j.ID, err)
		}
	}
}

func archiveRow(id int64) *river.Job[store.ArchiveArgs] {
	return &river.Job[store.ArchiveArgs]{JobRow: &rivertype.JobRow{Attempt: 1, Priority: int(store.PriorityLive)}, Args: store.ArchiveArgs{JobID: id}}
}

// wantAsked wants so many requests for lists of an attempt and for single jobs.
func (r *rig) wantAsked(lists, jobs int64) {
	r.T.Helper()
	n := r.GitHub.Requests()
	if n[attempts] != lists || n[job] != jobs {
		r.T.Errorf("%d lists and %d jobs were asked for, want %d and %d", n[attempts], n[job], lists, jobs)
	}
}

// sent is what the server answers to a path.
func (r *rig) sent(path string) []byte {
	r.T.Helper()
	req, err := http.NewRequestWithContext(r.T.Context(), http.MethodGet, r.GitHub.URL()+path, nil)
	r.Check(err)
	req.Header.Set("Authorization", "Bearer "+r.GitHub.Token())
	resp, err := http.DefaultClient.Do(req)
	r.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	r.Check(err)
	return body
}

// The jobs of an attempt that have completed together are described by one request. What is
// kept of each is what stands in the answer, to the byte, whatever that is.
func TestJobsOfAnAttemptAreDescribedByOneList(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	jobs := ofOneRun(7, time.Now())
	jobs[3].Extra = map[string]any{"x_future": json.RawMessage("{ \"a\" :\t1.50e+01, \"é\": \"\\u00e9<&>\" }")}
	jobs[4].Omit = []string{"run_attempt", "node_id"}
	r.Know(jobs...)
	r.tryAll(jobs...)
	r.wantAsked(1, 0)
	var list struct{ Jobs []json.RawMessage }
	r.Check(json.Unmarshal(r.sent("repos/acme/rocket/actions/runs/500/attempts/1/jobs?per_page=100"), &list))
	if len(list.Jobs) != len(jobs) {
		t.Fatalf("%d jobs are listed, want %d", len(list.Jobs), len(jobs))
	}
	for i, j := range jobs {
		r.CompareObject(j.ID, "job.json", list.Jobs[i])
		r.CompareLog(j)
	}
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs JOIN job_logs ON job_id = id WHERE fetched_at IS NOT NULL AND state = 'archived' AND details_sha256 IS NOT NULL`); n != len(jobs) {
		t.Errorf("%d jobs are described and archived, want %d", n, len(jobs))
	}
}

// A list is asked for only if it costs fewer requests than the jobs that wait.
func TestAListIsAskedForWhereItSaves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		known, waiting int
		lists, jobs    int64
	}{
		"alone":                   {1, 1, 0, 1},
		"one of many":             {90, 1, 0, 1},
		"two of many":             {90, 2, 1, 0},
		"two of two pages":        {150, 2, 0, 2},
		"three of two pages":      {150, 3, 2, 0},
		"all of four pages":       {350, 350, 4, 0},
		"only those of one page":  {150, 90, 1, 0}, // the list is not read beyond what waits
		"a page and one more job": {101, 101, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, ingesttest.Options{})
			jobs := ofOneRun(c.known, time.Now())
			var waiting []githubsim.Job
			for i := range jobs {
				jobs[i].Log, jobs[i].Conclusion = githubsim.Log{}, ingesttest.Ptr("skipped") // no log is asked for
				jobs[i].RunnerID, jobs[i].RunnerName, jobs[i].Steps = nil, nil, nil
				switch {
				case name == "only those of one page" && i < c.waiting, name != "only those of one page" && i >= c.known-c.waiting:
					waiting = append(waiting, jobs[i])
				default:
					jobs[i].Status, jobs[i].Conclusion, jobs[i].CompletedAt = "in_progress", nil, nil
				}
			}
			r.Know(jobs...)
			r.tryAll(waiting...)
			r.wantAsked(c.lists, c.jobs)
			if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM job_logs WHERE state = 'none'`); n != c.waiting {
				t.Errorf("%d jobs are settled, want %d", n, c.waiting)
			}
		})
	}
}

// Where the list fails, or does not have a job as completed, the job itself is asked for, as
// if it were alone; and where that fails, too, it is what decides.
func TestWhatAListDoesNotDescribeIsAskedFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*githubsim.Server, []githubsim.Job)
		jobs  int64
	}{
		"the list fails": {func(gh *githubsim.Server, _ []githubsim.Job) {
			gh.Inject(githubsim.Fault{Endpoint: attempts, Kind: githubsim.ServerError})
		}, 4},
		"no such list": {func(gh *githubsim.Server, _ []githubsim.Job) {
			gh.Inject(githubsim.Fault{Endpoint: attempts, Kind: githubsim.NotFoundJSON})
		}, 4},
		"a page for people": {func(gh *githubsim.Server, _ []githubsim.Job) {
			gh.Inject(githubsim.Fault{Endpoint: attempts, Kind: githubsim.HTML200})
		}, 4},
		"not in the list": {func(gh *githubsim.Server, jobs []githubsim.Job) {
			jobs[1].ListedAttempt = 9
			gh.AddJob(jobs[1])
		}, 1},
		"listed with another attempt": {func(gh *githubsim.Server, jobs []githubsim.Job) {
			jobs[2].ListsRunAttempt = 2
			gh.AddJob(jobs[2])
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, ingesttest.Options{})
			jobs := ofOneRun(4, time.Now())
			r.Know(jobs...)
			c.spoil(r.GitHub, jobs)
			r.tryAll(jobs...)
			if n := r.GitHub.Requests()[job]; n != c.jobs {
				t.Errorf("%d jobs were asked for by themselves, want %d", n, c.jobs)
			}
			for _, j := range jobs {
				r.CompareLog(j)
				r.CompareObject(j.ID, "job.json", r.sent(fmt.Sprintf("repos/acme/rocket/actions/jobs/%d", j.ID)))
			}
		})
	}
}

// One job of a list that nobody can use harms no other.
func TestABadJobInAListHarmsNoOther(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	jobs := ofOneRun(4, time.Now())
	r.Know(jobs...)
	bad := jobs[2]
	bad.Labels = []string{strings.Repeat("x", 2000)}
	r.GitHub.AddJob(bad)
	r.tryAll(jobs[0], jobs[1], jobs[3])
	r.wantAsked(1, 0)
	if says, _ := r.Try(bad.ID); says != "snooze" {
		t.Errorf("the bad one: %s", says)
	}
	r.wantAsked(1, 1)
}

// Jobs that the API does not call completed yet are not believed to be, by a list either, and
// when they are asked for again, no list is.
func TestAListMayBeBehindItsWebhooks(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	jobs := ofOneRun(4, time.Now())
	r.Know(jobs...)
	for _, behind := range jobs[1:3] {
		behind.Status, behind.Conclusion, behind.CompletedAt = "in_progress", nil, nil
		r.GitHub.AddJob(behind)
	}
	a := r.Archiver()
	try := func(id int64, done bool) {
		t.Helper()
		if err := a.Work(t.Context(), archiveRow(id)); (err == nil) != done {
			t.Errorf("job %d: %v", id, err)
		}
	}
	try(2, false)
	r.wantAsked(1, 1)
	try(1, true)
	try(4, true)
	r.wantAsked(1, 1)
	try(3, false)
	r.wantAsked(2, 2)
	try(2, false)
	try(3, false)
	r.wantAsked(2, 4)
	r.GitHub.AddJob(jobs[1])
	try(2, true)
	r.wantAsked(2, 5)
	r.CompareLog(jobs[1])
}

// Processes that work on jobs of one attempt at the same time list it once.
func TestAnAttemptIsListedOnceByAll(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	const n = 24
	jobs := ofOneRun(n, time.Now())
	r.Know(jobs...)
	processes := []func(context.Context, *river.Job[store.ArchiveArgs]) error{r.Archiver().Work, r.Archiver().Work, r.Archiver().Work}
	begun := make(chan struct{}, n)
	all := make(chan struct{})
	r.GitHub.OnRequest(func(e githubsim.Endpoint, _ *http.Request) {
		if e == attempts {
			<-all // nobody has described anything before all have begun
		}
	})
	var working sync.WaitGroup
	for i, j := range jobs {
		working.Go(func() {
			begun <- struct{}{}
			if err := processes[i%len(processes)](t.Context(), archiveRow(j.ID)); err != nil {
				t.Errorf("job %d: %v", j.ID, err)
			}
		})
	}
	for range n {
		<-begun
	}
	close(all)
	working.Wait()
	r.wantAsked(1, 0)
	for _, j := range jobs {
		r.CompareLog(j)
	}
}

// A worker that was killed between the bucket and the rows, or after the rows of a part,
// leaves what the next one goes on with; what was kept first counts.
func TestAListGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	jobs := ofOneRun(3, time.Now())
	r.Know(jobs...)
	r.tryAll(jobs...)
	r.wantAsked(1, 0)
	r.Exec(`UPDATE jobs SET fetched_at = NULL WHERE id <> 2`)
	r.Exec(`UPDATE job_logs SET state = 'pending', settled_at = NULL, object_key = NULL, raw_bytes = NULL,
		stored_bytes = NULL, lines = NULL, sha256 = NULL, frame_lines = NULL, frame_offsets = NULL, archived_at = NULL`)
	for _, j := range jobs {
		j.Name = "renamed meanwhile"
		r.GitHub.AddJob(j)
	}
	r.tryAll(jobs...)
	r.wantAsked(2, 0)
	names := r.Rows(`SELECT name FROM jobs ORDER BY id`)
	for i, j := range jobs {
		if names[i]["name"] != j.Name {
			t.Errorf("the row of job %d says %q, and its job.json %q", j.ID, names[i]["name"], j.Name)
		}
		r.CompareLog(j)
	}
}

// A job that no webhook told of is archived as well if a list tells of it, unless its
// repository is not selected.
func TestAListTellsOfJobsWithoutWebhooks(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]int64{"acme/rocket": {1, 2, 3}, "acme/other": {1, 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, ingesttest.Options{})
			jobs := ofOneRun(3, time.Now())
			r.Know(jobs[:2]...)
			r.GitHub.AddJob(jobs[2])
			r.Selected = func(repository string) bool { return repository == name }
			r.Work()
			r.Await(time.Minute, ingesttest.Settled+` AND NOT EXISTS (SELECT FROM queue.river_job WHERE kind = 'archive' AND state <> 'completed')`)
			var got []int64
			for _, row := range r.Rows(`SELECT job_id FROM job_logs WHERE state = 'archived' ORDER BY 1`) {
				got = append(got, row["job_id"].(int64))
			}
			if !slices.Equal(got, want) {
				t.Errorf("archived are %v, want %v", got, want)
			}
			r.wantAsked(1, 0)
		})
	}
}

// A job that is listed as completed, and says of itself that it has not, is not described yet;
// nor is the list taken for one that will not change.
func TestAListDoesNotSayMoreThanItsJobs(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	jobs := ofOneRun(4, time.Now())
	jobs[2].Extra = map[string]any{"run_attempt": 2} // so that it is asked for itself
	r.Know(jobs[0], jobs[1], jobs[3])
	r.GitHub.AddJob(jobs[2])
	remove := r.GitHub.Inject(githubsim.Fault{Endpoint: job, JobID: 3, Kind: githubsim.Status, Status: 200, Body: `{"id":3,"run_id":500,"run_attempt":1,"status":"in_progress","name":"x"}`})
	r.tryAll(jobs[0], jobs[1], jobs[3])
	r.wantAsked(1, 1)
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs WHERE status <> 'completed' AND fetched_at IS NOT NULL`); n != 0 {
		t.Error("a job that has not completed is described for good")
	}
	r.sweepRecent(r.knowRepository())
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM attempt_lists`); n != 0 {
		t.Error("a list that says more than its jobs is noted")
	}
	remove()
	r.sweepRecent(r.knowRepository())
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM jobs WHERE status = 'completed' AND fetched_at IS NOT NULL`); n != len(jobs) {
		t.Errorf("%d of %d jobs are described", n, len(jobs))
	}
}

// A job that a list has twice counts once, and in the place of no other: the list is not noted,
// and the job that it lacks is asked for.
func TestAJobThatIsListedTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	jobs := ofOneRun(4, time.Now())
	r.Know(jobs...)
	var list struct{ Jobs []json.RawMessage }
	r.Check(json.Unmarshal(r.sent("repos/acme/rocket/actions/runs/500/attempts/1/jobs?per_page=100"), &list))
	list.Jobs[3] = list.Jobs[0]
	body, err := json.Marshal(map[string]any{"total_count": 4, "jobs": list.Jobs})
	r.Check(err)
	r.GitHub.Inject(githubsim.Fault{
		Endpoint: attempts, Kind: githubsim.Status, Status: 200, Header: http.Header{"Etag": {`"twice"`}, "Content-Type": {"application/json"}}, Body: string(body),
	})
	before := r.GitHub.Requests()[attempts]
	r.tryAll(jobs...)
	r.wantAsked(before+1, 1)
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM attempt_lists`); n != 0 {
		t.Error("a list that lacks a job is noted")
	}
	for _, j := range jobs {
		r.CompareLog(j)
	}
}

// A list that fails, or has none of the jobs, is not asked for by each of them.
func TestAListThatIsOfNoUseIsNotAskedForByEach(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]githubsim.Fault{
		"fails":       {Kind: githubsim.ServerError},
		"has no jobs": {Kind: githubsim.Status, Status: 200, Body: `{"total_count":9,"jobs":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, ingesttest.Options{})
			jobs := ofOneRun(4, time.Now())
			r.Know(jobs...)
			fault.Endpoint = attempts
			r.GitHub.Inject(fault)
			r.tryAll(jobs...)
			lists := r.GitHub.Requests()[attempts]
			if n := r.GitHub.Requests()[job]; n != int64(len(jobs)) || lists > 3 {
				t.Errorf("%d lists and %d jobs were asked for", lists, n)
			}
			for _, j := range jobs {
				r.CompareLog(j)
			}
		})
	}
}
