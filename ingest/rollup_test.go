package ingest_test

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/store"
)

// What jobs used is summed up by the workers, however much has been left for them, and
// what is said of it stays the same.
func TestWorkersRollUpWhatIsPending(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	for _, sql := range []string{
		`INSERT INTO repositories (id, owner, name, seen_at) VALUES (1, 'acme', 'rocket', now())`,
		`INSERT INTO workflow_runs (id, repository_id, workflow_name) VALUES (2, 1, 'CI')`,
		`INSERT INTO jobs (id, run_id, repository_id, name, status, created_at) SELECT i, 2, 1, 'build', 'completed', now() FROM generate_series(1, 12000) i`,
		`INSERT INTO job_actions (job_id, seq, action, ref, log_line, in_setup) SELECT i, 0, 'actions/checkout', 'v4', 1, true FROM generate_series(1, 12000) i`,
	} {
		_, err := r.Pool.Exec(t.Context(), sql)
		r.Check(err)
	}
	used := func() {
		t.Helper()
		uses, err := r.DB.ActionUses(t.Context(), store.ActionFilter{Action: "actions/checkout"})
		r.Check(err)
		if len(uses) != 1 || uses[0].Jobs != 12000 {
			t.Errorf("%+v, want 12,000 jobs", uses)
		}
	}
	used()
	r.Work()
	r.Await(time.Minute, `NOT EXISTS (SELECT FROM action_pending)
		AND (SELECT sum(jobs) FROM action_sums WHERE days = 56) = 12000`)
	used()
	r.Await(time.Minute, `EXISTS (SELECT FROM queue.river_job WHERE kind = 'rollup' AND state = 'completed')`)
}

// Nobody who looks at the log or at metrics can miss it.
func TestSumsThatCannotBeMadeAreTold(t *testing.T) {
	t.Parallel()
	registry, log := prometheus.NewRegistry(), new(lines)
	r := newRig(t, ingesttest.Options{})
	r.Metrics, r.Logger = ingest.NewMetrics(registry), slog.New(slog.NewTextHandler(log, nil))
	r.Exec(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room'; END $$`)
	r.Exec(`CREATE TRIGGER refuse BEFORE DELETE ON action_pending EXECUTE FUNCTION refuse()`)
	r.Exec(`INSERT INTO action_pending (job_id) VALUES (1)`)
	r.Work()
	r.Await(time.Minute, `EXISTS (SELECT FROM queue.river_job WHERE kind = 'rollup' AND state = 'cancelled')`)
	r.StopWork()
	families, err := registry.Gather()
	r.Check(err)
	failed := 0.0
	for _, f := range families {
		if f.GetName() == "jobvault_action_sums_failed_total" {
			failed = f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	if failed < 1 {
		t.Errorf("the metric is %v", failed)
	}
	if text := log.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "the sums of actions could not be brought up to date") || !strings.Contains(text, "no room") {
		t.Errorf("the log says\n%s", text)
	}
}

// lines are what several goroutines log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
