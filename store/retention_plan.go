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

// RenamedError says that a repository is not called any more what it was when the
// removal of a log of its was planned.
type RenamedError struct {
	JobID        int64
	RepositoryID int64
	Was, Is      string // OWNER/NAME, or empty where it does not have its name
}

// Error says both names.
func (e *RenamedError) Error() string {
	return fmt.Sprintf("job %d: its repository was %s when this was planned, and is %s now", e.JobID, nameOrNone(e.Was), nameOrNone(e.Is))
}

func nameOrNone(s string) string {
	if s == "" {
		return "one without a name of its own"
	}
	return s
}

// plannedName is what a repository was called for a plan.
type plannedName struct {
	Owner, Name string
	HasName     bool
}

// rightful is the name that rules go by; empty: none.
func (n plannedName) rightful() string {
	if !n.HasName {
		return ""
	}
	return n.Owner + "/" + n.Name
}

// checkRenamed fails with RenamedError if the repository of a job is not called what it
// was when the job was listed, nor what the last plan that knew it called it. Until the
// transaction ends, nobody gives it another name. Case does not count: rules do not
// tell it.
func checkRenamed(ctx context.Context, tx pgx.Tx, listed RetentionJob) error {
	var now plannedName
	if err := tx.QueryRow(ctx, `SELECT owner, name FROM repositories WHERE id = $1 FOR SHARE`, listed.RepositoryID).Scan(&now.Owner, &now.Name); err != nil {
		return err
	}
	// A statement of its own: it sees what was committed before the lock was had.
	if err := tx.QueryRow(ctx, `SELECT `+hasName+` FROM repositories r WHERE id = $1`, listed.RepositoryID).Scan(&now.HasName); err != nil {
		return err
	}
	was := plannedName{HasName: listed.HasName}
	was.Owner, was.Name, _ = strings.Cut(listed.Repository, "/")
	if err := compareNames(listed, was, now); err != nil {
		return err
	}
	planned, err := one[plannedName](ctx, tx, `SELECT owner, name, has_name FROM retention_plans WHERE repository_id = $1`, listed.RepositoryID)
	if errors.Is(err, ErrNotFound) {
		return nil // no plan has known it
	}
	if err != nil {
		return err
	}
	return compareNames(listed, planned, now)
}

func compareNames(j RetentionJob, was, is plannedName) error {
	if strings.EqualFold(was.rightful(), is.rightful()) {
		return nil
	}
	return &RenamedError{JobID: j.JobID, RepositoryID: j.RepositoryID, Was: was.rightful(), Is: is.rightful()}
}
