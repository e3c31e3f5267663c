package githubsim

import (
	"cmp"
	"fmt"
	"strings"
)

// Run is what started a workflow run: all that listings of runs tell beyond its jobs. A
// run that SetRun was not called for is a push by Mona to the run's own repository.
type Run struct {
	ID           int64
	Event        string      // empty: push
	Actor        string      // login; empty: Mona
	StartedBy    []string    // logins of who started each attempt; of those beyond: the actor
	Number       int64       // 0: made of the id
	Title        string      // empty: made of the event
	WorkflowID   int64       // 0: made of the path
	Path         string      // empty: made of the workflow's name
	Head         *Repository // nil: the run's own repository
	HeadDeleted  bool        // its fork was: head_repository is null
	PullRequests []int64
	Referenced   []Referenced
	Omit         []string // keys left out of the JSON
}

// Referenced is a reusable workflow that a run called.
type Referenced struct{ Path, SHA, Ref string }

// SetRun says what started a run, or says so anew.
func (s *Server) SetRun(u Run) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.origins[u.ID] = u
}

// origin is what started a run, with nothing left open.
func (w *world) origin(u *run) Run {
	w.mu.Lock()
	o := w.origins[u.first.RunID]
	w.mu.Unlock()
	o.Event, o.Actor = cmp.Or(o.Event, "push"), cmp.Or(o.Actor, "Mona")
	o.Number, o.Title = cmp.Or(o.Number, 1+u.first.RunID%1000), cmp.Or(o.Title, "What a "+o.Event+" changes")
	slug := strings.ToLower(strings.Join(strings.Fields(cmp.Or(u.first.WorkflowName, "checks")), "-"))
	o.Path = cmp.Or(o.Path, ".github/workflows/"+slug+".yml")
	o.WorkflowID = cmp.Or(o.WorkflowID, accountID(o.Path))
	return o
}

// startedBy is who started an attempt.
func (o Run) startedBy(attempt int64) string {
	if attempt > int64(len(o.StartedBy)) {
		return o.Actor
	}
	return o.StartedBy[attempt-1]
}

// runObject is a run as listings have it.
func (s *Server) runObject(r Repository, u *run) object {
	o := s.world.origin(u)
	if s.o.Gitea {
		return giteaRunObject(r, u, o, s.has()).without(o.Omit)
	}
	api := fmt.Sprintf("%s/repos/%s/%s/actions/runs/%d", apiHost, r.Owner, r.Name, u.first.RunID)
	return object{
		{"id", u.first.RunID},
		{"name", orNull(u.first.WorkflowName)},
		{"node_id", nodeID("WFR", r.ID, u.first.RunID)},
		{"head_branch", orNull(u.first.HeadBranch)},
		{"head_sha", u.first.HeadSHA},
		{"path", o.Path},
		{"display_title", o.Title},
		{"run_number", o.Number},
		{"run_attempt", u.attempt},
		{"event", o.Event},
		{"status", u.status},
		{"conclusion", u.conclusion()},
		{"workflow_id", o.WorkflowID},
		{"url", api},
		{"pull_requests", o.pullRequests(r)},
		{"created_at", u.created},
		{"updated_at", u.updated},
		{"actor", accountObject(o.Actor, "User")},
		{"referenced_workflows", o.referenced()},
		{"run_started_at", u.started},
		{"triggering_actor", accountObject(o.startedBy(u.attempt), "User")},
		{"jobs_url", api + "/jobs"},
		{"logs_url", api + "/logs"},
		{"repository", repositoryObject(r)},
		{"head_repository", o.head(r)},
	}.without(o.Omit)
}

// conclusion is that of the first job; null: the run goes on.
func (u *run) conclusion() any {
	if u.status != "completed" {
		return nil
	}
	return u.first.Conclusion
}

// head is the repository of the head commit.
func (o Run) head(r Repository) any {
	switch {
	case o.HeadDeleted:
		return nil
	case o.Head != nil:
		return repositoryObject(*o.Head)
	}
	return repositoryObject(r)
}

func (o Run) pullRequests(r Repository) []object {
	list := make([]object, len(o.PullRequests))
	for i, n := range o.PullRequests {
		list[i] = object{{"id", 1_000_000 + n}, {"number", n}, {"base", object{{"ref", "main"}, {"repo", object{{"id", r.ID}, {"name", r.Name}}}}}}
	}
	return list
}

func (o Run) referenced() []object {
	list := make([]object, len(o.Referenced))
	for i, w := range o.Referenced {
		list[i] = object{{"path", w.Path}, {"sha", w.SHA}, {"ref", orNull(w.Ref)}}
	}
	return list
}
