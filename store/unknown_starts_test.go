package store_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/store"
)

// Of jobs that a list leaves out since no listing has told what started them, it is said how
// many they are; not of those that were started otherwise, or that the rest of the filter
// leaves out.
func TestUnknownStarts(t *testing.T) {
	f := newFixture(t)
	for id := int64(1); id <= 5; id++ {
		f.usedIn(id, id, 1)
	}
	f.usedIn(6, 4, 2)
	f.usedIn(7, 4, 3)
	f.started(2, 1, "push", "mona", "mona", 1)
	f.started(3, 1, "pull_request_target", "mallory", "mallory", 9)
	f.started(4, 3, "push", "mona", "hubot", 1) // who started the second attempt, nobody has said
	f.started(5, 1, "push", "mona", "mona", 0)  // its head was deleted
	f.fetch(made(20, 2, "other", day))          // in a repository of its own
	f.fetch(factsOf(21, "queued", func(facts *store.Facts) { facts.Run.ID, facts.Job.RunID = 21, 21 }))
	for what, c := range map[string]struct {
		filter store.JobFilter
		want   int64 // -1: it is not asked for
	}{
		"nothing about starts": {store.JobFilter{Conclusion: "success"}, -1},
		"an event":             {store.JobFilter{Event: "push"}, 3},
		"an actor":             {store.JobFilter{Actor: "Mallory"}, 4},
		"the actor himself":    {store.JobFilter{Actor: "mona"}, 3},
		"a fork":               {store.JobFilter{Fork: true}, 4},
		"an event and a fork":  {store.JobFilter{Event: "push", Fork: true}, 4},
		"another, and a fork":  {store.JobFilter{Event: "schedule", Fork: true}, 3},
		"a repository":         {store.JobFilter{Event: "push", Repository: "acme/other"}, 1},
		"what may be read":     {store.JobFilter{Actor: "mallory", Repositories: []int64{1}}, 3},
		"nothing may be read":  {store.JobFilter{Event: "push", Repositories: []int64{}}, 0},
		"a run":                {store.JobFilter{Actor: "mallory", RunID: 4}, 1},
		"a commit":             {store.JobFilter{Event: "push", SHA: "ffff"}, 0},
		"a status":             {store.JobFilter{Event: "push", Status: "queued"}, 1},
		"a state of logs":      {store.JobFilter{Event: "push", LogState: store.LogArchived}, 1},
		"later":                {store.JobFilter{Actor: "mallory", Since: day.AddDate(1, 0, 0)}, 0},
		"earlier":              {store.JobFilter{Actor: "mallory", Until: day.AddDate(-1, 0, 0)}, 0},
		"a page, and the next": {store.JobFilter{Event: "push", Limit: 1, After: &store.Cursor{ID: 1}}, 3},
	} {
		got, err := f.db.UnknownStarts(t.Context(), c.filter)
		f.check(err)
		switch {
		case got == nil && c.want >= 0, got != nil && *got != (store.UnknownStarts{NotListed: c.want}):
			t.Errorf("%s: %+v, want %d", what, got, c.want)
		}
	}
}

// What is looked at has a bound, and where it is met that is said.
func TestUnknownStartsAreCountedToABound(t *testing.T) {
	f := newFixture(t)
	f.repository(1, "acme", "rocket")
	f.exec(`INSERT INTO workflow_runs (id, repository_id) SELECT n, 1 FROM generate_series(1, 20001) n`)
	f.exec(`INSERT INTO jobs (id, run_id, run_attempt, repository_id, name, status, created_at) SELECT n, n, 1, 1, 'job', CASE WHEN n % 3 = 0 THEN 'queued' ELSE 'completed' END, $1::timestamptz + n * interval '1 s' FROM generate_series(1, 20001) n`, day)
	f.exec(`INSERT INTO job_logs (job_id) SELECT id FROM jobs`)
	for what, c := range map[string]struct {
		filter store.JobFilter
		want   store.UnknownStarts
	}{
		"all":              {store.JobFilter{Event: "push"}, store.UnknownStarts{NotListed: store.MaxUnknown, AtLeast: true}},
		"the newest":       {store.JobFilter{Event: "push", Since: day.Add(20_000 * time.Second)}, store.UnknownStarts{NotListed: 2, AtLeast: true}},
		"some":             {store.JobFilter{Fork: true, Status: "queued"}, store.UnknownStarts{NotListed: 6667, AtLeast: true}},
		"of a run":         {store.JobFilter{Event: "push", RunID: 7}, store.UnknownStarts{NotListed: 1}},
		"of nobody's":      {store.JobFilter{Event: "push", Repositories: []int64{2}}, store.UnknownStarts{}},
		"whatever it says": {store.JobFilter{Actor: "mona", Runner: "none"}, store.UnknownStarts{AtLeast: true}},
	} {
		if got, err := f.db.UnknownStarts(t.Context(), c.filter); err != nil || *got != c.want {
			t.Errorf("%s: %+v, %v, want %+v", what, got, err, c.want)
		}
	}
}

// The statement is in testdata/unknown_starts.sql. Run with -update after a change.
func TestGoldenStatementOfUnknownStarts(t *testing.T) {
	asked := &statements{}
	db, _ := tracedDB(t, asked)
	if _, err := db.UnknownStarts(t.Context(), store.JobFilter{Event: "push", Actor: "Mallory", Fork: true, Repositories: []int64{1, 2}, Branch: "main", SHA: "d6fd", Since: day}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "unknown_starts.sql")
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
		t.Errorf("(-want +got):\n%s", diff)
	}
}
