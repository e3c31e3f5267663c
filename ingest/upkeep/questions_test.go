package upkeep_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/testenv"
)

// Every question of the documentation has an answer, of those who may read the views
// only; and they read nothing else.
func TestTheQuestionsHaveAnswers(t *testing.T) {
	t.Parallel()
	r, day := settledDay(t, ingesttest.Options{}, 1, 200)
	for _, repo := range day.Repositories { // what started runs is in listings alone
		_, err := r.Sweeper().Recent(t.Context(), r.Known(repo.ID), time.Time{})
		r.Check(err)
	}
	text, err := os.ReadFile(filepath.Join(testenv.Root(t), "docs", "questions.md"))
	r.Check(err)
	questions := regexp.MustCompile("(?s)## ([^\n]*)\n\n```sql\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(questions) < 12 {
		t.Errorf("%d questions", len(questions))
	}
	conn, err := pgx.Connect(t.Context(), r.Pool.Config().ConnString())
	r.Check(err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), `SET ROLE jobvault_reader`)
	r.Check(err)
	for _, q := range questions {
		rows, err := conn.Query(t.Context(), q[2])
		r.Check(err)
		n := 0
		for rows.Next() {
			n++
		}
		if err := rows.Err(); err != nil || n == 0 {
			t.Errorf("%s: %d rows, %v", q[1], n, err)
		}
	}
	for name, sql := range dashboardQueries(t) {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, secret := range []string{"jobs", "read_tokens", "sessions", "keys", "reads", "deliveries", "job_logs"} {
		if _, err := conn.Exec(t.Context(), `SELECT FROM `+secret); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %v", secret, err)
		}
	}
	var wrong int
	r.Check(r.Pool.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM job_facts WHERE queue_seconds < 0 OR duration_seconds < 0 OR conclusion = 'skipped' AND duration_seconds IS NOT NULL)
		     + (SELECT count(*) FROM step_facts WHERE duration_seconds < 0 OR conclusion = 'skipped' AND duration_seconds IS NOT NULL)
		     + (SELECT count(*) FROM run_facts WHERE wall_seconds < 0) + (SELECT abs(count(*) - (SELECT count(*) FROM jobs)) FROM job_facts)
		     + (SELECT abs(sum(jobs) - (SELECT count(*) FROM jobs WHERE carried_over_from IS NULL)) FROM workflow_daily)
		     + (SELECT abs(sum(jobs) - (SELECT count(*) FROM jobs WHERE carried_over_from IS NULL)) FROM run_facts) + (SELECT abs(sum(jobs) - (SELECT count(*) FROM jobs)) FROM coverage)
		     + (SELECT abs(count(*) - (SELECT count(*) FROM job_actions)) FROM action_facts) + (SELECT count(*) FROM run_facts WHERE event IS NULL)`).Scan(&wrong))
	if wrong != 0 {
		t.Errorf("%d figures are wrong", wrong)
	}
}

// dashboardQueries are those of Grafana's dashboards, for the last week.
func dashboardQueries(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(testenv.Root(t), "deploy", "grafana", "dashboards", "*.json"))
	if err != nil || len(paths) < 4 {
		t.Fatalf("%d dashboards, %v", len(paths), err)
	}
	queries := make(map[string]string)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var board struct {
			UID    string
			Panels []struct {
				Title   string
				Targets []struct{ RawSQL string }
			}
		}
		if err := json.Unmarshal(b, &board); err != nil || board.UID == "" {
			t.Fatalf("%s: %v", path, err)
		}
		for _, p := range board.Panels {
			for _, target := range p.Targets {
				if target.RawSQL == "" {
					t.Errorf("%s, %s: no query", path, p.Title)
				}
				queries[filepath.Base(path)+": "+p.Title] = strings.NewReplacer(
					"$__timeFrom()", "(now() - interval '7 days')", "$__timeTo()", "now()").Replace(target.RawSQL)
			}
		}
	}
	return queries
}
