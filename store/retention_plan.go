package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// NotePlan records the present names of all repositories as those of the last plan. Call
// it before the plan is made: a repository that has another name afterwards counts as
// renamed since.
func (db *DB) NotePlan(ctx context.Context) error {
	_, err := db.pool.Exec(ctx, `
		INSERT INTO retention_plans (repository_id, owner, name, has_name, planned_at)
		SELECT id, owner, name, `+hasName+`, now() FROM repositories r ORDER BY id
		ON CONFLICT (repository_id) DO UPDATE SET (owner, name, has_name, planned_at) = (excluded.owner, excluded.name, excluded.has_name, excluded.planned_at)`)
	if err != nil {
		return fmt.Errorf("store: note plan: %w", err)
	}
	return nil
}

// PlannedName is the name of a repository when retention rules were applied to it.
type PlannedName struct {
	Owner   string `json:"owner"`
	Name    string `json:"name"`
	HasName bool   `json:"has_name"` // as of a Repository
}

// String is OWNER/NAME, with a remark if another repository holds that name.
func (n PlannedName) String() string {
	if !n.HasName {
		return n.Owner + "/" + n.Name + " (which it does not have)"
	}
	return n.Owner + "/" + n.Name
}

// same says whether the names are equal for rules, which ignore case.
func (n PlannedName) same(o PlannedName) bool {
	return n.HasName == o.HasName && strings.EqualFold(n.Owner, o.Owner) && strings.EqualFold(n.Name, o.Name)
}

// RenamedError says that a repository has another name than when the removal of one of
// its logs was planned.
type RenamedError struct {
	JobID        int64
	RepositoryID int64
	Was, Is      PlannedName
}

// Error names the job and both names of the repository.
func (e *RenamedError) Error() string {
	return fmt.Sprintf("job %d: its repository was %s when this was planned, and is %s now", e.JobID, e.Was, e.Is)
}

// checkRenamed fails with RenamedError if the repository of a job has another name than
// when the job was listed, or than in the last plan that has it. It locks the name until
// the transaction ends.
func checkRenamed(ctx context.Context, tx pgx.Tx, listed RetentionJob) error {
	var now PlannedName
	if err := tx.QueryRow(ctx, `SELECT owner, name FROM repositories WHERE id = $1 FOR SHARE`, listed.RepositoryID).Scan(&now.Owner, &now.Name); err != nil {
		return err
	}
	// A statement of its own: it sees what was committed before the lock was had.
	if err := tx.QueryRow(ctx, `SELECT `+hasName+` FROM repositories r WHERE id = $1`, listed.RepositoryID).Scan(&now.HasName); err != nil {
		return err
	}
	was := PlannedName{HasName: listed.HasName}
	was.Owner, was.Name, _ = strings.Cut(listed.Repository, "/")
	renamed := func(was PlannedName) error {
		return &RenamedError{JobID: listed.JobID, RepositoryID: listed.RepositoryID, Was: was, Is: now}
	}
	if !was.same(now) {
		return renamed(was)
	}
	// What the last plan did not know yet counts as planned under its first name since.
	planned, err := queryRow[PlannedName](ctx, tx, `
		(SELECT owner, name, has_name FROM retention_plans WHERE repository_id = $1)
		UNION ALL
		(SELECT owner, name, true FROM repository_names
		 WHERE repository_id = $1 AND until > (SELECT max(planned_at) FROM retention_plans)
		   AND NOT EXISTS (SELECT FROM retention_plans WHERE repository_id = $1)
		 ORDER BY until LIMIT 1)`, listed.RepositoryID)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil // there was no plan, or it has had its name since it is known
	case err != nil:
		return err
	case !planned.same(now):
		return renamed(planned)
	}
	return nil
}
