package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-github/v60/github"

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
}

// head is what the receiver reads of a payload: enough to find it again.
type head struct {
	action       *string
	repositoryID *int64
	jobID        *int64
	fullName     string
	unusable     string // why it is of no use; empty: it may be
}

// readHead reads JSON that is valid. It never fails: a payload that names no job
// is unusable.
func readHead(raw []byte) head {
	var p struct {
		Action any `json:"action"`
		Job    *struct {
			ID any `json:"id"`
		} `json:"workflow_job"`
		Repository *struct {
			ID       any `json:"id"`
			FullName any `json:"full_name"`
		} `json:"repository"`
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&p); err != nil {
		return head{unusable: "not a workflow_job payload: " + clean(err.Error())}
	}
	var h head
	if action, ok := p.Action.(string); ok {
		action = clean(action)
		h.action = &action
	}
	if p.Repository != nil {
		h.repositoryID = positive(p.Repository.ID)
		h.fullName, _ = p.Repository.FullName.(string)
	}
	if p.Job != nil {
		h.jobID = positive(p.Job.ID)
	}
	switch {
	case p.Job == nil:
		h.unusable = "workflow_job is null or missing"
	case h.jobID == nil:
		h.unusable = "workflow_job.id is not a positive integer"
	case h.repositoryID == nil:
		h.unusable = "repository.id is not a positive integer"
	}
	return h
}

func positive(v any) *int64 {
	n, ok := v.(json.Number)
	if !ok {
		return nil
	}
	id, err := n.Int64()
	if err != nil || id <= 0 {
		return nil
	}
	return &id
}

// factsOfDelivery turns a payload into facts, or says why it cannot.
func factsOfDelivery(body []byte, d store.Delivery) (store.Facts, error) {
	raw, err := storedPayloadJSON(body)
	if err != nil {
		return store.Facts{}, err
	}
	var p payload
	if err := json.Unmarshal(raw, &p); err != nil {
		return store.Facts{}, fmt.Errorf("not a workflow_job payload: %s", clean(err.Error()))
	}
	if p.Job == nil || p.Repository == nil {
		return store.Facts{}, errors.New("workflow_job or repository is missing")
	}
	repo, err := p.repository()
	if err != nil {
		return store.Facts{}, err
	}
	repo.SeenAt = d.ReceivedAt
	return factsOfJob(p.Job, repo)
}

func (p payload) repository() (store.Repository, error) {
	r := store.Repository{
		ID: p.Repository.ID, Owner: clean(p.Repository.Owner.Login), Name: clean(p.Repository.Name), Private: p.Repository.Private,
	}
	if r.Owner == "" || r.Name == "" {
		owner, name, ok := strings.Cut(clean(p.Repository.FullName), "/")
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
