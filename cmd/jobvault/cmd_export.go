package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jobvault/jobvault/store"
)

type exportCmd struct {
	Args  []string `arg:"" name:"job-id dir" help:"Id of the job, and a directory that does not exist or is empty. With --run, only the directory."`
	RunID int64    `name:"run" help:"Export all jobs of the workflow run with this id, in all its attempts." placeholder:"ID"`
}

// Help is kong's: examples and exit status.
func (exportCmd) Help() string {
	return helpText(`jobvault export 21483648 DIR
jobvault export --run=7023 DIR`, "0 if it is done, 1 if it failed or something is damaged, 2 if it was used wrongly.")
}

// Run writes a package that an auditor can check with sha256sum and zstd. If
// anything is damaged it fails, and there is no package.
func (c exportCmd) Run(ctx context.Context, e *environment) error {
	jobID, dir, err := c.parse()
	if err != nil {
		return usageError{err}
	}
	n := readNeeds
	n.clock = anyClock
	return runSession(ctx, e, n, func(s *session) error {
		jobs, what, err := c.find(ctx, s.db, jobID)
		if err != nil {
			return err
		}
		if err := s.evidence().Write(ctx, dir, what, jobs); err != nil {
			return err
		}
		_, err = fmt.Fprintf(e.stdout, "%s: %d jobs in %s; its README.md says how to check it\n", plain(what), len(jobs), plain(dir))
		return err
	})
}

func (c exportCmd) parse() (jobID int64, dir string, err error) {
	if c.RunID != 0 {
		if c.RunID < 0 {
			return 0, "", fmt.Errorf("--run=%d: want the id of a workflow run", c.RunID)
		}
		if len(c.Args) != 1 {
			return 0, "", errors.New("want export --run ID DIR")
		}
		return 0, c.Args[0], nil
	}
	if len(c.Args) != 2 {
		return 0, "", errors.New("want export JOB_ID DIR, or export --run ID DIR")
	}
	jobID, err = strconv.ParseInt(c.Args[0], 10, 64)
	if err != nil || jobID < 1 {
		return 0, "", fmt.Errorf("<job-id>=%q: want the id of a job", c.Args[0])
	}
	return jobID, c.Args[1], nil
}

// find reads the jobs, and says what they are.
func (c exportCmd) find(ctx context.Context, db *store.DB, jobID int64) ([]store.JobDetails, string, error) {
	if c.RunID != 0 {
		jobs, _, err := db.RunJobs(ctx, store.JobsOfRun{RunID: c.RunID})
		if err == nil && len(jobs) == 0 {
			err = fmt.Errorf("no run %d is known", c.RunID)
		}
		return jobs, fmt.Sprintf("run %d", c.RunID), err
	}
	job, err := db.JobDetails(ctx, jobID)
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("no job %d is known", jobID)
	}
	return []store.JobDetails{job}, fmt.Sprintf("job %d", jobID), err
}
