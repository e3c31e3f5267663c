package githubsim

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// draft is a job of the day before its times, steps and log are made.
type draft struct {
	name       string
	conclusion string        // empty: success
	after      time.Duration // from the run's begin to the job's creation
	lasts      time.Duration // 0: some minutes
	labels     []string      // nil: ubuntu-latest
	style      LogStyle
	size       int64 // of the log; 0: some kilobytes
}

// job makes a job that had a runner and ended.
func (u *dayRun) job(d draft) Job {
	j := u.bare(d)
	if d.lasts == 0 {
		d.lasts = time.Duration(20+u.m.rng.below(460)) * time.Second
	}
	j.StartedAt = j.CreatedAt.Add(time.Duration(2+u.m.rng.below(20)) * time.Second)
	end := j.StartedAt.Add(d.lasts)
	j.CompletedAt = &end
	j.Steps = u.steps(j.StartedAt, end, *j.Conclusion)
	u.assignRunner(&j)

	d.style.Repository = u.repo.Owner + "/" + u.repo.Name
	d.style.JobName = j.Name
	d.style.Steps = j.Steps
	if slices.Contains(j.Labels, "self-hosted") {
		d.style.RunnerName = *j.RunnerName
	}
	if d.size == 0 {
		// Most logs are small and a few are not: 4 to 400 KB, evenly by magnitude.
		d.size = int64(4000 * math.Pow(100, u.m.rng.float()))
	}
	j.Log = GeneratedLog(uint64(j.ID), d.size, d.style)
	return j
}

// bare makes a job that nothing has run: no runner, steps or log. It ended as
// soon as it was created.
func (u *dayRun) bare(d draft) Job {
	u.m.nextJob += 1 + int64(u.m.rng.below(40))
	if d.conclusion == "" {
		d.conclusion = "success"
	}
	if d.labels == nil {
		d.labels = []string{"ubuntu-latest"}
	}
	created := u.at.Add(d.after)
	return Job{
		ID:           u.m.nextJob,
		RunID:        u.id,
		RunAttempt:   u.attempt,
		RepositoryID: u.repo.ID,
		Name:         d.name,
		WorkflowName: u.workflow,
		HeadBranch:   u.branch,
		HeadSHA:      u.sha,
		Status:       "completed",
		Conclusion:   &d.conclusion,
		CreatedAt:    created,
		StartedAt:    created,
		CompletedAt:  &created,
		Labels:       d.labels,
	}
}

// carriedOver is an old attempt's job as a new attempt has it that did not run it
// again: under a new id, with the old times, runner and log, and told as completed
// at once.
func (u *dayRun) carriedOver(old Job) Job {
	again := u.bare(draft{conclusion: *old.Conclusion, labels: old.Labels})
	again.Name, again.Steps, again.Log = old.Name, old.Steps, old.Log
	again.StartedAt, again.CompletedAt = old.StartedAt, old.CompletedAt
	again.RunnerID, again.RunnerName, again.RunnerGroupID, again.RunnerGroupName = old.RunnerID, old.RunnerName, old.RunnerGroupID, old.RunnerGroupName
	again.Life = []string{"completed"}
	u.m.day.CarriedOver[again.ID] = old.ID
	if ran, ok := u.m.day.CarriedOver[old.ID]; ok {
		u.m.day.CarriedOver[again.ID] = ran
	}
	return again
}

func (u *dayRun) assignRunner(j *Job) {
	id := int64(1 + u.m.rng.below(60))
	// Runners that GitHub hosts are in group 0, which is a value and not null.
	name, group, groupName := fmt.Sprintf("GitHub Actions %d", id), int64(0), "GitHub Actions"
	if slices.Contains(j.Labels, "self-hosted") {
		name, group, groupName = fmt.Sprintf("hangar-%02d", id), 1, "Default"
	}
	j.RunnerID, j.RunnerName, j.RunnerGroupID, j.RunnerGroupName = &id, &name, &group, &groupName
}

var commands = []string{
	"Build", "Run make lint", "Run go test ./...", "Run npm ci", "Run npm test", "Run go vet ./...", "Run docker build .",
	"Integration tests", "Run ./scripts/package.sh", "Run cargo clippy", "Publish coverage",
}

// steps divides a job's time. After a failure the rest is skipped, but for what
// cleans up; the numbers of the clean-up steps leave a gap, as GitHub's do.
func (u *dayRun) steps(start, end time.Time, conclusion string) []Step {
	names := []string{"Set up job", "Run actions/checkout@v4", "Run actions/setup-go@v5"}
	for range 1 + u.m.rng.below(4) {
		names = append(names, commands[u.m.rng.below(len(commands))])
	}
	work := len(names)
	names = append(names, "Post Run actions/setup-go@v5", "Post Run actions/checkout@v4", "Complete job")

	var (
		steps []Step
		at    = start
		bad   = 3 + u.m.rng.below(work-3)              // the step that fails, if one does
		set   = end.Sub(start) / time.Duration(4*work) // a step that sets up is quick
		slice = (end.Sub(start) - 3*set) / time.Duration(work-3)
	)
	for i, name := range names {
		st := Step{Number: int64(i + 1), Name: name, Status: "completed"}
		if i >= work {
			st.Number += int64(work)
		}
		st.Conclusion = stepConclusion(conclusion, i, bad, work)
		from, to := at, at
		switch {
		case i == len(names)-1:
			from, to = end, end
		case i < work && *st.Conclusion != "skipped":
			to = at.Add(slice).Truncate(time.Second)
			if i < 3 {
				to = at.Add(set).Truncate(time.Second)
			}
		}
		st.StartedAt, st.CompletedAt = &from, &to
		at = to
		steps = append(steps, st)
	}
	return steps
}

func stepConclusion(job string, i, bad, work int) *string {
	c := "success"
	if failed := job == "failure" || job == "timed_out" || job == "cancelled"; failed && i < work {
		switch {
		case i == bad && job == "failure":
			c = "failure"
		case i == bad:
			c = "cancelled"
		case i > bad:
			c = "skipped"
		}
	}
	return &c
}

var (
	workflowNames = []string{"CI", "Build and test", "Nightly", "Docs", "CodeQL"}
	jobNames      = []string{"build", "test", "lint", "vet", "package", "docs", "e2e", "race", "coverage"}
)

// ordinaryScene is a run of at most limit jobs in which nothing is odd.
func (m *dayMaker) ordinaryScene(limit int) scene {
	n := min(limit, 1+m.rng.below(6))
	return scene{
		at:       time.Duration(m.rng.below(23*3600)) * time.Second,
		jobs:     n,
		repo:     m.rng.below(len(m.day.Repositories)),
		workflow: workflowNames[m.rng.below(len(workflowNames))],
		play: func(u *dayRun) {
			first := m.rng.below(len(jobNames))
			for i := range n {
				d := draft{name: jobNames[(first+i)%len(jobNames)], after: time.Duration(i) * time.Second}
				switch m.rng.below(20) {
				case 0, 1:
					d.conclusion = "failure"
				case 2:
					d.conclusion = "cancelled"
				}
				if strings.HasPrefix(d.name, "e2e") {
					d.labels = []string{"self-hosted", "linux", "x64"}
				}
				m.add(u.job(d), archived)
			}
		},
	}
}
