package upkeep_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/migrations"
)

// releaseBefore is the number of the last migration of the release before this one.
const releaseBefore = 17

// A day that is archived goes back to the schema of the release before, and forwards again:
// no row that it had changes either way. Then reindex makes of the rows what archiving
// makes of the same logs; what listings alone tell of runs stays unknown.
func TestUpgradeFromTheReleaseBefore(t *testing.T) {
	t.Parallel()
	r, day := settledDay(t, ingesttest.Options{}, 41, 80)
	r.Check(r.DB.RollUpAllActions(t.Context()))
	m, err := migrations.New(r.DB.Pool())
	r.Check(err)
	defer func() { r.Check(m.Close()) }()
	toReleaseBefore := func() {
		for s, err := m.State(t.Context()); s.Current > releaseBefore; s, err = m.State(t.Context()) {
			r.Check(err)
			_, err = m.Down(t.Context())
			r.Check(err)
		}
	}
	toNewest := func() {
		_, err := m.Up(t.Context())
		r.Check(err)
	}
	archived := make(map[string][]string)
	for table, query := range rebuilt {
		archived[table] = tables(r, query)
	}

	toReleaseBefore()
	columns := columnsOfTables(r)
	want := rowsOfTables(r, columns)
	for range 2 {
		toNewest()
		if diff := cmp.Diff(want, rowsOfTables(r, columns)); diff != "" {
			t.Fatalf("after the upgrade (-before +after):\n%.4000s", diff)
		}
		toReleaseBefore()
		if diff := cmp.Diff(want, rowsOfTables(r, columns)); diff != "" {
			t.Fatalf("after it was undone (-before +after):\n%.4000s", diff)
		}
	}

	toNewest()
	x := &upkeep.Reindexer{DB: r.DB, Archive: r.Archive}
	_, err = x.Reindex(t.Context(), false, 2, func(f archive.Fault) { t.Errorf("%+v", f) }, func(upkeep.ReindexResult) {})
	r.Check(err)
	for table, query := range rebuilt {
		if table == "workflow_runs" {
			continue
		}
		if diff := cmp.Diff(archived[table], tables(r, query)); diff != "" {
			t.Errorf("%s (-archived +reindexed):\n%.4000s", table, diff)
		}
	}
	r.CompareDay(day)
}

// columnsOfTables lists the columns of each table, but for those that are made of others
// and made anew when these change: the sums of actions, and the index of lists.
func columnsOfTables(r *rig) map[string]string {
	columns := make(map[string]string)
	for _, row := range r.Rows(`
		SELECT table_name, string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) AS columns
		FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
		WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name NOT LIKE 'action\_%' AND table_name NOT IN ('job_facets', 'goose_db_version')
		GROUP BY table_name`) {
		columns[fmt.Sprint(row["table_name"])] = fmt.Sprint(row["columns"])
	}
	return columns
}

func rowsOfTables(r *rig, columns map[string]string) map[string][]string {
	rows := make(map[string][]string)
	for table, of := range columns {
		rows[table] = tables(r, fmt.Sprintf(`SELECT %s FROM %s ORDER BY (%s)::text`, of, table, "ROW("+of+")"))
	}
	return rows
}
