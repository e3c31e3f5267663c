package store

// RunStart is who and what started a job's run, as lists show it. Nil is unknown.
type RunStart struct {
	Event           *string `json:"event"`
	Actor           *string `json:"actor"`            // login of who caused the event
	TriggeringActor *string `json:"triggering_actor"` // login of who started the job's attempt
	FromFork        *bool   `json:"from_fork"`        // whether the head commit is in another repository
	Path            *string `json:"path"`             // file of the workflow
	DisplayTitle    *string `json:"display_title"`
	RunNumber       *int64  `json:"run_number"`
}

// RunBy is who started the job's attempt, if that is known to be somebody else than the
// actor; empty otherwise.
func (s RunStart) RunBy() string {
	if s.TriggeringActor == nil || s.Actor != nil && *s.Actor == *s.TriggeringActor {
		return ""
	}
	return *s.TriggeringActor
}

// IsFromFork says whether the head commit is known to be in a fork.
func (s RunStart) IsFromFork() bool { return s.FromFork != nil && *s.FromFork }

// startColumns are those of a RunStart, of workflow_runs w and joinAttempt's x.
const startColumns = `w.event, w.actor, x.triggering_actor, w.head_repository_id <> w.repository_id AS from_fork, w.path, w.display_title, w.run_number`

// attemptStarter is the login of who started the attempt of jobs j; null: not known. Nobody
// but the actor starts a first attempt.
const attemptStarter = `coalesce(x.triggering_actor, CASE WHEN coalesce(j.run_attempt, 1) = 1 THEN w.actor END)`

// joinAttempt joins what is known of the attempt of jobs j.
const joinAttempt = `LEFT JOIN workflow_run_attempts x ON x.run_id = j.run_id AND x.run_attempt = coalesce(j.run_attempt, 1)`
