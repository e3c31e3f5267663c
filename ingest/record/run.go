package record

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/store"
)

// RunOf translates a run of a listing into rows: what started it, and its latest attempt,
// with that number. It never fails: what is missing, null, too long or not what GitHub
// has there is unknown. Nothing is taken from elsewhere in its place, such as the sender
// of a webhook for the actor.
func RunOf(raw []byte, id, attempt, repositoryID int64) store.ListedRun {
	run := gjson.ParseBytes(raw)
	actorID, actor := account(run.Get("actor"))
	byID, by := account(first(run, "triggering_actor", "trigger_actor"))
	head := run.Get("head_repository")
	return store.ListedRun{
		ID: id, RepositoryID: repositoryID, WorkflowName: workflowOf(run),
		Origin: store.RunOrigin{
			Event: name(run.Get("event")), ActorID: actorID, Actor: actor, RunNumber: positive(run.Get("run_number")), DisplayTitle: title(run.Get("display_title")),
			WorkflowID: positive(run.Get("workflow_id")), Path: name(run.Get("path")),
			HeadRepositoryID: positive(head.Get("id")), HeadRepository: name(head.Get("full_name")),
			PullRequests: pullRequests(run.Get("pull_requests"), repositoryID), ReferencedWorkflows: referenced(run.Get("referenced_workflows")),
			CreatedAt: timeIn(json.RawMessage(run.Get("created_at").Raw)),
		},
		Attempt: store.RunAttemptFacts{
			RunAttempt: attempt, TriggeringActorID: byID, TriggeringActor: by, Status: name(run.Get("status")), Conclusion: name(run.Get("conclusion")),
			// Gitea has its own names.
			StartedAt: timeIn(json.RawMessage(first(run, "run_started_at", "started_at").Raw)),
			UpdatedAt: timeIn(json.RawMessage(first(run, "updated_at", "completed_at").Raw)),
		},
	}
}

// ListedRunOfDetails translates a run.json. It fails if it is of another attempt than the
// key's.
func ListedRunOfDetails(raw []byte, key archive.RunKey) (store.ListedRun, error) {
	if !gjson.ValidBytes(raw) {
		return store.ListedRun{}, fmt.Errorf("%s: no JSON", key.Run())
	}
	id, attempt := gjson.GetBytes(raw, "id").Int(), max(gjson.GetBytes(raw, "run_attempt").Int(), 1)
	if id != key.RunID || attempt != key.RunAttempt {
		return store.ListedRun{}, fmt.Errorf("%s: it is of run %d, attempt %d", key.Run(), id, attempt)
	}
	return RunOf(raw, id, attempt, key.RepositoryID), nil
}

// RunDetailsOf is what an attempt's row notes of its run.json.
func RunDetailsOf(raw []byte, key archive.RunKey) store.RunDetails {
	d := DetailsOf(raw)
	return store.RunDetails{RepositoryID: key.RepositoryID, RunID: key.RunID, RunAttempt: key.RunAttempt, SHA256: d.SHA256[:], Bytes: d.Bytes}
}

// KeyOfRunDetails is the key of the object that a row tells of.
func KeyOfRunDetails(d store.RunDetails) archive.RunKey {
	return archive.RunKey{RepositoryID: d.RepositoryID, RunID: d.RunID, RunAttempt: d.RunAttempt}
}

// workflowOf is the name of a workflow for a server whose jobs do not say it: Gitea, which
// has no number for one either. It is that of the file, as in Gitea's own pages.
func workflowOf(run gjson.Result) *string {
	if positive(run.Get("workflow_id")) != nil {
		return nil
	}
	if told := name(run.Get("name")); told != nil {
		return told
	}
	file, _, _ := strings.Cut(orEmpty(name(run.Get("path"))), "@refs/")
	file = file[strings.LastIndexByte(file, '/')+1:]
	return text(&file)
}

// first is the first of the members that is there and not null.
func first(of gjson.Result, members ...string) gjson.Result {
	for _, m := range members {
		if v := of.Get(m); v.Exists() && v.Type != gjson.Null {
			return v
		}
	}
	return gjson.Result{}
}

// account is the id and the login of an account. Without a login it is nobody's.
func account(v gjson.Result) (id *int64, login *string) {
	if login = name(v.Get("login")); login == nil {
		return nil, nil
	}
	return positive(v.Get("id")), login
}

// name is a text; nil if it is empty or too long: a part of a name is another name.
func name(v gjson.Result) *string {
	if v.Type != gjson.String || len(v.Str) > maxIndexed {
		return nil
	}
	return text(&v.Str)
}

// title is a text that may be cut.
func title(v gjson.Result) *string {
	if v.Type != gjson.String {
		return nil
	}
	t := v.Str
	if len(t) > maxReason {
		t = strings.ToValidUTF8(t[:maxReason], "") + "…"
	}
	return text(&t)
}

// pullRequests are the numbers of those that are of the repository: a branch may have
// others elsewhere. Nil: the server does not say.
func pullRequests(list gjson.Result, repositoryID int64) []int64 {
	if !list.IsArray() {
		return nil
	}
	numbers := []int64{}
	list.ForEach(func(_, v gjson.Result) bool {
		base := positive(v.Get("base.repo.id"))
		if n := positive(v.Get("number")); n != nil && (base == nil || *base == repositoryID) {
			numbers = append(numbers, *n)
		}
		return len(numbers) < store.MaxReferenced
	})
	return numbers
}

func referenced(list gjson.Result) []store.ReferencedWorkflow {
	if !list.IsArray() {
		return nil
	}
	workflows := []store.ReferencedWorkflow{}
	list.ForEach(func(_, v gjson.Result) bool {
		if path := name(v.Get("path")); path != nil {
			workflows = append(workflows, store.ReferencedWorkflow{Path: *path, SHA: orEmpty(name(v.Get("sha"))), Ref: orEmpty(name(v.Get("ref")))})
		}
		return len(workflows) < store.MaxReferenced
	})
	return workflows
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
