package githubsim

import "time"

// Repository is a repository as the simulator knows it. InstallationID 0 means
// that no App is installed there: payloads then have no installation object.
type Repository struct {
	ID             int64
	Owner, Name    string
	Private        bool
	InstallationID int64
}

// Step is one step of a job. A nil Conclusion or time is null in the JSON.
type Step struct {
	Number                 int64
	Name, Status           string
	Conclusion             *string
	StartedAt, CompletedAt *time.Time
}

// Job is a workflow job in the state the API tells it in. Pointers are the
// fields that GitHub may send as null.
type Job struct {
	ID, RunID, RunAttempt int64
	// ListedAttempt is the attempt whose list has the job; 0: RunAttempt.
	// GitHub's lists do not always agree with the job's own run_attempt.
	ListedAttempt int64
	// ListsRunAttempt is the run_attempt that lists print for the job, whatever
	// GET of the job itself says; 0: RunAttempt.
	ListsRunAttempt      int64
	RepositoryID         int64
	Name, WorkflowName   string
	HeadBranch, HeadSHA  string
	Status               string
	Conclusion           *string
	CreatedAt, StartedAt time.Time
	CompletedAt          *time.Time
	Labels               []string
	RunnerID             *int64
	RunnerName           *string
	RunnerGroupID        *int64
	RunnerGroupName      *string
	Steps                []Step
	// Log is what the blob host serves once the job is completed. The zero
	// Log is no log: 404 BlobNotFound after the redirect, for ever.
	Log Log
	// LogCutAt is of a Gitea's: how many bytes of the log there are at first. The rest
	// comes with the last `completed` of its Deliveries, or by CompleteLog. 0: all is
	// there.
	LogCutAt int64
	// Life names the webhook actions of the job's life, in order; nil lets
	// Deliveries deduce them. "queued", "waiting", "queued", … is a job behind
	// a deployment gate.
	Life []string
	// Omit lists keys left out of the JSON; Extra has keys that no schema knows.
	Omit  []string
	Extra map[string]any
}
