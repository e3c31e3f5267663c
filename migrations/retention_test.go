package migrations_test

import "testing"

// A hold is on exactly one thing, and is released by somebody at some time.
func TestHoldsAreOnOneThing(t *testing.T) {
	pool := withJob(t)
	row := map[string]string{"reason": "'case 7'", "created_by": "'eve'", "created_at": "now()"}
	for _, c := range []struct {
		change           map[string]string
		code, constraint string
	}{
		{map[string]string{"repository_id": "1"}, "", ""},
		{map[string]string{"run_id": "2", "released_by": "'eve'", "released_at": "now()"}, "", ""},
		{map[string]string{"job_id": "3"}, "", ""},
		{nil, checkViolation, "holds_one_thing"},
		{map[string]string{"repository_id": "1", "job_id": "3"}, checkViolation, "holds_one_thing"},
		{map[string]string{"job_id": "3", "released_at": "now()"}, checkViolation, "released_by_somebody"},
		{map[string]string{"job_id": "99"}, foreignKeyViolation, ""},
	} {
		wantViolation(t, pool, c.code, c.constraint, insert("holds", row, c.change))
	}
}

// A removal knows what was removed; of a log there is one redacted copy at most.
func TestRemovalsAndCopiesAreWhole(t *testing.T) {
	pool := withJob(t)
	removal := map[string]string{
		"job_id": "3", "kind": "'redaction'", "reason": "'x'", "actor": "'eve'", "decided_at": "now()", "sha256": "sha256('')", "raw_bytes": "0",
		"stored_bytes": "0", "lines": "0", "truncated": "false", "object_key": "'k'", "archived_at": "now()",
	}
	for column, bad := range map[string]string{"sha256": "''", "kind": "'theft'"} {
		wantViolation(t, pool, checkViolation, "", insert("log_removals", removal, map[string]string{column: bad}))
	}
	wantViolation(t, pool, notNullViolation, "", insert("log_removals", removal, map[string]string{"sha256": "NULL"}))
	wantViolation(t, pool, "", "", insert("log_removals", removal, nil))
	copied := map[string]string{
		"job_id": "3", "number": "1", "object_key": "'k'", "raw_bytes": "0", "stored_bytes": "0", "lines": "0", "sha256": "sha256('')",
		"stored_sha256": "sha256('')", "redacted_lines": "1", "matches": "1", "actor": "'eve'", "reason": "'x'", "at": "now()",
	}
	gone := map[string]string{"removed_at": "now()", "removed_by": "'eve'", "removed_reason": "'x'"}
	wantViolation(t, pool, checkViolation, "removed_by_somebody", insert("log_redactions", copied, map[string]string{"removed_at": "now()"}))
	wantViolation(t, pool, "", "", insert("log_redactions", copied, gone))
	wantViolation(t, pool, "", "", insert("log_redactions", copied, map[string]string{"number": "2"}))
	wantViolation(t, pool, uniqueViolation, "log_redactions_present", insert("log_redactions", copied, map[string]string{"number": "3"}))
}
