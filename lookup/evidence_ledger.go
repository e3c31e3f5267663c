package lookup

import (
	"encoding/hex"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/store"
)

// evidenceLedger is what the database says of a job, in ledger.json.
type evidenceLedger struct {
	JobID         int64      `json:"job_id"`
	Repository    string     `json:"repository"`
	RepositoryID  int64      `json:"repository_id"`
	RunID         int64      `json:"run_id"`
	RunAttempt    *int64     `json:"run_attempt"`
	Workflow      *string    `json:"workflow_name"`
	HeadBranch    *string    `json:"head_branch"`
	HeadSHA       *string    `json:"head_sha"`
	Name          string     `json:"name"`
	Status        string     `json:"status"`
	Conclusion    *string    `json:"conclusion"`
	CreatedAt     *time.Time `json:"created_at"`
	StartedAt     *time.Time `json:"started_at"`
	CompletedAt   *time.Time `json:"completed_at"`
	State         string     `json:"state"`
	Reason        *string    `json:"reason"`
	HTTPStatus    *int       `json:"http_status"`
	SettledAt     *time.Time `json:"settled_at"`
	ArchivedAt    *time.Time `json:"archived_at"`
	ObjectKey     *string    `json:"object_key"`
	RawBytes      *int64     `json:"raw_bytes"`
	StoredBytes   *int64     `json:"stored_bytes"`
	Lines         *int64     `json:"lines"`
	SHA256        string     `json:"sha256,omitempty"`
	StoredSHA256  string     `json:"stored_sha256,omitempty"`
	Truncated     bool       `json:"truncated"`
	DetailsSHA256 string     `json:"details_sha256,omitempty"`
	SettledSHA256 string     `json:"settled_sha256,omitempty"`
	ManifestDate  string     `json:"manifest_date,omitempty"`

	// Shorter are the logs that were archived before, with which the log begins.
	Shorter []archive.ShorterLog `json:"shorter,omitempty"`

	Steps []evidenceStep `json:"steps,omitempty"`
}

// evidenceStep is which lines of the log, or of its redacted copy, are a step's.
type evidenceStep struct {
	Number       int64   `json:"number"`
	Name         string  `json:"name"`
	Conclusion   *string `json:"conclusion"`
	LogFirstLine *int64  `json:"log_first_line"`
	LogLastLine  *int64  `json:"log_last_line"`
	LogLines     *string `json:"log_lines"`
}

func ledgerOf(j store.JobDetails) evidenceLedger {
	l := evidenceLedger{
		JobID: j.Job.ID, Repository: j.Repository.FullName(), RepositoryID: j.Repository.ID, RunID: j.Job.RunID, RunAttempt: j.Job.RunAttempt,
		Workflow: j.Run.WorkflowName, HeadBranch: j.Run.HeadBranch, HeadSHA: j.Run.HeadSHA, Name: j.Job.Name, Status: j.Job.Status, Conclusion: j.Job.Conclusion,
		CreatedAt: j.Job.CreatedAt, StartedAt: j.Job.StartedAt, CompletedAt: j.Job.CompletedAt,
		State: j.Log.State, Reason: j.Log.Reason, HTTPStatus: j.Log.HTTPStatus, SettledAt: j.Log.SettledAt, ArchivedAt: j.Log.ArchivedAt, ObjectKey: j.Log.ObjectKey,
		RawBytes: j.Log.RawBytes, StoredBytes: j.Log.StoredBytes, Lines: j.Log.Lines, SHA256: hex.EncodeToString(j.Log.SHA256),
		StoredSHA256: hex.EncodeToString(j.Log.StoredSHA256), Truncated: j.Log.Truncated, DetailsSHA256: hex.EncodeToString(j.Log.DetailsSHA256),
		SettledSHA256: hex.EncodeToString(j.Log.SettledSHA256), Shorter: shorterOf(j.Log),
	}
	if j.Log.ManifestDate != nil {
		l.ManifestDate = j.Log.ManifestDate.Format(time.DateOnly)
	}
	for _, s := range j.Steps {
		l.Steps = append(l.Steps, evidenceStep{s.Number, s.Name, s.Conclusion, s.LogFirstLine, s.LogLastLine, s.LogLines})
	}
	return l
}
