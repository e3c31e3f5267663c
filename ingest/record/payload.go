// Package record translates between GitHub's JSON, the bucket's objects and the ledger's
// rows. Its functions are pure: they ask nobody, and equal arguments give equal results.
// XOf(y) is the X of y. See docs/design.md#rooms.
package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"
	"github.com/tidwall/gjson"

	"github.com/jobvault/jobvault/store"
)

// payload is what is read of a workflow_job webhook. It leaves out all that is
// not needed, as other servers send other things there.
type payload struct {
	Action       *string             `json:"action"`
	Job          *github.WorkflowJob `json:"workflow_job"`
	Repository   *payloadRepository  `json:"repository"`
	Installation *struct {
		ID int64 `json:"id"`
	} `json:"installation"`
}

type payloadRepository struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	FullName string `json:"full_name"`
	Private  *bool  `json:"private"`
	Owner    struct {
		Login string `json:"login"`
	} `json:"owner"`
	UpdatedAt json.RawMessage `json:"updated_at"`
	PushedAt  json.RawMessage `json:"pushed_at"`
}

// Head is what the receiver reads of a payload: enough to find it again.
type Head struct {
	Action       *string
	RepositoryID *int64
	JobID        *int64
	FullName     string
	Unusable     string // why it is of no use; empty: it may be
}

// ReadHead reads JSON that is valid, or too deep for that to be known. It never fails:
// a payload that names no job is unusable. It picks out a few values rather than decode
// all, because it is what every delivery waits for; it does not recurse.
func ReadHead(raw []byte) Head {
	var h Head
	values := gjson.GetManyBytes(raw, "action", "workflow_job", "workflow_job.id", "repository.id", "repository.full_name")
	action, job, jobID, repositoryID, fullName := values[0], values[1], values[2], values[3], values[4]
	if action.Type == gjson.String && len(action.Str) <= maxIndexed {
		text := Clean(action.Str)
		h.Action = &text
	}
	h.RepositoryID, h.JobID, h.FullName = positive(repositoryID), positive(jobID), fullName.String()
	switch {
	case action.Type == gjson.String && h.Action == nil:
		h.Unusable = fmt.Sprintf("action is %d bytes long, more than %d", len(action.Str), maxIndexed)
	case !job.IsObject():
		h.Unusable = "workflow_job is null or missing"
	case h.JobID == nil:
		h.Unusable = "workflow_job.id is not a positive integer"
	case h.RepositoryID == nil:
		h.Unusable = "repository.id is not a positive integer"
	}
	return h
}

func positive(v gjson.Result) *int64 {
	id, err := strconv.ParseInt(v.Raw, 10, 64)
	if err != nil || id <= 0 {
		return nil
	}
	return &id
}

// FactsOfDelivery translates a payload into rows, or says why it cannot. first is when the
// same payload was received for the first time.
func FactsOfDelivery(body []byte, d store.Delivery, first time.Time) (store.Facts, error) {
	raw, err := StoredPayloadJSON(body)
	if err != nil {
		return store.Facts{}, err
	}
	if err := checkListed(raw); err != nil {
		return store.Facts{}, err
	}
	var p payload
	if err := json.Unmarshal(raw, &p); err != nil {
		return store.Facts{}, fmt.Errorf("not a workflow_job payload: %s", Reason(err))
	}
	if p.Job == nil || p.Repository == nil {
		return store.Facts{}, errors.New("workflow_job or repository is missing")
	}
	repo, err := p.repository()
	if err != nil {
		return store.Facts{}, err
	}
	repo.SeenAt, repo.NamedAt = d.ReceivedAt, p.tellsOf(first)
	facts, err := FactsOfJob(p.Job, repo)
	if err == nil && (facts.Job.ID != *d.JobID || repo.ID != *d.RepositoryID) {
		err = errors.New("the payload names two jobs or repositories: a key comes twice")
	}
	return facts, err
}

// checkListed refuses a job with more than MaxListed steps or labels before any of them
// is decoded, which takes a hundred times the memory that the text does.
func checkListed(raw []byte) (err error) {
	gjson.ParseBytes(raw).ForEach(func(key, job gjson.Result) bool {
		if !strings.EqualFold(key.Str, "workflow_job") { // as encoding/json compares them
			return true
		}
		job.ForEach(func(key, list gjson.Result) bool {
			n := 0
			if name := key.Str; strings.EqualFold(name, "steps") || strings.EqualFold(name, "labels") {
				list.ForEach(func(_, _ gjson.Result) bool {
					n++
					return n <= MaxListed
				})
			}
			if n > MaxListed {
				err = fmt.Errorf("workflow_job has more than %d %s", MaxListed, strings.ToLower(key.Str))
			}
			return err == nil
		})
		return err == nil
	})
	return err
}

func (p payload) repository() (store.Repository, error) {
	r := store.Repository{
		ID: p.Repository.ID, Owner: Clean(p.Repository.Owner.Login), Name: Clean(p.Repository.Name), Private: p.Repository.Private,
	}
	if r.Owner == "" || r.Name == "" {
		owner, name, ok := strings.Cut(Clean(p.Repository.FullName), "/")
		if !ok {
			return r, errors.New("repository has neither owner and name nor full_name")
		}
		r.Owner, r.Name = owner, name
	}
	if p.Installation != nil && p.Installation.ID > 0 {
		r.InstallationID = &p.Installation.ID
	}
	return r, nil
}
