package record

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/go-github/v60/github"
	"github.com/tidwall/gjson"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/store"
)

// DetailsOf is what the ledger notes of an object: of a job.json, or of a settled.json.
func DetailsOf(raw []byte) *store.Details {
	return &store.Details{SHA256: sha256.Sum256(raw), Bytes: int64(len(raw))}
}

// FactsOfDetails translates a job.json into rows. It fails if it is of another job than the
// key's.
func FactsOfDetails(raw []byte, key archive.JobKey, repo store.Repository) (store.Facts, error) {
	var job github.WorkflowJob
	if err := json.Unmarshal(raw, &job); err != nil {
		return store.Facts{}, fmt.Errorf("%s: %w", key.Details(), err)
	}
	facts, err := FactsOfJob(&job, repo)
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

// KeyOf is a job's key in the bucket. An attempt that GitHub does not name is the first.
func KeyOf(j store.Job) archive.JobKey {
	k := archive.JobKey{RepositoryID: j.RepositoryID, RunID: j.RunID, RunAttempt: 1, JobID: j.ID}
	if j.RunAttempt != nil {
		k.RunAttempt = *j.RunAttempt
	}
	return k
}

// KeyOfLedgerLine is the key of the job of a line of the ledger.
func KeyOfLedgerLine(l store.LedgerLine) archive.JobKey {
	return KeyOf(store.Job{ID: l.JobID, RepositoryID: l.Repository.ID, RunID: l.RunID, RunAttempt: l.RunAttempt})
}

// RepositoryNames finds the owner and name of a job's repository in its addresses: ".../repos/
// OWNER/NAME/actions/..." of the API, or of the page for people.
func RepositoryNames(raw []byte) (owner, name string, err error) {
	for _, address := range gjson.GetManyBytes(raw, "run_url", "url", "html_url") {
		u, err := url.Parse(address.String())
		if err != nil {
			continue
		}
		path := strings.TrimPrefix(u.Path, "/")
		if _, after, ok := strings.Cut(path, "repos/"); ok {
			path = after
		}
		if parts := strings.SplitN(path, "/", 4); len(parts) > 2 && parts[0] != "" && parts[1] != "" && (parts[2] == "actions" || parts[2] == "runs") {
			return Clean(parts[0]), Clean(parts[1]), nil
		}
	}
	return "", "", ErrNoNames
}

// ErrNoNames says that a job.json does not tell its repository.
var ErrNoNames = errors.New("it does not name its repository")
