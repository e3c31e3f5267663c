package githubsim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// giteaHost is where a Gitea's payloads say that it is.
const giteaHost = "https://gitea.example"

// unset is how a Gitea tells a time that is not.
var unset = time.Unix(0, 0)

func orUnset(t *time.Time) time.Time {
	if t == nil || t.IsZero() {
		return unset
	}
	return *t
}

// giteaJobObject is the job as a Gitea's API and webhooks tell it: 16 to 18 fields.
func giteaJobObject(r Repository, j Job) object {
	full := r.Owner + "/" + r.Name
	api := giteaHost + "/api/v1/repos/" + full + "/actions"
	o := object{
		{"id", j.ID},
		{"url", fmt.Sprintf("%s/jobs/%d", api, j.ID)},
		{"html_url", fmt.Sprintf("%s/%s/actions/runs/%d/jobs/%d", giteaHost, full, j.RunID, j.ID)},
		{"run_id", j.RunID},
		{"run_url", fmt.Sprintf("%s/runs/%d", api, j.RunID)},
		{"name", j.Name},
		{"labels", j.Labels},
		{"run_attempt", j.RunAttempt},
		{"head_sha", j.HeadSHA},
	}
	o = o.withText("head_branch", j.HeadBranch)
	o = append(o, member{"status", j.Status})
	o = o.withText("conclusion", textOf(j.Conclusion))
	o = append(o, member{"runner_id", idOf(j.RunnerID)})
	o = o.withText("runner_name", textOf(j.RunnerName))
	o = append(o,
		member{"steps", giteaStepObjects(j.Steps)}, member{"created_at", orUnset(&j.CreatedAt)},
		member{"started_at", orUnset(&j.StartedAt)}, member{"completed_at", orUnset(j.CompletedAt)})
	o = o.without(j.Omit)
	for _, k := range slices.Sorted(maps.Keys(j.Extra)) {
		o = append(o, member{k, j.Extra[k]})
	}
	return o
}

// giteaStepObjects count from 0, whatever the steps' own numbers are.
func giteaStepObjects(steps []Step) []object {
	out := make([]object, len(steps))
	for i, st := range steps {
		o := object{{"name", st.Name}, {"number", int64(i)}, {"status", st.Status}}
		o = o.withText("conclusion", textOf(st.Conclusion))
		out[i] = append(o, member{"started_at", orUnset(st.StartedAt)}, member{"completed_at", orUnset(st.CompletedAt)})
	}
	return out
}

// withText adds a member unless it is empty.
func (o object) withText(key, value string) object {
	if value == "" {
		return o
	}
	return append(o, member{key, value})
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func idOf(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// giteaRunObject is a run as Gitea's listings have it, which say less than GitHub's, and
// in part under other names.
func giteaRunObject(r Repository, u *run, o Run, f Features) object {
	completed := unset
	if u.status == "completed" {
		completed = u.updated
	}
	full := r.Owner + "/" + r.Name
	object := object{
		{"id", u.first.RunID},
		{"url", fmt.Sprintf("%s/api/v1/repos/%s/actions/runs/%d", giteaHost, full, u.first.RunID)},
		{"html_url", fmt.Sprintf("%s/%s/actions/runs/%d", giteaHost, full, u.first.RunID)},
		{"display_title", o.Title},
		{"path", strings.TrimPrefix(o.Path, ".github/workflows/") + "@refs/heads/" + u.first.HeadBranch},
		{"event", o.Event},
		{"run_attempt", u.attempt},
		{"run_number", o.Number},
		{"repository_id", r.ID},
		{"head_sha", u.first.HeadSHA},
	}
	object = object.withText("head_branch", u.first.HeadBranch)
	object = append(object,
		member{"status", u.status}, member{"actor", giteaUserObject(o.Actor)}, member{"trigger_actor", giteaUserObject(o.startedBy(u.attempt))},
		member{"repository", giteaRepositoryObject(r)}, member{"head_repository", o.giteaHead(r)})
	if u.status == "completed" {
		object = object.withText("conclusion", textOf(u.first.Conclusion))
	}
	if f.RunTimes {
		object = append(object, member{"created_at", u.created}, member{"updated_at", u.updated})
	}
	return append(object, member{"started_at", orUnset(&u.began)}, member{"completed_at", completed})
}

func (o Run) giteaHead(r Repository) any {
	switch {
	case o.HeadDeleted:
		return nil
	case o.Head != nil:
		return giteaRepositoryObject(*o.Head)
	}
	return giteaRepositoryObject(r)
}
