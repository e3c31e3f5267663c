package ingest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// state is what the ledger says of a job.
func (r *rig) state(id int64) string {
	r.T.Helper()
	return ingesttest.Scalar[string](r.Rig, `SELECT state FROM job_logs WHERE job_id = $1`, id)
}

// wantState wants the ledger to say that.
func (r *rig) wantState(when string, id int64, want string) {
	r.T.Helper()
	if got := r.state(id); got != want {
		r.T.Fatalf("%s: job %d is %s (%s), want %s", when, id, got, ingesttest.Scalar[string](r.Rig, `SELECT coalesce(reason, '') FROM job_logs WHERE job_id = $1`, id), want)
	}
}

// tryUntil tries a job, whenever it is due, until it is settled or the time is over, and
// returns for how long it did.
func (r *rig) tryUntil(now *ingesttest.Clock, id int64, limit time.Duration) time.Duration {
	r.T.Helper()
	began := now.Now()
	for now.Now().Sub(began) < limit {
		says, pause := r.Try(id)
		if says == "done" {
			break
		}
		now.Advance(max(pause, time.Minute)) // what River tries again is due then at the latest
	}
	return now.Now().Sub(began)
}

const (
	aDay = 24 * time.Hour
	ever = 400 * aDay
)

var failing = githubsim.Fault{Endpoint: log, Kind: githubsim.ServerError}

// A jobvault that was stopped for weeks has seen nothing: only days on which GitHub failed
// count.
func TestOurOwnAbsenceEndsNoJob(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	j := ingesttest.Completed(1, now.Now(), githubsim.TextLog([]byte("x\n")))
	r.Know(j, ingesttest.Completed(2, now.Now(), githubsim.TextLog([]byte("y\n"))))
	remove := r.GitHub.Inject(failing)
	for seen := range 7 {
		for id := range int64(2) {
			if says, _ := r.Try(id + 1); says != "snooze" {
				t.Fatalf("seen on %d days, job %d: %s", seen, id+1, says)
			}
		}
		now.Advance(20 * aDay)
	}
	remove()
	if says, _ := r.Try(1); says != "done" {
		t.Errorf("GitHub has recovered: %s", says)
	}
	r.CompareLog(j)
	r.GitHub.Inject(failing)
	if says, _ := r.Try(2); says != "done" {
		t.Errorf("on the eighth day: %s", says)
	}
	r.wantState("on the eighth day", 2, store.LogMissing)
}

// The bucket is ours: without it a job waits, however long, and is archived when it is back.
func TestABucketThatIsAwayEndsNoJob(t *testing.T) {
	t.Parallel()
	now, dir := ingesttest.NewClock(), t.TempDir()
	r := newRig(t, ingesttest.Options{Now: now.Now, BucketURL: "file://" + dir})
	j := ingesttest.Completed(1, now.Now(), githubsim.TextLog([]byte("x\n")))
	r.Know(j)
	blocked := filepath.Join(dir, "v1")
	r.Check(os.WriteFile(blocked, nil, 0o600))
	for range 60 {
		if says, _ := r.Try(1); says != "retry" {
			t.Fatalf("without a bucket: %s", says)
		}
		now.Advance(aDay)
	}
	r.wantState("after two months", 1, store.LogPending)
	if n := ingesttest.Scalar[int](r.Rig, `SELECT coalesce(failed_days, 0) + coalesce(refused_days, 0) FROM job_logs`); n != 0 {
		t.Errorf("%d days are counted as GitHub's", n)
	}
	r.Check(os.Remove(blocked))
	if says, _ := r.Try(1); says != "done" {
		t.Errorf("the bucket is back: %s", says)
	}
	r.CompareLog(j)
}

// What was refused for as long as the setting says is missing, with what was said; once
// somebody has changed what was wrong, it is archived when it is asked for once more.
func TestRefusedJobsEndAndAreTakenUpAgain(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now, DeniedDays: 3})
	kept, lost := ingesttest.Completed(1, now.Now(), githubsim.TextLog([]byte("x\n"))), ingesttest.Completed(2, now.Now(), githubsim.Log{})
	r.Know(kept, lost)
	again := func(id int64) (string, time.Duration) {
		return r.TryArgs(store.ArchiveArgs{JobID: id, Again: true})
	}
	remove := r.GitHub.Inject(githubsim.Fault{Kind: githubsim.Forbidden})
	for id := range int64(2) {
		if took := r.tryUntil(now, id+1, ever); took < 2*aDay || took > 4*aDay {
			t.Errorf("job %d was given up after %s", id+1, took)
		}
		r.wantState("refused", id+1, store.LogMissing)
	}
	l, err := r.DB.JobLog(t.Context(), 1)
	r.Check(err)
	if *l.HTTPStatus != 403 || *l.Reason != "given up after 4 days of refusals: Resource not accessible by integration" || *l.RefusedDays != 4 {
		t.Errorf("the ledger says %d, %s, %d days", *l.HTTPStatus, *l.Reason, *l.RefusedDays)
	}
	if says, _ := again(1); says != "done" || r.state(1) != store.LogMissing {
		t.Errorf("refused still: %s, %s", says, r.state(1))
	}
	remove()
	if says, _ := r.Try(1); says != "done" || r.state(1) != store.LogMissing {
		t.Errorf("without being told to: %s, %s", says, r.state(1))
	}
	remove = r.GitHub.Inject(githubsim.Fault{Kind: githubsim.TooMany, Endpoint: log})
	if says, pause := again(1); says != "snooze" || pause < time.Minute {
		t.Errorf("behind a limit: %s %s", says, pause)
	}
	remove()
	now.Advance(time.Hour)
	for id, want := range map[int64]string{1: store.LogArchived, 2: store.LogMissing} {
		if says, _ := again(id); says != "done" {
			t.Errorf("asked once more, job %d: %s", id, says)
		}
		r.wantState("asked once more", id, want)
	}
	r.CompareLog(kept)
}

// What GitHub cannot describe is archived all the same, with what a webhook told of it.
func TestWhatIsNotDescribedIsArchivedByItsLog(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]githubsim.Fault{
		"500":          {Kind: githubsim.ServerError},
		"451":          {Kind: githubsim.Status, Status: 451},
		"a page":       {Kind: githubsim.HTML200},
		"another run":  {Kind: githubsim.Status, Status: 200, Body: `{"id":1,"run_id":7,"status":"completed"}`},
		"no status":    {Kind: githubsim.Status, Status: 200, Body: `{"id":1,"run_id":101}`},
		"a long name":  {Kind: githubsim.Status, Status: 200, Body: `{"id":1,"run_id":101,"status":"completed","name":"x","runner_name":"` + strings.Repeat("n", 5000) + `"}`},
		"far too much": {Kind: githubsim.Status, Status: 200, Body: `{"id":1,"run_id":101,"status":"completed","name":"x","more":"` + strings.Repeat("n", 33<<20) + `"}`},
		"what Postgres cannot keep": {Kind: githubsim.Status, Status: 200,
			Body: `{"id":1,"run_id":101,"status":"completed","name":"x","steps":[{"number":99999999999999999999,"name":"x"}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := ingesttest.NewClock()
			r := newRig(t, ingesttest.Options{Now: now.Now})
			j := ingesttest.Completed(1, now.Now(), githubsim.TextLog([]byte("x\n")))
			r.Know(j)
			answer.Endpoint = job
			r.GitHub.Inject(answer)
			if took := r.tryUntil(now, 1, ever); took < 6*aDay || took > 9*aDay {
				t.Errorf("it took %s", took)
			}
			r.wantState("not described", 1, store.LogArchived)
			r.CompareLog(j)
			r.wantDetails(1)
		})
	}
}

// A job that may be alive is waited for, whatever GitHub answers, until it cannot be.
func TestWhatMayBeAliveIsNotGivenUp(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]githubsim.Fault{
		"fails":   {Endpoint: job, Kind: githubsim.ServerError},
		"refuses": {Endpoint: job, Kind: githubsim.Forbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := ingesttest.NewClock()
			r := newRig(t, ingesttest.Options{Now: now.Now, DeniedDays: 3})
			for id := range int64(2) {
				j := ingesttest.Completed(id+1, now.Now(), githubsim.TextLog([]byte("x\n")))
				j.Status, j.Conclusion, j.CompletedAt = "in_progress", nil, nil
				r.Know(j)
			}
			remove := r.GitHub.Inject(fault)
			for id := range int64(2) {
				r.tryUntil(now, id+1, 16*aDay) // the second one is asked for from the 17th day on
			}
			remove()
			r.GitHub.AddJob(ingesttest.Completed(1, now.Now(), githubsim.TextLog([]byte("x\n"))))
			if says, _ := r.Try(1); says != "done" || r.state(1) != store.LogArchived {
				t.Errorf("it has completed: %s, %s", says, r.state(1))
			}
			r.GitHub.Inject(fault)
			if took := r.tryUntil(now, 2, ever); took < 6*aDay || took > 13*aDay {
				t.Errorf("what cannot be alive any more took %s", took)
			}
			r.wantState("it never had a log", 2, store.LogMissing)
		})
	}
}

// Without a time, or with one that is to come, a job is waited for from the first question on.
func TestTimesThatAreOfNoUse(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*githubsim.Job){
		"none": func(j *githubsim.Job) { j.CreatedAt, j.StartedAt, j.CompletedAt = time.Time{}, time.Time{}, nil },
		"a century ahead": func(j *githubsim.Job) {
			j.CreatedAt = j.CreatedAt.AddDate(100, 0, 0)
			*j.CompletedAt = j.CreatedAt
			j.StartedAt = j.CreatedAt
		},
		"none, and never completed": func(j *githubsim.Job) {
			j.CreatedAt, j.StartedAt, j.CompletedAt, j.Status, j.Conclusion = time.Time{}, time.Time{}, nil, "in_progress", nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := ingesttest.NewClock()
			r := newRig(t, ingesttest.Options{Now: now.Now})
			j := ingesttest.Completed(1, now.Now(), githubsim.Log{})
			edit(&j)
			r.Know(j)
			took := r.tryUntil(now, 1, ever)
			if least := 6 * time.Hour; took < least || took > 40*aDay {
				t.Errorf("it took %s", took)
			}
			r.wantState("in the end", 1, store.LogMissing)
		})
	}
}

// Whoever says something else each time comes to an end too.
func TestAnswersThatChangeComeToAnEnd(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	r.Know(ingesttest.Completed(1, now.Now(), githubsim.Log{}))
	n := 0
	r.GitHub.OnRequest(func(e githubsim.Endpoint, _ *http.Request) {
		if e == log {
			faults := []githubsim.Fault{{Kind: githubsim.ServerError}, {Kind: githubsim.Forbidden}, {Kind: githubsim.HTML200}, {Kind: githubsim.TooMany, RetryAfter: time.Second}}
			f := faults[n%len(faults)]
			f.Endpoint, f.Times = log, 1
			n++
			r.GitHub.Inject(f)
		}
	})
	if took := r.tryUntil(now, 1, ever); took < 6*aDay || took > 40*aDay {
		t.Errorf("it took %s", took)
	}
	r.wantState("in the end", 1, store.LogMissing)
}
