package migrations_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/internal/testenv"
)

// Lines that earlier versions found become estimates without their rows being written; a
// step without lines gets no word, however many there are. It may be repeated, as when it
// was stopped in the middle, and what goes up comes down.
func TestLinesOfBeforeAreEstimates(t *testing.T) {
	t.Parallel()
	pool := testenv.PoolAt(t, testenv.EmptyDatabaseURL(t))
	m := newMigrator(t, pool)
	up(t, m)
	before := slices.Index(all, "00018_step_lines.sql")
	downTo(t, m, before)
	exec(t, pool, `
		INSERT INTO repositories (id, owner, name, seen_at) VALUES (1, 'acme', 'rocket', now());
		INSERT INTO workflow_runs (id, repository_id) VALUES (2, 1);
		INSERT INTO jobs (id, run_id, repository_id, name, status) SELECT n, 2, 1, 'build', 'completed' FROM generate_series(1, 100) n;
		INSERT INTO steps (job_id, number, name, status, log_first_line, log_last_line)
		SELECT job, n, 'step', 'completed', CASE WHEN n % 2 = 0 THEN n END, CASE WHEN n % 2 = 0 THEN n END FROM generate_series(1, 100) job, generate_series(1, 420) n;
		INSERT INTO job_annotations VALUES (1, 2, 'error', 'broken')`)
	rows := func() []string {
		return column[string](t, pool, `SELECT concat_ws(' ', job_id, number, log_first_line, log_last_line, ctid, xmin) FROM steps WHERE log_first_line IS NOT NULL ORDER BY job_id, number`)
	}
	written := rows()
	wantWords := func(when string) {
		t.Helper()
		got := column[string](t, pool, `SELECT concat_ws(' ', log_first_line IS NOT NULL, log_lines, count(*)) FROM steps GROUP BY log_first_line IS NOT NULL, log_lines ORDER BY 1`)
		if diff := cmp.Diff([]string{"f 21000", "t estimated 21000"}, got); diff != "" {
			t.Errorf("%s, steps by their words (-want +got):\n%s", when, diff)
		}
	}
	up(t, m)
	wantWords("after up")
	if diff := cmp.Diff(written, rows()); diff != "" {
		t.Errorf("rows with lines were written anew (-before +after):\n%.2000s", diff)
	}
	if got := column[*int64](t, pool, `SELECT step_number FROM job_annotations`); len(got) != 1 || got[0] != nil {
		t.Errorf("the annotation is of a step: %v", got)
	}
	downTo(t, m, before+1)
	exec(t, pool, `DELETE FROM goose_db_version WHERE version_id = 18`)
	exec(t, pool, `ALTER TABLE steps DROP CONSTRAINT lines_are_known_somehow; UPDATE steps SET log_lines = 'estimated' WHERE job_id > 70`)
	up(t, m)
	wantWords("after it was repeated")
	downTo(t, m, before)
	up(t, m)
	wantWords("after down and up")
}

// Other words than the three are refused. Lines without a word, as a jobvault of before
// writes them, are estimates, and a word without lines is none.
func TestLinesAreKnownSomehow(t *testing.T) {
	t.Parallel()
	pool := withJob(t)
	for values, code := range map[string]string{
		"1, 2, 'exact'": "", "1, 2, 'estimated'": "", "1, 2, 'shared'": "", "NULL, NULL, NULL": "",
		"1, 2, NULL": "", "NULL, NULL, 'exact'": "", "1, 2, 'certain'": checkViolation, "1, 2, ''": checkViolation,
	} {
		wantViolation(t, pool, code, "lines_are_known_somehow", `
			INSERT INTO steps (job_id, number, name, status, log_first_line, log_last_line, log_lines)
			SELECT 3, coalesce(max(number), 0) + 1, 'step', 'completed', `+values+` FROM steps`)
	}
	if got := column[int64](t, pool, `SELECT count(*) FROM steps WHERE log_lines = 'estimated'`); !slices.Equal(got, []int64{2}) {
		t.Errorf("%d steps are estimated", got)
	}
	if got := column[int64](t, pool, `SELECT count(*) FROM steps WHERE log_first_line IS NULL AND log_lines IS NOT NULL`); !slices.Equal(got, []int64{0}) {
		t.Errorf("%d steps have a word and no lines", got)
	}
}
