package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// RetentionJob is a job with a log, as far as rules are about it.
type RetentionJob struct {
	JobID        int64     `json:"job_id"`
	RepositoryID int64     `json:"repository_id"`
	Repository   string    `json:"repository"` // OWNER/NAME
	HasName      bool      `json:"has_name"`   // whether the repository has it, as of a Repository
	RunID        int64     `json:"run_id"`
	Workflow     *string   `json:"workflow"`
	Branch       *string   `json:"branch"`
	Conclusion   *string   `json:"conclusion"`
	Since        time.Time `json:"since"` // completion; else creation, else when it was archived: its age counts from here
	RawBytes     int64     `json:"raw_bytes"`
	StoredBytes  int64     `json:"stored_bytes"`
	Redacted     bool      `json:"redacted"` // what is there is a redacted copy
	Hold         *int64    `json:"hold"`     // a hold that covers it; nil: none
}

// ExpiringLog is a job whose log a rule removes, or would remove if no hold covered it.
type ExpiringLog struct {
	RetentionJob
	Rule RetentionRule `json:"rule"`
}

// retentionJobs is all jobs with a log, archived or redacted, as j, l, c, w and r.
const retentionJobs = `
	SELECT j.id AS job_id, j.repository_id, r.owner || '/' || r.name AS repository, ` + hasName + ` AS has_name, j.run_id, w.workflow_name AS workflow, w.head_branch AS branch,
	       j.conclusion, coalesce(j.completed_at, j.created_at, l.archived_at) AS since,
	       coalesce(c.raw_bytes, l.raw_bytes) AS raw_bytes, coalesce(c.stored_bytes, l.stored_bytes) AS stored_bytes, c.job_id IS NOT NULL AS redacted,
	       (SELECT min(h.id)` + holdOfJob + `) AS hold
	FROM job_logs l
	JOIN jobs j ON j.id = l.job_id
	JOIN workflow_runs w ON w.id = j.run_id
	JOIN repositories r ON r.id = j.repository_id
	LEFT JOIN log_redactions c ON c.job_id = l.job_id AND c.removed_at IS NULL
	WHERE (l.state = 'archived' OR l.state = 'removed' AND c.job_id IS NOT NULL)`

// ExpiringLogs looks at up to limit jobs with a log that may be old enough, those with an
// id above after, and returns those whose log a rule removes at a time (zero: Postgres'
// now()), by their ids. last is the id of the last job that was looked at; 0: there are
// no more. Without rules, and where no rule fits, a log stays. It decides nothing: that
// is RemoveByRule's.
func (db *DB) ExpiringLogs(ctx context.Context, now time.Time, after int64, limit int) (expiring []ExpiringLog, last int64, err error) {
	err = db.inTx(ctx, "expiring logs", func(ctx context.Context, tx pgx.Tx) error {
		if now.IsZero() {
			if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
				return err
			}
		}
		rules, err := rulesNow(ctx, tx)
		if err != nil {
			return err
		}
		minDays := rules.minDays()
		if minDays == nil {
			return nil
		}
		jobs, err := pgx.CollectRows(query(ctx, tx, retentionJobs+`
			AND l.job_id > $1 AND j.id > $1 AND coalesce(j.completed_at, j.created_at, l.archived_at) <= $2 ORDER BY l.job_id LIMIT $3`,
			after, now.Add(-time.Duration(*minDays)*24*time.Hour), limit), pgx.RowToStructByName[RetentionJob])
		if err != nil {
			return err
		}
		for _, j := range jobs {
			last = j.JobID
			if rule := rules.expires(j, now); rule != nil {
				expiring = append(expiring, ExpiringLog{j, *rule})
			}
		}
		return nil
	})
	return expiring, last, err
}

func rulesNow(ctx context.Context, tx pgx.Tx) (retention, error) {
	rules, err := retentionRules(ctx, tx)
	if err != nil {
		return nil, err
	}
	return compileRules(rules)
}

// RemoveByRule removes a job's log, or the redacted copy of it, if a rule says so at
// a time (zero: Postgres' now(), of this transaction) and no hold covers it: in the
// ledger, in one transaction. FinishRemoval does so in the bucket. It says whether it
// did, and fails with HeldError, with SkewError, and with RenamedError if the repository
// is not called what it was when the job was listed, by ExpiringLogs, or planned.
func (db *DB) RemoveByRule(ctx context.Context, listed RetentionJob, actor string, at time.Time) (*RetentionRule, error) {
	var rule *RetentionRule
	jobID := listed.JobID
	err := db.inTx(ctx, fmt.Sprintf("remove log of job %d by a rule", jobID), func(ctx context.Context, tx pgx.Tx) error {
		at, err := db.decide(ctx, tx, at)
		if err != nil {
			return err
		}
		if err := lockUnheld(ctx, tx, jobID); err != nil {
			return err
		}
		if err := checkRenamed(ctx, tx, listed); err != nil {
			return err
		}
		// What was planned may have been long ago.
		rules, err := rulesNow(ctx, tx)
		if err != nil {
			return err
		}
		jobs, err := pgx.CollectRows(query(ctx, tx, retentionJobs+` AND l.job_id = $1`, jobID), pgx.RowToStructByName[RetentionJob])
		if err != nil || len(jobs) == 0 {
			return err
		}
		if rule = rules.expires(jobs[0], at); rule == nil {
			return nil
		}
		text := rule.String()
		return removeText(ctx, tx, Removal{JobID: jobID, Kind: RemovedByRule, Rule: &text, Reason: "retention: " + text, Actor: actor, DecidedAt: at})
	})
	if err != nil {
		rule = nil
	}
	return rule, err
}
