package ingesttest

import (
	"fmt"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// Ptr is a pointer to a value.
func Ptr[T any](v T) *T { return &v }

// Repository is whose jobs Completed makes.
var Repository = githubsim.Repository{ID: 3, Owner: "acme", Name: "rocket", Private: true, InstallationID: 5}

// Completed is an ordinary job that completed a minute before now.
func Completed(id int64, now time.Time, log githubsim.Log) githubsim.Job {
	at := now.Add(-time.Minute).UTC().Truncate(time.Second)
	started := at.Add(-time.Minute)
	return githubsim.Job{
		ID: id, RunID: 100 + id, RunAttempt: 1, RepositoryID: Repository.ID, Name: fmt.Sprintf("build %d", id), WorkflowName: "ci",
		HeadBranch: "main", HeadSHA: strings.Repeat("a", 40), Status: "completed", Conclusion: Ptr("success"),
		CreatedAt: started, StartedAt: started, CompletedAt: &at, Labels: []string{"linux"},
		RunnerID: Ptr(int64(1)), RunnerName: Ptr("r1"), RunnerGroupID: Ptr(int64(1)), RunnerGroupName: Ptr("Default"),
		Steps: []githubsim.Step{{Number: 1, Name: "Set up job", Status: "completed", Conclusion: Ptr("success"), StartedAt: &started, CompletedAt: &at}},
		Log:   log,
	}
}

// Know makes jobs known from webhooks, without workers.
func (r *Rig) Know(jobs ...githubsim.Job) {
	r.T.Helper()
	r.GitHub.AddRepository(Repository)
	for _, j := range jobs {
		r.GitHub.AddJob(j)
		r.Send(r.GitHub.Deliveries(j), githubsim.SendOptions{})
	}
	r.Drain()
}

// Try has the archive worker try once, as River would, and returns what it says
// to River: "done", "snooze" with how long, or "retry".
func (r *Rig) Try(id int64) (string, time.Duration) {
	r.T.Helper()
	return r.TryArgs(store.ArchiveArgs{JobID: id})
}

// TryArgs is Try with all that River passes on.
func (r *Rig) TryArgs(args store.ArchiveArgs) (string, time.Duration) {
	r.T.Helper()
	return saidToRiver(r.Archiver().Work(r.T.Context(), &river.Job[store.ArchiveArgs]{JobRow: &rivertype.JobRow{Attempt: 1}, Args: args}))
}

// Recheck has the worker ask once more for an archived log, as River would, and returns what
// it says as Try does.
func (r *Rig) Recheck(id int64) (string, time.Duration) {
	r.T.Helper()
	return saidToRiver(ingest.NewRechecker(r.Archiver()).Work(r.T.Context(), &river.Job[store.RecheckArgs]{JobRow: &rivertype.JobRow{Attempt: 1}, Args: store.RecheckArgs{JobID: id}}))
}

func saidToRiver(err error) (string, time.Duration) {
	var snooze *river.JobSnoozeError
	switch {
	case err == nil:
		return "done", 0
	case AsSnooze(err, &snooze):
		return "snooze", snooze.Duration
	default:
		return "retry", 0
	}
}

// AsSnooze tells whether a worker asks River to call again later.
func AsSnooze(err error, target **river.JobSnoozeError) bool {
	s, ok := err.(*river.JobSnoozeError) //nolint:errorlint // River wants it bare
	*target = s
	return ok
}
