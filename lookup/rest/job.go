package rest

import (
	"fmt"
	"time"

	"github.com/jobvault/jobvault/store"
)

// job is a job in the order and with the names of GitHub's REST API, version
// 2026-03-10. Null: GitHub did not say.
type job struct {
	ID              int64      `json:"id"`
	RunID           int64      `json:"run_id"`
	WorkflowName    *string    `json:"workflow_name"`
	HeadBranch      *string    `json:"head_branch"`
	RunURL          string     `json:"run_url"`
	RunAttempt      *int64     `json:"run_attempt,omitempty"`
	NodeID          *string    `json:"node_id"`
	HeadSHA         *string    `json:"head_sha"`
	URL             string     `json:"url"`
	HTMLURL         *string    `json:"html_url"`
	Status          string     `json:"status"`
	Conclusion      *string    `json:"conclusion"`
	CreatedAt       *time.Time `json:"created_at"`
	StartedAt       *time.Time `json:"started_at"`
	CompletedAt     *time.Time `json:"completed_at"`
	Name            string     `json:"name"`
	Steps           []step     `json:"steps"`
	CheckRunURL     *string    `json:"check_run_url"`
	Labels          []string   `json:"labels"`
	RunnerID        *int64     `json:"runner_id"`
	RunnerName      *string    `json:"runner_name"`
	RunnerGroupID   *int64     `json:"runner_group_id"`
	RunnerGroupName *string    `json:"runner_group_name"`

	CarriedOverFrom *int64 `json:"carried_over_from,omitempty"` // jobvault's own: the job that ran in place of this one
}

// step is a step as GitHub has it, and which lines of the log are its, as the table steps
// does.
type step struct {
	Name         string     `json:"name"`
	Status       string     `json:"status"`
	Conclusion   *string    `json:"conclusion"`
	Number       int64      `json:"number"`
	StartedAt    *time.Time `json:"started_at"`
	CompletedAt  *time.Time `json:"completed_at"`
	LogFirstLine *int64     `json:"log_first_line"`
	LogLastLine  *int64     `json:"log_last_line"`
	LogLines     *string    `json:"log_lines"`
}

func (c *call) jobOf(d store.JobDetails) job {
	base := fmt.Sprintf("%s/api/v3/repos/%s/actions", c.Base(c.req), d.Repository.FullName())
	j := job{
		ID: d.Job.ID, RunID: d.Job.RunID, WorkflowName: d.Run.WorkflowName, HeadBranch: d.Run.HeadBranch,
		RunURL: fmt.Sprintf("%s/runs/%d", base, d.Job.RunID), RunAttempt: d.Job.RunAttempt, NodeID: d.Job.NodeID, HeadSHA: d.Run.HeadSHA,
		URL: fmt.Sprintf("%s/jobs/%d", base, d.Job.ID), HTMLURL: d.Job.HTMLURL, Status: d.Job.Status, Conclusion: d.Job.Conclusion,
		CreatedAt: d.Job.CreatedAt, StartedAt: d.Job.StartedAt, CompletedAt: d.Job.CompletedAt, Name: d.Job.Name,
		Steps: make([]step, len(d.Steps)), CheckRunURL: d.Job.CheckRunURL, Labels: d.Labels,
		RunnerID: d.Job.RunnerID, RunnerName: d.Job.RunnerName, RunnerGroupID: d.Job.RunnerGroupID, RunnerGroupName: d.Job.RunnerGroupName,
	}
	if d.CarriedOver != nil {
		j.CarriedOverFrom = &d.CarriedOver.From
	}
	for i, s := range d.Steps {
		j.Steps[i] = step{s.Name, s.Status, s.Conclusion, s.Number, s.StartedAt, s.CompletedAt, s.LogFirstLine, s.LogLastLine, s.LogLines}
	}
	return j
}
