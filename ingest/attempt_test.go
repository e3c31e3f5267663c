package ingest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// sweepRecent sweeps once, and wants no error.
func (r *rig) sweepRecent(repo store.Repository) {
	r.T.Helper()
	_, err := r.Sweeper().Recent(r.T.Context(), repo, time.Time{})
	r.Check(err)
}

// attemptOf is the run_attempt in a job's row.
func attemptOf(r *rig, id int64) int64 {
	r.T.Helper()
	return ingesttest.Scalar[int64](r.Rig, `SELECT coalesce(run_attempt, -1) FROM jobs WHERE id = $1`, id)
}

// If a list says another attempt than the job itself, in a webhook or in its own answer,
// the job is believed.
func TestAttemptIsWhatTheJobSays(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	repo := r.knowRepository()
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	inRun := func(id, says, listedIn, listedAs int64) githubsim.Job {
		j := ingesttest.Completed(id, at.Add(time.Minute), githubsim.TextLog([]byte("x\n")))
		j.RunID, j.RunAttempt, j.ListedAttempt, j.ListsRunAttempt = 500, says, listedIn, listedAs
		r.GitHub.AddJob(j)
		return j
	}
	inRun(1, 1, 1, 0)
	inRun(2, 1, 2, 0)            // the list of attempt 2 has it, and says 1
	told := inRun(3, 1, 2, 2)    // the list says 2, a webhook said 1
	carried := inRun(4, 1, 2, 2) // the list says 2, and it ended before it was created
	carried.CreatedAt = at.Add(30 * time.Second)
	r.GitHub.AddJob(carried)
	inRun(5, 2, 2, 0)
	inRun(6, 2, 3, 0) // only a third attempt's list has it
	r.Send(r.GitHub.Deliveries(told), githubsim.SendOptions{})
	r.Drain()
	r.Work()
	r.sweepRecent(repo)
	r.Await(time.Minute, ingesttest.Settled)
	for id, want := range map[int64]int64{1: 1, 2: 1, 3: 1, 4: 1, 5: 2, 6: 2} {
		if got := attemptOf(r, id); got != want {
			t.Errorf("job %d is of attempt %d, want %d", id, got, want)
		}
	}
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM job_logs WHERE state = 'archived'`); n != 6 {
		t.Errorf("%d of 6 logs archived", n)
	}
	// All of it is known: nothing is listed again but the runs.
	before := r.GitHub.Requests()
	r.sweepRecent(repo)
	if after := r.GitHub.Requests(); after[attempts] != before[attempts] || after[githubsim.EndpointRunJobs] != before[githubsim.EndpointRunJobs] {
		t.Error("what is known was listed again")
	}
}

// A job that no attempt's list has is found by the list of all.
func TestCrossCheckFindsWhatAttemptsHide(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	repo := r.knowRepository()
	at := time.Now().Add(-time.Hour)
	for id := int64(1); id <= 3; id++ {
		j := ingesttest.Completed(id, at, githubsim.Log{})
		j.Conclusion, j.RunID, j.RunAttempt = ingesttest.Ptr("skipped"), 500, min(id, 2)
		r.GitHub.AddJob(j)
	}
	// In the list of all, and of an attempt that the run does not count.
	hidden := ingesttest.Completed(9, at, githubsim.Log{})
	hidden.Conclusion, hidden.RunID, hidden.RunAttempt, hidden.ListedAttempt = ingesttest.Ptr("skipped"), 500, 1, -1
	r.GitHub.AddJob(hidden)
	r.sweepRecent(repo)
	if n := r.jobs(); n != 4 {
		t.Errorf("%d of 4 jobs found", n)
	}
}

// A run that is still going is looked at again until it has ended, and one that
// is run again is seen too, long after its creation.
func TestRunsAreLookedAtUntilTheyEnd(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now, GitHub: githubsim.Options{Now: now.Now}})
	repo := r.knowRepository()
	j := ingesttest.Completed(1, now.Now(), githubsim.TextLog([]byte("x\n")))
	going := j
	going.Status, going.Conclusion, going.CompletedAt, going.Steps = "in_progress", nil, nil, nil
	r.GitHub.AddJob(going)
	r.sweepRecent(repo)
	if s := ingesttest.Scalar[string](r.Rig, `SELECT status FROM jobs WHERE id = 1`); s != "in_progress" {
		t.Fatalf("the job is %s", s)
	}
	if ingesttest.Scalar[bool](r.Rig, `SELECT complete FROM run_attempts`) {
		t.Fatal("a run that is going is complete")
	}
	// Beyond the overlap: the listing does not show it any more.
	for range 10 {
		now.Advance(time.Hour)
		r.sweepRecent(repo)
	}
	r.GitHub.AddJob(j)
	now.Advance(2 * time.Hour)
	r.sweepRecent(repo)
	if s := ingesttest.Scalar[string](r.Rig, `SELECT status FROM jobs WHERE id = 1`); s != "completed" || !ingesttest.Scalar[bool](r.Rig, `SELECT complete FROM run_attempts`) {
		t.Errorf("the job is %s", s)
	}
	// Twenty days later somebody runs it again.
	for range 20 {
		now.Advance(24 * time.Hour)
		r.sweepRecent(repo)
	}
	again := ingesttest.Completed(2, now.Now(), githubsim.TextLog([]byte("y\n")))
	again.RunID, again.RunAttempt = j.RunID, 2
	r.GitHub.AddJob(again)
	now.Advance(25 * time.Hour)
	r.sweepRecent(repo)
	if n := r.jobs(); n != 2 {
		t.Errorf("%d of 2 jobs known", n)
	}
}

// Jobs whose last webhook never came are asked after when they have been silent
// for longer than they can live, and end in the ledger whatever GitHub says.
func TestSilentJobsAreSettled(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now, GitHub: githubsim.Options{Now: now.Now}})
	r.GitHub.AddRepository(ingesttest.Repository)
	state := func(id int64, status string) githubsim.Job {
		j := ingesttest.Completed(id, now.Now(), githubsim.TextLog([]byte("x\n")))
		j.Status, j.Conclusion, j.CompletedAt = status, nil, nil
		if status == "queued" {
			j.Steps, j.RunnerID, j.RunnerName, j.RunnerGroupID, j.RunnerGroupName, j.Log = nil, nil, nil, nil, nil, githubsim.Log{}
		}
		return j
	}
	for id, status := range map[int64]string{1: "in_progress", 2: "queued", 3: "queued", 4: "in_progress", 5: "queued"} {
		j := state(id, status)
		r.GitHub.AddJob(j)
		r.Send(r.GitHub.Deliveries(j), githubsim.SendOptions{})
	}
	r.Drain()
	r.GitHub.AddJob(ingesttest.Completed(1, now.Now(), githubsim.TextLog([]byte("x\n")))) // ended, and nobody was told
	r.GitHub.AddJob(ingesttest.Completed(2, now.Now(), githubsim.TextLog([]byte("x\n"))))
	r.GitHub.RemoveJob(3) // forgotten
	stale := func() int {
		t.Helper()
		n, err := r.DB.EnqueueStale(t.Context(), now.Now())
		r.Check(err)
		return n
	}
	if n := stale(); n != 0 {
		t.Errorf("%d jobs are asked after at once", n)
	}
	now.Advance(25 * time.Hour)
	if n := stale(); n != 5 {
		t.Errorf("%d of 5 silent jobs are asked after", n)
	}
	for id, want := range map[int64]string{1: "archived", 2: "archived", 3: "none", 4: "pending", 5: "pending"} {
		r.Try(id)
		r.Try(id)
		if got := ingesttest.Scalar[string](r.Rig, `SELECT state FROM job_logs WHERE job_id = $1`, id); got != want {
			t.Errorf("job %d is %s, want %s", id, got, want)
		}
	}
	if says, pause := r.Try(4); says != "snooze" || pause < time.Hour {
		t.Errorf("a job that may be alive: %s %s", says, pause)
	}
	// Nothing lives for 36 days, whatever GitHub says.
	now.Advance(36 * 24 * time.Hour)
	for id, want := range map[int64]string{4: "missing", 5: "none"} {
		for range 3 {
			r.Try(id)
		}
		if got := ingesttest.Scalar[string](r.Rig, `SELECT state FROM job_logs WHERE job_id = $1`, id); got != want {
			t.Errorf("job %d, which GitHub never ended, is %s, want %s", id, got, want)
		}
	}
	// The bucket knows all of them.
	for id := range int64(5) {
		r.wantDetails(id + 1)
	}
}

// wantDetails wants job.json in the bucket.
func (r *rig) wantDetails(id int64) {
	r.T.Helper()
	lines, err := r.DB.LedgerOf(r.T.Context(), []int64{id})
	r.Check(err)
	l := lines[id]
	if _, err := r.Archive.Details(r.T.Context(), ingesttest.KeyOf(l)); err != nil {
		r.T.Errorf("job %d: %v", id, err)
	}
}

// Webhooks said completed, and the API says in_progress for ever: after the
// log's deadline the log decides, and the webhook's word is kept.
func TestAPIThatNeverComesToAnEnd(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now, GitHub: githubsim.Options{Now: now.Now}})
	j := ingesttest.Completed(1, now.Now(), githubsim.TextLog([]byte("x\n")))
	r.Know(j)
	// The log is there; the API is behind.
	remove := r.GitHub.Inject(githubsim.Fault{
		Endpoint: job, Kind: githubsim.Status, Status: http.StatusOK,
		Body: `{"id":1,"run_id":101,"status":"in_progress","name":"build 1","head_sha":"x"}`,
	})
	defer remove()
	if says, _ := r.Try(1); says != "snooze" {
		t.Fatalf("at once: %s", says)
	}
	now.Advance(7 * time.Hour)
	if says, _ := r.Try(1); says != "done" {
		t.Fatalf("after the deadline: %s", says)
	}
	if state := ingesttest.Scalar[string](r.Rig, `SELECT state || ' ' || (SELECT status FROM jobs) FROM job_logs`); state != "archived completed" {
		t.Errorf("the job is %s", state)
	}
	r.wantDetails(1)
}
