package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// RetentionRule says how long the logs of some jobs are kept. Its texts are Patterns; nil
// matches any job. A run without a branch or a workflow's name, and a job without a
// conclusion, is matched as if that were empty.
type RetentionRule struct {
	ID            int64     `json:"id"`
	Position      int       `json:"position"` // from 1; the first rule that fits decides
	Repository    *string   `json:"repository"`
	Workflow      *string   `json:"workflow"` // compared without regard to case
	Branch        *string   `json:"branch"`
	Conclusion    *string   `json:"conclusion"`
	OlderThanDays *int      `json:"older_than_days"` // fits only jobs that completed so long ago
	KeepDays      *int      `json:"keep_days"`       // after completion; nil: for ever
	CreatedBy     string    `json:"created_by"`
	CreatedAt     time.Time `json:"created_at"`
}

const retentionRuleColumns = `id, position, repository, workflow, branch, conclusion, older_than_days, keep_days, created_by, created_at`

// String is the rule in the words of the flags that make it.
func (r RetentionRule) String() string {
	var parts []string
	for _, c := range []struct {
		name  string
		value *string
	}{{"repository", r.Repository}, {"workflow", r.Workflow}, {"branch", r.Branch}, {"conclusion", r.Conclusion}} {
		if c.value != nil {
			parts = append(parts, c.name+" "+*c.value)
		}
	}
	if r.OlderThanDays != nil {
		parts = append(parts, fmt.Sprintf("older than %dd", *r.OlderThanDays))
	}
	if len(parts) == 0 {
		parts = []string{"all jobs"}
	}
	keep := "for ever"
	if r.KeepDays != nil {
		keep = fmt.Sprintf("%dd", *r.KeepDays)
	}
	return strings.Join(parts, ", ") + ": keep " + keep
}

// Check fails if a pattern cannot be read, and names it.
func (r RetentionRule) Check() error {
	_, err := r.compile()
	return err
}

// AddRetentionRule inserts a rule at its Position, before the one that is there; 0: at
// the end. A zero CreatedAt is Postgres' now(). It returns the rule as it is stored.
func (db *DB) AddRetentionRule(ctx context.Context, r RetentionRule) (RetentionRule, error) {
	if err := r.Check(); err != nil {
		return r, fmt.Errorf("store: add retention rule: %w", err)
	}
	err := db.inTx(ctx, "add retention rule", func(ctx context.Context, tx pgx.Tx) error {
		rules, err := lockRules(ctx, tx)
		if err != nil {
			return err
		}
		end := len(rules) + 1
		if r.Position == 0 {
			r.Position = end
		}
		if r.Position < 1 || r.Position > end {
			return fmt.Errorf("%w: place %d of %d", ErrNotFound, r.Position, end)
		}
		if _, err := tx.Exec(ctx, `UPDATE retention_rules SET position = position + 1 WHERE position >= $1`, r.Position); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `
			INSERT INTO retention_rules (position, repository, workflow, branch, conclusion, older_than_days, keep_days, created_by, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, coalesce($9, now())) RETURNING id, created_at`,
			r.Position, r.Repository, r.Workflow, r.Branch, r.Conclusion, r.OlderThanDays, r.KeepDays, r.CreatedBy, timeOrNull(r.CreatedAt)).Scan(&r.ID, &r.CreatedAt)
	})
	return r, err
}

// DeleteRetentionRule deletes a rule. It fails with ErrNotFound for an unknown one.
func (db *DB) DeleteRetentionRule(ctx context.Context, id int64) error {
	return db.inTx(ctx, fmt.Sprintf("delete retention rule %d", id), func(ctx context.Context, tx pgx.Tx) error {
		if _, err := lockRules(ctx, tx); err != nil {
			return err
		}
		var position int
		err := tx.QueryRow(ctx, `DELETE FROM retention_rules WHERE id = $1 RETURNING position`, id).Scan(&position)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotFound
		}
		if err == nil {
			_, err = tx.Exec(ctx, `UPDATE retention_rules SET position = position - 1 WHERE position > $1`, position)
		}
		return err
	})
}

// RetentionRules lists all rules in their order.
func (db *DB) RetentionRules(ctx context.Context) ([]RetentionRule, error) {
	var rules []RetentionRule
	err := db.inTx(ctx, "retention rules", func(ctx context.Context, tx pgx.Tx) (err error) {
		rules, err = retentionRules(ctx, tx)
		return err
	})
	return rules, err
}

// lockRules makes this transaction the only one that changes rules.
func lockRules(ctx context.Context, tx pgx.Tx) ([]RetentionRule, error) {
	if _, err := tx.Exec(ctx, `LOCK TABLE retention_rules IN SHARE ROW EXCLUSIVE MODE`); err != nil {
		return nil, err
	}
	return retentionRules(ctx, tx)
}

func retentionRules(ctx context.Context, tx pgx.Tx) ([]RetentionRule, error) {
	return pgx.CollectRows(query(ctx, tx, `SELECT `+retentionRuleColumns+` FROM retention_rules ORDER BY position`), pgx.RowToStructByName[RetentionRule])
}

// compiledRule is a rule with its patterns parsed.
type compiledRule struct {
	RetentionRule
	repository, workflow, branch, conclusion Patterns // nil: any
}

func (r RetentionRule) compile() (compiledRule, error) {
	c := compiledRule{RetentionRule: r}
	for _, p := range []struct {
		name  string
		text  *string
		parse func(string) (Patterns, error)
		to    *Patterns
	}{
		{"repository", r.Repository, ParseRepositories, &c.repository},
		{"workflow", lowered(r.Workflow), ParsePatterns, &c.workflow},
		{"branch", r.Branch, ParsePatterns, &c.branch},
		{"conclusion", r.Conclusion, ParsePatterns, &c.conclusion},
	} {
		if p.text == nil {
			continue
		}
		var err error
		if *p.to, err = p.parse(*p.text); err != nil {
			return c, fmt.Errorf("%s %q: %w", p.name, *p.text, err)
		}
	}
	return c, nil
}

func lowered(s *string) *string {
	if s == nil {
		return nil
	}
	low := strings.ToLower(*s)
	return &low
}

// fits says whether the rule matches a job.
func (r compiledRule) fits(j RetentionJob, now time.Time) bool {
	return (r.repository == nil || r.repository.MatchRepository(j.Repository)) &&
		(r.workflow == nil || r.workflow.Match(strings.ToLower(textOf(j.Workflow)))) &&
		(r.branch == nil || r.branch.Match(textOf(j.Branch))) &&
		(r.conclusion == nil || r.conclusion.Match(textOf(j.Conclusion))) &&
		(r.OlderThanDays == nil || isOld(j.Since, *r.OlderThanDays, now))
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// isOld says whether a time is at least a number of days ago.
func isOld(since time.Time, days int, now time.Time) bool {
	return !since.Add(time.Duration(days) * 24 * time.Hour).After(now)
}

// retention is all rules in their order.
type retention []compiledRule

func compileRules(rules []RetentionRule) (retention, error) {
	all := make(retention, len(rules))
	for i, r := range rules {
		var err error
		if all[i], err = r.compile(); err != nil {
			return nil, fmt.Errorf("retention rule %d: %w", r.ID, err)
		}
	}
	return all, nil
}

// expires returns the rule by which a job's log is removed now; nil: it is kept. If the
// repository does not hold its name, the name may be another's, and rules about the name
// meant for that one: then the log is removed only if it would be under the name and
// without one. So no rule about the name removes it, while one that keeps logs of the
// name still does.
func (all retention) expires(j RetentionJob, now time.Time) *RetentionRule {
	if rule := all.firstFit(j, now); rule == nil || j.HasName {
		return rule
	}
	j.Repository = ""
	return all.firstFit(j, now)
}

// firstFit returns the first rule that fits; nil also if that one keeps the log for longer.
func (all retention) firstFit(j RetentionJob, now time.Time) *RetentionRule {
	for _, r := range all {
		if !r.fits(j, now) {
			continue
		}
		if r.KeepDays == nil || !isOld(j.Since, *r.KeepDays, now) {
			return nil
		}
		return &r.RetentionRule
	}
	return nil
}

// minDays is the smallest number of days that any log is kept; nil: all are kept for
// ever.
func (all retention) minDays() *int {
	var minDays *int
	for _, r := range all {
		if r.KeepDays != nil && (minDays == nil || *r.KeepDays < *minDays) {
			minDays = r.KeepDays
		}
	}
	return minDays
}
