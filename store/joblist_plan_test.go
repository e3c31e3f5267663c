package store_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

// lastQuery remembers the last list that was asked of Postgres.
type lastQuery struct {
	sql  string
	args []any
}

func (q *lastQuery) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.Contains(data.SQL, "AS log_state") {
		q.sql, q.args = data.SQL, data.Args
	}
	return ctx
}

func (*lastQuery) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A list shows the newest of millions of jobs: it must begin at the end of an
// index, not sort all there is.
func TestListsOfJobsFollowAnIndex(t *testing.T) {
	asked := &lastQuery{}
	db, pool := tracedDB(t, asked)
	for name, filter := range map[string]store.JobFilter{
		"all":          {},
		"of a time":    {Since: day, Until: day.AddDate(0, 0, 1)},
		"failures":     {Conclusion: "failure"},
		"of a runner":  {Runner: "runner-1"},
		"of an event":  {Event: "schedule"},
		"of an actor":  {Actor: "mona", Fork: true},
		"all the rest": {Workflow: "ci", Branch: "main", Label: "linux", LogState: "archived"},
	} {
		if _, err := db.Jobs(t.Context(), filter); err != nil {
			t.Fatal(err)
		}
		query, args := asked.sql, asked.args
		var plan []string
		err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			// Empty tables are cheapest read whole and sorted; full ones are not.
			if _, err := tx.Exec(t.Context(), `SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off;
				SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off`); err != nil {
				return err
			}
			rows, err := tx.Query(t.Context(), "EXPLAIN (COSTS off) "+query, args...)
			if err != nil {
				return err
			}
			plan, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		// The labels of each job are sorted, below a SubPlan; that is no matter.
		text, _, _ := strings.Cut(strings.Join(plan, "\n"), "SubPlan")
		if strings.Contains(text, "->  Sort") || strings.Contains(text, "Seq Scan on job") {
			t.Errorf("%s:\n%s", name, strings.Join(plan, "\n"))
		}
	}
}

// tracedDB opens a fresh database whose statements a tracer is told of.
func tracedDB(t *testing.T, tracer pgx.QueryTracer) (*store.DB, *pgxpool.Pool) {
	t.Helper()
	config, err := pgxpool.ParseConfig(testenv.DatabaseURL(t))
	if err != nil {
		t.Fatal(err)
	}
	config.ConnConfig.Tracer = tracer
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	db, err := store.New(pool)
	if err != nil {
		t.Fatal(err)
	}
	return db, pool
}
