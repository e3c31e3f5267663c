package store_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/jobvault/jobvault/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

// statements remembers what Postgres was asked, with the values.
type statements struct{ strings.Builder }

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.HasPrefix(data.SQL, "begin") || strings.HasPrefix(data.SQL, "commit") {
		return ctx
	}
	for line := range strings.Lines(data.SQL) {
		if line = strings.TrimSpace(line); line != "" {
			s.WriteString(line + "\n")
		}
	}
	for i, value := range data.Args {
		if ids, ok := value.([]int64); ok && len(ids) > 5 {
			value = fmt.Sprintf("%d ids", len(ids))
		}
		fmt.Fprintf(s, "-- $%d = %v\n", i+1, value)
	}
	s.WriteString("\n")
	return ctx
}

func (*statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// The statements of a page by each plan are in testdata/joblist: those that choose the
// plan, the page, and where it ends. Run with -update after a change, and read the
// difference.
func TestStatementsOfEachPlanOfAList(t *testing.T) {
	asked := &statements{}
	db, _ := tracedDB(t, asked)
	many := make([]int64, 1001)
	for i := range many {
		many[i] = int64(i)
	}
	cursor := &store.Cursor{CreatedAt: day, ID: 7}
	for name, filter := range map[string]store.JobFilter{
		"direct_run":            {RunID: 5, Repositories: []int64{1, 2}},
		"direct_commit":         {SHA: "D6FD", Until: day},
		"direct_status":         {Status: "queued", Conclusion: "failure", After: cursor},
		"facet_all":             {LogState: store.LogArchived, After: &store.Cursor{ID: 7}},
		"facet_all_of_many":     {Repositories: many},
		"facet_of_several":      {Workflow: "CI", Branch: "main", Label: "gpu", Runner: "r", Since: day, After: cursor},
		"facet_of_starts":       {Event: "pull_request_target", Actor: "Mallory", Fork: true, Repositories: []int64{1}},
		"repository_name":       {Repository: "acme/rocket", Repositories: []int64{1}},
		"facet_repository":      {Repositories: []int64{1}, Limit: 20},
		"merge_of_repositories": {Repositories: []int64{1, 2, 3}, Since: day, Until: day.AddDate(0, 0, 1), After: cursor},
	} {
		t.Run(name, func(t *testing.T) {
			asked.Reset()
			if _, err := db.JobPage(t.Context(), filter); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", "joblist", name+".sql")
			if *update {
				if err := os.WriteFile(file, []byte(asked.String()), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), asked.String()); diff != "" {
				t.Errorf("%s (-want +got); -update writes it anew:\n%s", file, diff)
			}
		})
	}
}
