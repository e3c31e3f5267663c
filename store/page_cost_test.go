package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jobvault/jobvault/store"
)

// pagedJobs is for how many jobs the lists are tried, pageSize how many a page has.
const pagedJobs, pageSize = 20_000, 100

// archiveOfJobs has jobs of three repositories: the second has few, the third a tenth, all
// along. Half of the logs are archived.
const archiveOfJobs = `
	INSERT INTO repositories (id, owner, name, seen_at) SELECT n, 'acme', 'r' || n, now() FROM generate_series(1, 3) n;
	INSERT INTO workflow_runs (id, repository_id, workflow_name, head_branch)
	SELECT n, CASE WHEN n %% 500 = 1 THEN 2 WHEN n %% 10 = 0 THEN 3 ELSE 1 END, 'ci', 'main' FROM generate_series(1, %[1]d / 5) n;
	INSERT INTO workflow_run_attempts (run_id, run_attempt, description_sha256, description_bytes)
	SELECT id, 1, sha256('run'), 1000 FROM workflow_runs;
	INSERT INTO jobs (id, run_id, run_attempt, repository_id, name, status, conclusion, created_at, completed_at, runner_id)
	SELECT 5 * (r.id - 1) + n, r.id, 1, r.repository_id, 'build', CASE WHEN n = 5 THEN 'queued' ELSE 'completed' END, 'success', at, at, 7
	FROM workflow_runs r, generate_series(1, 5) n, LATERAL (SELECT '2026-01-01'::timestamptz + r.id * interval '1 min' AS at) t;
	INSERT INTO job_logs (job_id, state, reason, raw_bytes, stored_bytes, lines, object_key, sha256, stored_sha256, archived_at, settled_at)
	SELECT id, 'archived', NULL, 70000, 9000, 10, 'v1/x', sha256('raw'), sha256('stored'), completed_at, completed_at FROM jobs WHERE id %% 2 = 0
	UNION ALL SELECT id, (ARRAY['missing', 'denied', 'removed', 'pending'])[1 + id / 2 %% 4], 'x', NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		CASE WHEN id / 2 %% 2 = 0 THEN completed_at END FROM jobs WHERE id %% 2 = 1;
	INSERT INTO log_removals (job_id, kind, reason, actor, decided_at, sha256, raw_bytes, stored_bytes, lines, truncated, object_key, archived_at)
	SELECT job_id, 'redaction', 'x', 'mona', now(), sha256('raw'), 70000, 9000, 10, false, 'v1/x', now() FROM job_logs WHERE state = 'removed';
	ANALYZE`

// askedQueries remembers statements that limit what they return.
type askedQueries struct {
	limited []pgx.TraceQueryStartData
}

func (q *askedQueries) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if (strings.Contains(data.SQL, "LIMIT") || strings.Contains(data.SQL, "FETCH FIRST")) && !strings.Contains(data.SQL, "EXPLAIN") {
		q.limited = append(q.limited, data)
	}
	return ctx
}

func (*askedQueries) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// planNode is a node of a plan as EXPLAIN (ANALYZE, FORMAT JSON) has it.
type planNode struct {
	Relation string     `json:"Relation Name"`
	Node     string     `json:"Node Type"`
	Rows     float64    `json:"Actual Rows"`
	Loops    float64    `json:"Actual Loops"`
	Filtered float64    `json:"Rows Removed by Filter"`
	Recheck  float64    `json:"Rows Removed by Index Recheck"`
	Plans    []planNode `json:"Plans"`
}

// count adds up how many rows of each table the plan has read.
func (n planNode) count(read map[string]float64) {
	// Repositories are few, and may be read whole.
	if n.Relation != "" && n.Relation != "repositories" {
		read[n.Relation] += (n.Rows + n.Filtered + n.Recheck) * n.Loops
	}
	for _, p := range n.Plans {
		p.count(read)
	}
}

// rowsRead runs a statement once more, and returns how many rows of each table it reads.
func rowsRead(t *testing.T, pool *pgxpool.Pool, q pgx.TraceQueryStartData) map[string]float64 {
	t.Helper()
	read := make(map[string]float64)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context()))
	if strings.Contains(q.SQL, "AS log_state") {
		// The candidates of a list of jobs are so many that a table of this size is read
		// faster whole; one of millions is not.
		if _, err := tx.Exec(t.Context(), `SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off`); err != nil {
			t.Fatal(err)
		}
	}
	var plan []byte
	if err := tx.QueryRow(t.Context(), `EXPLAIN (ANALYZE, TIMING off, FORMAT JSON) `+q.SQL, q.Args...).Scan(&plan); err != nil {
		t.Fatalf("%v:\n%s", err, q.SQL)
	}
	var plans []struct{ Plan planNode }
	if err := json.Unmarshal(plan, &plans); err != nil {
		t.Fatal(err)
	}
	plans[0].Plan.count(read)
	return read
}

// jobTime is when a job of archiveOfJobs was created.
func jobTime(id int64) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration((id+4)/5) * time.Minute)
}

// covered fails the test if a list of the store's that goes on after an id is not among
// those tried.
func covered(t *testing.T, names []string) {
	t.Helper()
	int64Type, intType := reflect.TypeFor[int64](), reflect.TypeFor[int]()
	for method := range reflect.TypeFor[*store.DB]().Methods() {
		in := slices.Collect(method.Type.Ins())
		paged := method.Name != "OpenAttempts" && // always the first of a queue
			len(in) > 3 && in[len(in)-1] == intType && slices.Contains(in, int64Type)
		if paged && !slices.ContainsFunc(names, func(name string) bool { return strings.Split(name, " ")[0] == method.Name }) {
			t.Errorf("the cost of pages of %s is not tried", method.Name)
		}
	}
}

// A page costs the same wherever in its list it is: as many rows of each table as it
// has, and no more than as many again. A list of ten million would else take the square
// of its length.
func TestAPageCostsTheSameAtTheEnd(t *testing.T) {
	asked := &askedQueries{}
	db, pool := tracedDB(t, asked)
	if _, err := pool.Exec(t.Context(), fmt.Sprintf(archiveOfJobs, pagedJobs)); err != nil {
		t.Fatal(err)
	}
	ctx, late := t.Context(), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := db.AddRetentionRule(ctx, store.RetentionRule{KeepDays: new(1), CreatedBy: "mona"}); err != nil {
		t.Fatal(err)
	}
	ledger := func(f store.LedgerFilter) func(int64) error {
		return func(after int64) error { _, err := db.Ledger(ctx, f, after, pageSize); return err }
	}
	jobPage := func(f store.JobFilter) func(int64) error {
		return func(after int64) error {
			f.Limit, f.After = pageSize, &store.Cursor{ID: pagedJobs - after, CreatedAt: jobTime(pagedJobs - after)}
			_, err := db.JobPage(ctx, f)
			return err
		}
	}
	// By the names of methods, with what is asked for.
	lists := map[string]func(after int64) error{
		"Ledger":                 ledger(store.LedgerFilter{}),
		"Ledger settled by":      ledger(store.LedgerFilter{SettledBy: late}),
		"Ledger since":           ledger(store.LedgerFilter{Since: late.AddDate(-1, 0, 0)}),
		"Ledger of a repository": ledger(store.LedgerFilter{RepositoryID: 1}),
		"Ledger of an old one":   ledger(store.LedgerFilter{RepositoryID: 2}),
		"Unlisted":               func(after int64) error { _, err := db.Unlisted(ctx, late, after, pageSize); return err },
		"ExpiringLogs":           func(after int64) error { _, _, err := db.ExpiringLogs(ctx, late, after, pageSize); return err },
		"JobRows":                func(after int64) error { _, err := db.JobRows(ctx, store.LedgerFilter{}, after, pageSize); return err },
		"JobRows of one of ten": func(after int64) error {
			_, err := db.JobRows(ctx, store.LedgerFilter{RepositoryID: 2}, after, pageSize)
			return err
		},
		"LogsToReindex":       func(after int64) error { _, err := db.LogsToReindex(ctx, after, false, pageSize); return err },
		"LogsToReindex again": func(after int64) error { _, err := db.LogsToReindex(ctx, after, true, pageSize); return err },
		"RemovalsAfter":       func(after int64) error { _, err := db.RemovalsAfter(ctx, after, pageSize); return err },
		"UnloggedRemovals":    func(after int64) error { _, err := db.UnloggedRemovals(ctx, after, pageSize); return err },
		"UnfinishedRemovals":  func(after int64) error { _, err := db.UnfinishedRemovals(ctx, after, pageSize); return err },
		"DueRemovals":         func(after int64) error { _, err := db.DueRemovals(ctx, after, pageSize); return err },
		"RunDetailsAfter":     func(after int64) error { _, err := db.RunDetailsAfter(ctx, 0, after/5, pageSize); return err },
		"JobPage":             jobPage(store.JobFilter{}),
		"JobPage of a branch": jobPage(store.JobFilter{Branch: "main"}),
	}
	covered(t, slices.Collect(maps.Keys(lists)))
	for _, name := range slices.Sorted(maps.Keys(lists)) {
		for _, after := range []int64{0, pagedJobs / 2, pagedJobs - 2*pageSize} {
			asked.limited = nil
			if err := lists[name](after); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if len(asked.limited) == 0 {
				t.Fatalf("%s asks nothing that is limited", name)
			}
			for _, q := range asked.limited {
				for table, n := range rowsRead(t, pool, q) {
					if n > 2*pageSize {
						t.Errorf("%s after %d: %.0f rows of %s are read for a page of %d", name, after, n, table, pageSize)
					}
				}
			}
		}
	}
}
