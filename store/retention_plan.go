package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// NotePlan notes under which names all repositories are known now, as the last plan's.
// Call it before what is planned is looked up: what is called otherwise after that
// counts as renamed since.
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

// PlannedName is what a repository is, or was, called when rules were looked at.
type PlannedName struct {
	Owner   string `json:"owner"`
	Name    string `json:"name"`
	HasName bool   `json:"has_name"` // as of a Repository
}

// String is OWNER/NAME, and says so if another repository has that name.
func (n PlannedName) String() string {
	if !n.HasName {
		return n.Owner + "/" + n.Name + " (which it does not have)"
	}
	return n.Owner + "/" + n.Name
}

// same tells whether rules see no difference; they do not tell case.
func (n PlannedName) same(o PlannedName) bool {
	return n.HasName == o.HasName && strings.EqualFold(n.Owner, o.Owner) && strings.EqualFold(n.Name, o.Name)
}

// RenamedError says that a repository is not called any more what it was when the
// removal of a log of its was planned.
type RenamedError struct {
	JobID        int64
	RepositoryID int64
	Was, Is      PlannedName
}

// Error says both names.
func (e *RenamedError) Error() string {
	return fmt.Sprintf("job %d: its repository was %s when this was planned, and is %s now", e.JobID, e.Was, e.Is)
}

// checkRenamed fails with RenamedError if the repository of a job is not called what it
// was when the job was listed, nor what the last plan that knew it called it. Until the
// transaction ends, nobody gives it another name.
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
