package store

import (
	"cmp"
	"slices"
	"time"
)

// RunOrigin is what started a run, as listings of runs tell it: the same for all attempts.
// Nil is unknown throughout, and an empty list is none.
type RunOrigin struct {
	Event               *string              `json:"event"`
	ActorID             *int64               `json:"actor_id"`
	Actor               *string              `json:"actor"` // login of who caused the event
	RunNumber           *int64               `json:"run_number"`
	DisplayTitle        *string              `json:"display_title"`
	WorkflowID          *int64               `json:"workflow_id"`
	Path                *string              `json:"path"` // file of the workflow
	HeadRepositoryID    *int64               `json:"head_repository_id"`
	HeadRepository      *string              `json:"head_repository"` // OWNER/NAME
	PullRequests        []int64              `json:"pull_requests"`   // numbers, in order
	ReferencedWorkflows []ReferencedWorkflow `json:"referenced_workflows"`
	CreatedAt           *time.Time           `json:"created_at"`
}

// ReferencedWorkflow is a reusable workflow that a run called.
type ReferencedWorkflow struct {
	Path string `json:"path"` // OWNER/REPO/PATH@REF
	SHA  string `json:"sha"`
	Ref  string `json:"ref,omitempty"` // empty: GitHub did not say
}

// MaxReferenced bounds the pull requests, and the reusable workflows, that are kept of a
// run. GitHub allows a run some dozens.
const MaxReferenced = 1000

// Fold merges two descriptions of one run's start. What only one tells is taken; where
// they contradict each other, as after an account was renamed, the greater counts; lists
// are united. So the result does not depend on the order of the descriptions, nor on how
// often one is merged.
func (r RunOrigin) Fold(o RunOrigin) RunOrigin {
	r.Event, r.DisplayTitle, r.Path = greater(r.Event, o.Event, cmp.Compare), greater(r.DisplayTitle, o.DisplayTitle, cmp.Compare), greater(r.Path, o.Path, cmp.Compare)
	r.RunNumber, r.WorkflowID = greater(r.RunNumber, o.RunNumber, cmp.Compare), greater(r.WorkflowID, o.WorkflowID, cmp.Compare)
	r.ActorID, r.Actor = greaterPair(r.ActorID, r.Actor, o.ActorID, o.Actor)
	r.HeadRepositoryID, r.HeadRepository = greaterPair(r.HeadRepositoryID, r.HeadRepository, o.HeadRepositoryID, o.HeadRepository)
	r.PullRequests = united(r.PullRequests, o.PullRequests, cmp.Compare)
	r.ReferencedWorkflows = united(r.ReferencedWorkflows, o.ReferencedWorkflows, ReferencedWorkflow.compare)
	r.CreatedAt = greater(r.CreatedAt, o.CreatedAt, time.Time.Compare)
	return r
}

func (w ReferencedWorkflow) compare(o ReferencedWorkflow) int {
	return cmp.Or(cmp.Compare(w.Path, o.Path), cmp.Compare(w.SHA, o.SHA), cmp.Compare(w.Ref, o.Ref))
}

// RunAttemptFacts is an attempt of a run as GitHub described it while it was the latest.
// Nil is unknown.
type RunAttemptFacts struct {
	RunAttempt        int64      `json:"run_attempt"`
	TriggeringActorID *int64     `json:"triggering_actor_id"`
	TriggeringActor   *string    `json:"triggering_actor"` // login of who started the attempt
	Status            *string    `json:"status"`
	Conclusion        *string    `json:"conclusion"`
	StartedAt         *time.Time `json:"started_at"`
	UpdatedAt         *time.Time `json:"updated_at"`
}

// Fold merges two descriptions of one attempt. Its status, conclusion and time are those
// of one description: of a completed attempt rather than of one that was still going, of
// those rather of one with a conclusion, then of the latest time. The rest is merged as by RunOrigin.Fold.
func (a RunAttemptFacts) Fold(o RunAttemptFacts) RunAttemptFacts {
	if a.compareStates(o) < 0 {
		a.Status, a.Conclusion, a.UpdatedAt = o.Status, o.Conclusion, o.UpdatedAt
	}
	a.TriggeringActorID, a.TriggeringActor = greaterPair(a.TriggeringActorID, a.TriggeringActor, o.TriggeringActorID, o.TriggeringActor)
	a.StartedAt = greater(a.StartedAt, o.StartedAt, time.Time.Compare)
	return a
}

// compareStates says which description tells of the later state. One without a status
// tells of none.
func (a RunAttemptFacts) compareStates(o RunAttemptFacts) int {
	return cmp.Or(cmp.Compare(a.stateRank(), o.stateRank()), compareNull(a.UpdatedAt, o.UpdatedAt, time.Time.Compare),
		compareNull(a.Status, o.Status, cmp.Compare), compareNull(a.Conclusion, o.Conclusion, cmp.Compare))
}

// stateRank is how far a description says that its attempt has come.
func (a RunAttemptFacts) stateRank() int {
	switch {
	case a.Status == nil:
		return 0
	case *a.Status != StatusCompleted:
		return 1
	case a.Conclusion == nil:
		return 2
	}
	return 3
}

// compareNull orders values, nil before all.
func compareNull[T any](a, b *T, compare func(T, T) int) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return compare(*a, *b)
}

// greater is the greater of two values; nil is less than all.
func greater[T any](a, b *T, compare func(T, T) int) *T {
	if compareNull(a, b, compare) < 0 {
		return b
	}
	return a
}

// greaterPair is the greater of two ids with their names: a name never comes to stand
// beside another's id.
func greaterPair(id *int64, name *string, otherID *int64, otherName *string) (*int64, *string) {
	if cmp.Or(compareNull(id, otherID, cmp.Compare), compareNull(name, otherName, cmp.Compare)) < 0 {
		return otherID, otherName
	}
	return id, name
}

// united is a list of what is in either, in order and each once; at most MaxReferenced,
// the first. It is nil if both are.
func united[T any](a, b []T, compare func(T, T) int) []T {
	if a == nil && b == nil {
		return nil
	}
	all := append(append([]T{}, a...), b...)
	slices.SortFunc(all, compare)
	all = slices.CompactFunc(all, func(x, y T) bool { return compare(x, y) == 0 })
	return slices.Clip(all[:min(len(all), MaxReferenced)])
}
