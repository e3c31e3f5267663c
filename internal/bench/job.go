package main

import (
	"fmt"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
)

var benchRepository = githubsim.Repository{ID: 1, Owner: "acme", Name: "bench"}

// benchJob is an ordinary completed job with the log.
func benchJob(id int64, log githubsim.Log) githubsim.Job {
	created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	started, completed := created.Add(10*time.Second), created.Add(time.Minute)
	success, runner, runnerID := "success", "runner-1", int64(1)
	return githubsim.Job{
		ID: id, RunID: 1 + id/10, RunAttempt: 1, RepositoryID: benchRepository.ID, Name: fmt.Sprintf("build (%d)", id), WorkflowName: "ci",
		HeadBranch: "main", HeadSHA: fmt.Sprintf("%040x", id/10), Status: "completed", Conclusion: &success,
		CreatedAt: created, StartedAt: started, CompletedAt: &completed, Labels: []string{"ubuntu-latest"},
		RunnerID: &runnerID, RunnerName: &runner, RunnerGroupID: &runnerID, RunnerGroupName: &runner,
		Steps: []githubsim.Step{
			{Number: 1, Name: "Set up job", Status: "completed", Conclusion: &success, StartedAt: &started, CompletedAt: &started},
			{Number: 2, Name: "make", Status: "completed", Conclusion: &success, StartedAt: &started, CompletedAt: &completed},
		},
		Log: log,
	}
}
