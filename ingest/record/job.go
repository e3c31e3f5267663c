package record

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/jobvault/jobvault/store"
)

// MaxListed bounds a job's steps, and its labels. GitHub's own jobs have at most 1,000
// steps; beyond the bound a job's rows would take longer than a transaction may.
const MaxListed = 10_000

// FactsOfJob translates a job of a webhook or of the REST API into rows. An empty
// text, a zero id and the start of an era all mean that the server did not say.
func FactsOfJob(j *github.WorkflowJob, repo store.Repository) (store.Facts, error) {
	switch {
	case j.GetID() <= 0:
		return store.Facts{}, errors.New("workflow_job.id is not positive")
	case j.GetRunID() <= 0:
		return store.Facts{}, errors.New("workflow_job.run_id is not positive")
	case j.GetStatus() == "":
		return store.Facts{}, errors.New("workflow_job.status is missing")
	case len(j.Steps) > MaxListed || len(j.Labels) > MaxListed:
		return store.Facts{}, fmt.Errorf("workflow_job has %d steps and %d labels, more than %d", len(j.Steps), len(j.Labels), MaxListed)
	}
	f := store.Facts{
		Repository: repo,
		Run: store.WorkflowRun{
			ID: j.GetRunID(), RepositoryID: repo.ID,
			WorkflowName: text(j.WorkflowName), HeadBranch: text(j.HeadBranch), HeadSHA: text(j.HeadSHA),
		},
		Job: store.Job{
			ID: j.GetID(), RunID: j.GetRunID(), RunAttempt: id(j.RunAttempt), RepositoryID: repo.ID,
			Name: Clean(j.GetName()), Status: Clean(j.GetStatus()), Conclusion: text(j.Conclusion),
			NodeID: text(j.NodeID), HTMLURL: text(j.HTMLURL), CheckRunURL: text(j.CheckRunURL),
			CreatedAt: TimeOf(j.CreatedAt), StartedAt: TimeOf(j.StartedAt), CompletedAt: TimeOf(j.CompletedAt),
			RunnerID: id(j.RunnerID), RunnerName: text(j.RunnerName), RunnerGroupName: text(j.RunnerGroupName),
		},
	}
	// GitHub's own group of hosted runners has the number 0.
	if f.Job.RunnerGroupName != nil || j.GetRunnerGroupID() != 0 {
		f.Job.RunnerGroupID = j.RunnerGroupID
	}
	for _, label := range j.Labels {
		f.Labels = append(f.Labels, Clean(label))
	}
	f.Steps = stepsOf(j)
	return f, checkIndexed(f)
}

// maxIndexed is how long a text in an index may be; Postgres takes a third
// of a page for an entry, and the longest has two texts.
const maxIndexed = 1000

// checkIndexed refuses texts that no index can hold. GitHub's own limits are far
// below.
func checkIndexed(f store.Facts) error {
	texts := map[string]*string{
		"repository.owner": &f.Repository.Owner, "repository.name": &f.Repository.Name, "head_sha": f.Run.HeadSHA,
		"conclusion": f.Job.Conclusion, "runner_name": f.Job.RunnerName,
	}
	for i := range f.Labels {
		texts[fmt.Sprintf("labels[%d]", i)] = &f.Labels[i]
	}
	for name, text := range texts {
		if text != nil && len(*text) > maxIndexed {
			return fmt.Errorf("%s is %d bytes long, more than %d", name, len(*text), maxIndexed)
		}
	}
	return nil
}

// stepsOf lists the steps by number. A number that comes twice counts once, and a null
// for nothing.
func stepsOf(j *github.WorkflowJob) []store.Step {
	byNumber := make(map[int64]store.Step)
	for _, s := range j.Steps {
		if s == nil {
			continue
		}
		byNumber[s.GetNumber()] = store.Step{
			JobID: j.GetID(), Number: s.GetNumber(), Name: Clean(s.GetName()), Status: Clean(s.GetStatus()),
			Conclusion: text(s.Conclusion), StartedAt: TimeOf(s.StartedAt), CompletedAt: TimeOf(s.CompletedAt),
		}
	}
	var steps []store.Step
	for _, s := range byNumber {
		steps = append(steps, s)
	}
	sort.Slice(steps, func(a, b int) bool { return steps[a].Number < steps[b].Number })
	return steps
}

// Clean makes a text fit for Postgres, which takes no NUL.
func Clean(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\ufffd"), "\ufffd")
}

// maxReason bounds what is kept and logged of an error, in bytes. Those of parsers
// repeat what they could not read, of whatever length.
const maxReason = 1000

// Reason is an error's text, fit for Postgres, and cut short.
func Reason(err error) string {
	text := err.Error()
	if len(text) <= maxReason {
		return Clean(text)
	}
	// A character that is cut in two is left out.
	return Clean(strings.ToValidUTF8(text[:maxReason], "")) + "…"
}

func text(s *string) *string {
	if s == nil || *s == "" {
		return nil
	}
	c := Clean(*s)
	return &c
}

func id(n *int64) *int64 {
	if n == nil || *n == 0 {
		return nil
	}
	return n
}

// TimeOf translates a time of GitHub's; nil for those that stand for "unset": the year 1, the Unix epoch, and the
// end of the calendar. To the microsecond, which is what Postgres keeps.
func TimeOf(t *github.Timestamp) *time.Time {
	if t == nil || t.Unix() == 0 {
		return nil
	}
	utc := t.UTC().Truncate(time.Microsecond)
	if utc.Year() <= 1 || utc.Year() > 9999 {
		return nil
	}
	return &utc
}
