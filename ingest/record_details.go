package ingest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/google/go-github/v60/github"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/store"
)

// detailsOf is how a job.json is noted in the ledger.
func detailsOf(raw []byte) *store.Details {
	return &store.Details{SHA256: sha256.Sum256(raw), Bytes: int64(len(raw))}
}

// factsOfDetails reads a job.json.
func factsOfDetails(raw []byte, key archive.JobKey, repo store.Repository) (store.Facts, error) {
	var job github.WorkflowJob
	if err := json.Unmarshal(raw, &job); err != nil {
		return store.Facts{}, fmt.Errorf("%s: %w", key.Details(), err)
	}
	facts, err := factsOfJob(&job, repo)
	if err == nil && (facts.Job.ID != key.JobID || facts.Job.RunID != key.RunID) {
		err = fmt.Errorf("it is of job %d of run %d", facts.Job.ID, facts.Job.RunID)
	}
	if err != nil {
		return store.Facts{}, fmt.Errorf("%s: %w", key.Details(), err)
	}
	// A listing may have said another; the key is what counted.
	facts.Job.RunAttempt = &key.RunAttempt
	return facts, nil
}

// keyOf names a job in the bucket.
func keyOf(j store.Job) archive.JobKey {
	k := archive.JobKey{RepositoryID: j.RepositoryID, RunID: j.RunID, RunAttempt: 1, JobID: j.ID}
	if j.RunAttempt != nil {
		k.RunAttempt = *j.RunAttempt
	}
	return k
}

func keyOfLine(l store.LedgerLine) archive.JobKey {
	return keyOf(store.Job{ID: l.JobID, RepositoryID: l.Repository.ID, RunID: l.RunID, RunAttempt: l.RunAttempt})
}
