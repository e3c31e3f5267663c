package store_test

import (
	"slices"
	"testing"

	"github.com/jobvault/jobvault/store"
)

// A page looks at a bounded number of jobs; the next one goes on where it stopped, and
// no job is lost on the way.
func TestPagesGoOnWhereTheyStopped(t *testing.T) {
	f := newFixture(t)
	f.tell(factsOf(1, "queued"))
	f.exec(`INSERT INTO jobs (id, run_id, repository_id, name, status, conclusion, created_at)
		SELECT i, 2, 1, 'build', 'completed', 'success', CASE WHEN i > 100 THEN '2024-01-01'::timestamptz + (i / 3) * interval '1 s' END
		FROM generate_series(2, 12000) i`)
	f.exec(`INSERT INTO job_logs (job_id, state, settled_at) SELECT id, CASE WHEN id % 2500 = 77 THEN 'expired' ELSE 'none' END, now() FROM jobs WHERE id > 1`)
	want := []int64{10077, 7577, 5077, 2577, 77} // the last without a time
	var got []int64
	filter, pages := store.JobFilter{LogState: store.LogExpired, Limit: 3}, 0
	for {
		page, err := f.db.JobPage(t.Context(), filter)
		f.check(err)
		for _, j := range page.Jobs {
			got = append(got, j.ID)
		}
		pages++
		if page.Next == nil {
			break
		}
		filter.After = page.Next
		if pages > 10 {
			t.Fatal("the list does not end")
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if pages < 3 {
		t.Errorf("12,000 jobs on %d pages: more was looked at than should be", pages)
	}
	// And all of them, in the list's order, over the border to those without a time.
	filter, got = store.JobFilter{Limit: 3999}, nil
	for {
		page, err := f.db.JobPage(t.Context(), filter)
		f.check(err)
		for _, j := range page.Jobs {
			got = append(got, j.ID)
		}
		if page.Next == nil {
			break
		}
		filter.After = page.Next
	}
	if len(got) != 12000 || !slices.IsSortedFunc(got[:11900], func(a, b int64) int { return int(b - a) }) || got[11999] != 1 && got[11999] != 2 {
		t.Errorf("%d jobs, the last %v", len(got), got[max(0, len(got)-3):])
	}
	// Of two repositories, merged.
	f.repository(2, "acme", "other")
	f.exec(`INSERT INTO jobs (id, run_id, repository_id, name, status, created_at) SELECT 20000 + i, 2, 2, 'x', 'completed', '2024-01-01'::timestamptz + i * interval '100 s' FROM generate_series(1, 60) i`)
	f.exec(`INSERT INTO job_logs (job_id) SELECT id FROM jobs WHERE id > 20000`)
	filter, got = store.JobFilter{Repositories: []int64{1, 2, 3}, Limit: 50}, nil
	for range 4 {
		page, err := f.db.JobPage(t.Context(), filter)
		f.check(err)
		for _, j := range page.Jobs {
			got = append(got, j.ID)
		}
		filter.After = page.Next
	}
	all, err := f.db.Jobs(t.Context(), store.JobFilter{Limit: 200})
	f.check(err)
	for i, j := range all {
		if j.ID != got[i] {
			t.Fatalf("job %d of the merged list is %d, want %d", i, got[i], j.ID)
		}
	}
}

// What a job is found by is kept up, whatever changes.
func TestTheIndexOfListsFollowsTheRows(t *testing.T) {
	f := newFixture(t)
	finds := func(filter store.JobFilter, want int) {
		t.Helper()
		jobs, err := f.db.Jobs(t.Context(), filter)
		f.check(err)
		if len(jobs) != want {
			t.Errorf("%+v finds %d jobs, want %d", filter, len(jobs), want)
		}
	}
	facts := factsOf(7, "queued")
	facts.Run.WorkflowName, facts.Run.HeadBranch, facts.Labels, facts.Job.CreatedAt = nil, nil, []string{"gpu"}, nil
	f.tell(facts)
	finds(store.JobFilter{Label: "gpu"}, 1)
	finds(store.JobFilter{Workflow: "late"}, 0)
	facts.Run.WorkflowName, facts.Run.HeadBranch = new("Late"), new("b")
	facts.Job.CreatedAt, facts.Job.Status, facts.Job.Conclusion, facts.Job.RunnerName = &day, store.StatusCompleted, new("failure"), new("r")
	facts.Labels = []string{"gpu", "big"}
	f.fetch(facts)
	for _, filter := range []store.JobFilter{
		{Workflow: "late"}, {Branch: "b"}, {Label: "gpu"}, {Label: "big"}, {Conclusion: "failure"}, {Runner: "r"}, {Repository: "acme/rocket"}, {},
		{Label: "big", Branch: "b", Conclusion: "failure", Since: day},
	} {
		finds(filter, 1)
	}
	finds(store.JobFilter{Status: "queued"}, 0)
	f.exec(`UPDATE jobs SET runner_name = 'other' WHERE id = 7`)
	finds(store.JobFilter{Runner: "r"}, 0)
	finds(store.JobFilter{Runner: "other"}, 1)
	// Under the names that its repository had.
	f.repository(1, "acme", "missile")
	finds(store.JobFilter{Repository: "acme/rocket"}, 1)
	finds(store.JobFilter{Repository: "acme/MISSILE"}, 1)
	finds(store.JobFilter{Repository: "acme/missile", Repositories: []int64{2}}, 0)
}

// Where a page ends tells a reader of some repositories nothing of others.
func TestPagesTellNothingOfOtherRepositories(t *testing.T) {
	f := newFixture(t)
	f.tell(factsOf(1, "queued"))
	for id, name := range map[int64]string{2: "other", 3: "third"} {
		f.repository(id, "acme", name)
	}
	f.exec(`INSERT INTO jobs (id, run_id, repository_id, name, status, conclusion, created_at, runner_name)
		SELECT i, 2, 1, 'secret', 'completed', 'failure', '2024-01-01'::timestamptz + i * interval '1 s', 'secret-runner' FROM generate_series(2, 12000) i`)
	f.exec(`INSERT INTO jobs (id, run_id, repository_id, name, status, conclusion, created_at, runner_name)
		SELECT 20000 + i, 2, 2 + i % 2, 'mine', 'completed', CASE WHEN i % 100 = 0 THEN 'failure' ELSE 'success' END, '2024-01-01'::timestamptz + i * interval '1 s', 'runner'
		FROM generate_series(1, 11000) i`)
	f.exec(`INSERT INTO job_logs (job_id) SELECT id FROM jobs WHERE id > 1`)
	for what, c := range map[string]struct {
		filter store.JobFilter
		want   int
	}{
		"a runner of another":    {store.JobFilter{Runner: "secret-runner"}, 0},
		"an unknown runner":      {store.JobFilter{Runner: "nobody"}, 0},
		"failures, of both kind": {store.JobFilter{Conclusion: "failure"}, 110},
		"a run of both":          {store.JobFilter{RunID: 2}, 11000},
		"all":                    {store.JobFilter{}, 11000},
		"nothing together":       {store.JobFilter{Conclusion: "failure", Runner: "secret-runner"}, 0},
	} {
		for _, repositories := range [][]int64{{2, 3}, {2, 3, 77}, {2}} {
			filter := c.filter
			filter.Repositories, filter.Limit = repositories, 70
			found, pages := 0, 0
			for {
				page, err := f.db.JobPage(t.Context(), filter)
				f.check(err)
				found += len(page.Jobs)
				pages++
				for _, j := range page.Jobs {
					if j.Name != "mine" {
						t.Fatalf("%s: job %d is shown", what, j.ID)
					}
				}
				if page.Next == nil {
					break
				}
				if page.Next.ID <= 20000 {
					t.Fatalf("%s: the place %+v is another's", what, *page.Next)
				}
				filter.After = page.Next
			}
			want := c.want
			if len(repositories) == 1 {
				want = map[int]int{110: 110, 11000: 5500, 0: 0}[want]
			}
			if found != want {
				t.Errorf("%s, of %v: %d jobs on %d pages, want %d", what, repositories, found, pages, want)
			}
		}
	}
}
