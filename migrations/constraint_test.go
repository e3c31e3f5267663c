package migrations_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jobvault/jobvault/internal/testenv"
)

// SQLSTATEs of violated constraints.
const (
	notNullViolation    = "23502"
	foreignKeyViolation = "23503"
	uniqueViolation     = "23505"
	checkViolation      = "23514"
)

// withJob has repository 1, run 2 and job 3.
func withJob(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool := testenv.Pool(t)
	exec(t, pool, `INSERT INTO repositories (id, owner, name, seen_at) VALUES (1, 'acme', 'rocket', now())`)
	exec(t, pool, `INSERT INTO workflow_runs (id, repository_id) VALUES (2, 1)`)
	exec(t, pool, `INSERT INTO jobs (id, run_id, repository_id, name, status) VALUES (3, 2, 1, 'build', 'queued')`)
	return pool
}

// wantViolation runs a statement that Postgres must refuse; an empty code wants
// it taken. A named constraint must be the one that is violated.
func wantViolation(t testing.TB, pool *pgxpool.Pool, code, constraint, statement string) {
	t.Helper()
	_, err := pool.Exec(t.Context(), statement)
	var pg *pgconn.PgError
	switch {
	case code == "" && err != nil:
		t.Errorf("%s: %v", statement, err)
	case code == "":
	case !errors.As(err, &pg) || pg.Code != code || constraint != "" && pg.ConstraintName != constraint:
		t.Errorf("%s: want %s of %q, got %v", statement, code, constraint, err)
	}
}

// archived is a complete row of the ledger, as SQL.
var archived = map[string]string{
	"job_id": "3", "state": "'archived'", "object_key": "'v1/1/2/1/3/log.zst'", "raw_bytes": "0", "stored_bytes": "0", "lines": "0",
	"sha256": "sha256('')", "frame_lines": "'{1}'", "frame_offsets": "'{0}'", "archived_at": "now()", "settled_at": "now()",
}

// insert is a statement that inserts a row with some values changed.
func insert(table string, row, changes map[string]string) string {
	row = maps.Clone(row)
	maps.Copy(row, changes)
	columns := slices.Sorted(maps.Keys(row))
	values := make([]string, len(columns))
	for i, c := range columns {
		values[i] = row[c]
	}
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(columns, ", "), strings.Join(values, ", "))
}

func TestLedgerTakesAnArchivedLogOnlyWhole(t *testing.T) {
	pool := withJob(t)
	type change = map[string]string
	for _, c := range []struct {
		change     change
		constraint string // empty: taken
	}{
		{nil, ""},
		{change{"frame_lines": "NULL", "frame_offsets": "NULL"}, ""}, // an empty log has no frame
		{change{"frame_lines": "'{}'", "frame_offsets": "'{}'"}, ""},
		{change{"truncated": "true"}, ""},
		{change{"object_key": "NULL"}, "archived_is_complete"},
		{change{"raw_bytes": "NULL"}, "archived_is_complete"},
		{change{"stored_bytes": "NULL"}, "archived_is_complete"},
		{change{"lines": "NULL"}, "archived_is_complete"},
		{change{"sha256": "''"}, "archived_is_complete"},
		{change{"sha256": `'\x00'`}, "archived_is_complete"},
		{change{"sha256": "sha256('') || sha256('')"}, "archived_is_complete"},
		{change{"frame_lines": "'{1,2}'"}, "archived_is_complete"},
		{change{"frame_offsets": "'{0,9}'"}, "archived_is_complete"},
		{change{"archived_at": "NULL"}, "archived_is_complete"},
		{change{"settled_at": "NULL"}, "settled_has_time"},
	} {
		t.Run(fmt.Sprint(c.change), func(t *testing.T) {
			code := ""
			if c.constraint != "" {
				code = checkViolation
			}
			wantViolation(t, pool, code, c.constraint, insert("job_logs", archived, c.change))
			exec(t, pool, `DELETE FROM job_logs`)
		})
	}
}

// What a check makes of a null is null, and that Postgres takes for yes.
func TestLedgerLetsNoNullThroughItsCheck(t *testing.T) {
	pool := withJob(t)
	for _, column := range []string{"sha256", "frame_lines", "frame_offsets"} {
		wantViolation(t, pool, checkViolation, "archived_is_complete", insert("job_logs", archived, map[string]string{column: "NULL"}))
		exec(t, pool, `DELETE FROM job_logs`)
	}
}

func TestLedgerKnowsItsStatesAndWhenTheyAreFinal(t *testing.T) {
	pool := withJob(t)
	for state, final := range map[string]bool{
		"pending": false, "denied": false, "none": true, "expired": true, "missing": true, "removed": true,
	} {
		for at, given := range map[string]bool{"NULL": false, "now()": true} {
			code := ""
			if given != final {
				code = checkViolation
			}
			wantViolation(t, pool, code, "settled_has_time", fmt.Sprintf(`INSERT INTO job_logs (job_id, state, settled_at) VALUES (3, '%s', %s)`, state, at))
			exec(t, pool, `DELETE FROM job_logs`)
		}
	}
	for _, state := range []string{"'lost'", "''", "'Archived'"} {
		wantViolation(t, pool, checkViolation, "job_logs_state_check", insert("job_logs", archived, map[string]string{"state": state}))
	}
	wantViolation(t, pool, notNullViolation, "", insert("job_logs", archived, map[string]string{"state": "NULL"}))
	exec(t, pool, `INSERT INTO job_logs (job_id) VALUES (3)`)
	if got := column[string](t, pool, `SELECT format('%s %s %s', state, attempts, truncated) FROM job_logs`); got[0] != "pending 0 f" {
		t.Errorf("a new row is %q", got[0])
	}
	wantViolation(t, pool, uniqueViolation, "job_logs_pkey", `INSERT INTO job_logs (job_id) VALUES (3)`)
}

func TestDeliveryNamesAJobUnlessItIsQuarantined(t *testing.T) {
	pool := testenv.Pool(t)
	row := map[string]string{"guid": "gen_random_uuid()", "event": "'workflow_job'", "job_id": "NULL"}
	for state, code := range map[string]string{"received": checkViolation, "done": checkViolation, "quarantined": ""} {
		wantViolation(t, pool, code, "understood_names_a_job", insert("deliveries", row, map[string]string{"state": "'" + state + "'"}))
		wantViolation(t, pool, "", "", insert("deliveries", row, map[string]string{"state": "'" + state + "'", "job_id": "3"}))
	}
	wantViolation(t, pool, checkViolation, "deliveries_state_check", insert("deliveries", row, map[string]string{"state": "'lost'", "job_id": "3"}))
}

func TestRowsNeedWhatTheyPointAt(t *testing.T) {
	pool := withJob(t)
	for _, statement := range []string{
		`INSERT INTO workflow_runs (id, repository_id) VALUES (9, 99)`,
		`INSERT INTO jobs (id, run_id, repository_id, name, status) VALUES (9, 99, 1, 'x', 'queued')`,
		`INSERT INTO jobs (id, run_id, repository_id, name, status) VALUES (9, 2, 99, 'x', 'queued')`,
		`INSERT INTO steps (job_id, number, name, status) VALUES (99, 1, 'x', 'queued')`,
		`INSERT INTO job_labels (job_id, label_id, position) VALUES (3, 99, 0)`,
		`INSERT INTO job_logs (job_id) VALUES (99)`,
	} {
		wantViolation(t, pool, foreignKeyViolation, "", statement)
	}
}

// The ledger never forgets; steps and labels go with their job.
func TestAJobInTheLedgerCannotBeDeleted(t *testing.T) {
	pool := withJob(t)
	exec(t, pool, `INSERT INTO job_logs (job_id) VALUES (3)`)
	exec(t, pool, `INSERT INTO steps (job_id, number, name, status) VALUES (3, 1, 'x', 'queued')`)
	exec(t, pool, `INSERT INTO labels (name) VALUES ('linux')`)
	exec(t, pool, `INSERT INTO job_labels (job_id, label_id, position) SELECT 3, id, 0 FROM labels`)
	wantViolation(t, pool, foreignKeyViolation, "job_logs_job_id_fkey", `DELETE FROM jobs`)
	exec(t, pool, `DELETE FROM job_logs`)
	exec(t, pool, `DELETE FROM jobs`)
	if left := column[int64](t, pool, `SELECT (SELECT count(*) FROM steps) + (SELECT count(*) FROM job_labels)`); left[0] != 0 {
		t.Errorf("%d rows are left of the job", left[0])
	}
}
