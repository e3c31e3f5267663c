package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
)

// verify --database names a row that somebody changed, and says what helps.
func TestVerifyDatabaseFromTheCommandLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	day := w.github.AddHistory(githubsim.History{Seed: 12, Jobs: 40, Runs: 5, Repositories: 1, Begin: now.AddDate(0, 0, -5), End: now.AddDate(0, 0, -4), NoDeliveries: true})
	w.want(0, "backfill", "--org", day.Repositories[0].Owner, "--since", "9d")
	if s := w.want(0, "verify", "--database"); !strings.Contains(s.out, "40 jobs") || !strings.Contains(s.out, ": 0 faults") {
		t.Errorf("verify --database: %s", s.out)
	}
	id := day.Jobs[0].ID
	was := day.Jobs[0].Name
	rename := func(name string) {
		_, err := w.pool.Exec(t.Context(), `UPDATE jobs SET name = $2 WHERE id = $1`, id, name)
		w.check(err)
	}
	rename("innocent")
	var fault struct{ Kind, Table, Row, Column, Database, Bucket string }
	s := w.want(1, "verify", "--database", "--json")
	w.check(json.NewDecoder(strings.NewReader(s.out)).Decode(&fault))
	if fault.Kind != "row" || fault.Table != "jobs" || fault.Row != "id "+strconv.FormatInt(id, 10) || fault.Column != "name" || fault.Database != `"innocent"` || fault.Bucket != strconv.Quote(was) {
		t.Errorf("%+v\n%s", fault, s.out)
	}
	if s := w.want(1, "verify", "--database", "--repo", day.Repositories[0].Owner+"/"+day.Repositories[0].Name); !strings.Contains(s.out, `name: the database says "innocent", the bucket `) || !strings.Contains(s.err, "jobvault rebuild") {
		t.Errorf("%s%s", s.out, s.err)
	}
	rename(was)
	for _, args := range [][]string{{"--database", "--deep"}, {"--database", "--repair"}, {"--database", "--manifests"}} {
		w.want(2, append([]string{"verify"}, args...)...)
	}
}
