package githubsim

import (
	"encoding/json"
	"fmt"
	"time"
)

// ParseGiteaJob reads a job as a Gitea tells it, so that what was recorded can be served
// again. It has no log.
func ParseGiteaJob(raw []byte, repositoryID int64) (Job, error) {
	var told giteaJob
	if err := json.Unmarshal(raw, &told); err != nil {
		return Job{}, fmt.Errorf("githubsim: a Gitea's job: %w", err)
	}
	j := Job{
		ID: told.ID, RunID: told.RunID, RunAttempt: told.RunAttempt, RepositoryID: repositoryID, Name: told.Name, Labels: told.Labels,
		HeadSHA: told.HeadSHA, HeadBranch: told.HeadBranch, Status: told.Status, Conclusion: told.Conclusion,
		RunnerName: told.RunnerName, CreatedAt: told.CreatedAt, CompletedAt: isSet(told.CompletedAt),
	}
	if at := isSet(told.StartedAt); at != nil {
		j.StartedAt = *at
	}
	if told.RunnerID != 0 {
		j.RunnerID = &told.RunnerID
	}
	for _, st := range told.Steps {
		j.Steps = append(j.Steps, Step{
			Number: st.Number, Name: st.Name, Status: st.Status, Conclusion: st.Conclusion, StartedAt: isSet(st.StartedAt), CompletedAt: isSet(st.CompletedAt),
		})
	}
	return j, nil
}

type giteaJob struct {
	ID          int64       `json:"id"`
	RunID       int64       `json:"run_id"`
	RunAttempt  int64       `json:"run_attempt"`
	Name        string      `json:"name"`
	Labels      []string    `json:"labels"`
	HeadSHA     string      `json:"head_sha"`
	HeadBranch  string      `json:"head_branch"`
	Status      string      `json:"status"`
	Conclusion  *string     `json:"conclusion"`
	RunnerID    int64       `json:"runner_id"`
	RunnerName  *string     `json:"runner_name"`
	CreatedAt   time.Time   `json:"created_at"`
	StartedAt   time.Time   `json:"started_at"`
	CompletedAt time.Time   `json:"completed_at"`
	Steps       []giteaStep `json:"steps"`
}

type giteaStep struct {
	Number      int64     `json:"number"`
	Name        string    `json:"name"`
	Status      string    `json:"status"`
	Conclusion  *string   `json:"conclusion"`
	StartedAt   time.Time `json:"started_at"`
	CompletedAt time.Time `json:"completed_at"`
}

// isSet is nil for a time that is not.
func isSet(t time.Time) *time.Time {
	if t.Equal(unset) {
		return nil
	}
	return &t
}
