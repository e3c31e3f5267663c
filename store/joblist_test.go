package store_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/store"
)

// listed is a job as a list must show it.
type listed struct {
	store.JobSummary
	repository int64
}

// listedJobs are jobs that differ in all that a filter looks at.
func listedJobs() []listed {
	repositories := []struct{ owner, name string }{{"acme", "rocket"}, {"Acme", "Rocket_2"}, {"other", "rocket"}}
	workflows := []*string{new("CI"), new("deploy it's"), nil}
	branches := []*string{new("main"), new("Main"), new("50%_off"), nil}
	shas := []*string{new("d6fde92930d4715a2b49857d24b940956b26d2d3"), new("d6fd000000000000000000000000000000000000"), new("%_'000"), nil}
	statuses := []string{"completed", "in_progress", "queued"}
	conclusions := []*string{new("success"), new("failure"), nil}
	labels := [][]string{{"linux", "gpu"}, {"gpu"}, {}, {"li_ux", "50%"}}
	runners := []*string{new("runner-1"), new("runner_1"), nil}
	var jobs []listed
	for i := range 24 {
		r := repositories[i%3]
		j := listed{repository: int64(i%3 + 1), JobSummary: store.JobSummary{
			ID: int64(100 + i), Owner: r.owner, Repository: r.name, RunID: int64(1000 + i), RunAttempt: new(int64(1)), WorkflowName: workflows[i%3],
			HeadBranch: branches[i%4], HeadSHA: shas[i/2%4], Name: fmt.Sprint("job ", i), Status: statuses[i/3%3], Conclusion: conclusions[i/2%3],
			CreatedAt: new(day.Add(time.Duration(i*7%24/2) * time.Hour)), StartedAt: new(day), RunnerName: runners[i/4%3],
			Labels: labels[i%4], LogState: allStates[i%len(allStates)],
		}}
		if i%11 == 10 {
			j.CreatedAt = nil
		}
		if j.LogState == store.LogArchived {
			o := archivedAs(j.ID).Object
			j.RawBytes, j.Lines = &o.RawBytes, &o.Lines
		}
		jobs = append(jobs, j)
	}
	// The newest first; of two at one time the one with the greater id; at last
	// those whose time is not known.
	slices.SortFunc(jobs, func(a, b listed) int {
		switch {
		case a.CreatedAt == nil && b.CreatedAt == nil:
			return cmp.Compare(b.ID, a.ID)
		case a.CreatedAt == nil:
			return 1
		case b.CreatedAt == nil:
			return -1
		}
		return cmp.Or(b.CreatedAt.Compare(*a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	return jobs
}

func (f *fixture) list(jobs []listed) {
	f.t.Helper()
	for _, j := range jobs {
		f.fetch(store.Facts{
			Repository: store.Repository{ID: j.repository, Owner: j.Owner, Name: j.Repository, SeenAt: day},
			Run:        store.WorkflowRun{ID: j.RunID, RepositoryID: j.repository, WorkflowName: j.WorkflowName, HeadBranch: j.HeadBranch, HeadSHA: j.HeadSHA},
			Job: store.Job{
				ID: j.ID, RunID: j.RunID, RunAttempt: j.RunAttempt, RepositoryID: j.repository, Name: j.Name, Status: j.Status,
				Conclusion: j.Conclusion, CreatedAt: j.CreatedAt, StartedAt: j.StartedAt, RunnerName: j.RunnerName,
			},
			Labels: j.Labels,
		})
		f.settle(settledAs(j.ID, j.LogState))
	}
}

// matches is what the documentation of JobFilter says.
func matches(f store.JobFilter, j listed) bool {
	is := func(want string, got *string) bool { return want == "" || got != nil && *got == want }
	owner, name, both := strings.Cut(f.Repository, "/")
	if !both {
		owner, name = "", owner
	}
	return (owner == "" || strings.EqualFold(owner, j.Owner)) && (name == "" || strings.EqualFold(name, j.Repository)) &&
		(f.Workflow == "" || j.WorkflowName != nil && strings.EqualFold(f.Workflow, *j.WorkflowName)) &&
		is(f.Branch, j.HeadBranch) && (f.SHA == "" || j.HeadSHA != nil && strings.HasPrefix(*j.HeadSHA, strings.ToLower(f.SHA))) &&
		is(f.Status, &j.Status) && is(f.Conclusion, j.Conclusion) && is(f.Runner, j.RunnerName) && is(f.LogState, &j.LogState) &&
		(f.Label == "" || slices.Contains(j.Labels, f.Label)) && (f.RunID == 0 || f.RunID == j.RunID) &&
		(f.Since.IsZero() || j.CreatedAt != nil && !j.CreatedAt.Before(f.Since)) &&
		(f.Until.IsZero() || j.CreatedAt != nil && j.CreatedAt.Before(f.Until))
}

func wantJobs(f store.JobFilter, all []listed) []store.JobSummary {
	var out []store.JobSummary
	for _, j := range all {
		if matches(f, j) && (f.Limit <= 0 || len(out) < f.Limit) {
			out = append(out, j.JobSummary)
		}
	}
	return out
}

func TestEachFilterAlone(t *testing.T) {
	f := newFixture(t)
	all := listedJobs()
	f.list(all)
	for _, c := range []struct {
		name   string
		filter store.JobFilter
		want   int // how many; the model says which
	}{
		{"none", store.JobFilter{}, 24},
		{"owner and name", store.JobFilter{Repository: "acme/rocket"}, 8},
		{"owner and name in other letters", store.JobFilter{Repository: "ACME/rOCKET"}, 8},
		{"a name of two owners", store.JobFilter{Repository: "Rocket"}, 16},
		{"an underscore is one", store.JobFilter{Repository: "acme/rocket_2"}, 8},
		{"and no other character", store.JobFilter{Repository: "acme/rocke_"}, 0},
		{"no such repository", store.JobFilter{Repository: "acme/none"}, 0},
		{"two slashes", store.JobFilter{Repository: "acme/rocket/x"}, 0},
		{"workflow", store.JobFilter{Workflow: "ci"}, 8},
		{"a workflow with a quote", store.JobFilter{Workflow: "Deploy it's"}, 8},
		{"branch", store.JobFilter{Branch: "main"}, 6},
		{"a branch with signs", store.JobFilter{Branch: "50%_off"}, 6},
		{"a branch is no pattern", store.JobFilter{Branch: "%"}, 0},
		{"whole commit", store.JobFilter{SHA: "d6fde92930d4715a2b49857d24b940956b26d2d3"}, 6},
		{"its beginning", store.JobFilter{SHA: "D6FD"}, 12},
		{"longer than a commit", store.JobFilter{SHA: "d6fde92930d4715a2b49857d24b940956b26d2d30"}, 0},
		{"a percent sign", store.JobFilter{SHA: "%"}, 6},
		{"signs and a quote", store.JobFilter{SHA: "%_'0"}, 6},
		{"an underscore", store.JobFilter{SHA: "_6fd"}, 0},
		{"a backslash", store.JobFilter{SHA: `\`}, 0},
		{"status", store.JobFilter{Status: "queued"}, 6},
		{"conclusion", store.JobFilter{Conclusion: "failure"}, 8},
		{"label", store.JobFilter{Label: "gpu"}, 12},
		{"a label with signs", store.JobFilter{Label: "50%"}, 6},
		{"a label is no pattern", store.JobFilter{Label: "l_nux"}, 0},
		{"runner", store.JobFilter{Runner: "runner_1"}, 8},
		{"state of the log", store.JobFilter{LogState: "denied"}, 3},
		{"run", store.JobFilter{RunID: 1007}, 1},
		{"SQL", store.JobFilter{Branch: "' OR true --"}, 0},
		{"more SQL", store.JobFilter{Repository: "x'; DROP TABLE jobs; --/$1"}, 0},
		{"a place holder", store.JobFilter{Runner: "?", Label: "$1"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := f.db.Jobs(t.Context(), c.filter)
			f.check(err)
			if diff := gocmp.Diff(wantJobs(c.filter, all), got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(got) != c.want {
				t.Errorf("%d jobs, want %d", len(got), c.want)
			}
		})
	}
}

func TestTimesSelectFromSinceUntilBefore(t *testing.T) {
	f := newFixture(t)
	f.list(listedJobs())
	for _, c := range []struct {
		since, until time.Time
		want         int
	}{
		{day, time.Time{}, 22}, // not those whose time is not known
		{time.Time{}, day.AddDate(1, 0, 0), 22},
		{day.Add(time.Hour), day.Add(2 * time.Hour), 1},
		{day.Add(time.Hour + time.Microsecond), day.Add(2 * time.Hour), 0},
		{day.Add(time.Hour).In(time.FixedZone("", -5*60*60)), day.Add(2 * time.Hour).In(time.FixedZone("", 9*60*60)), 1},
		{day, day, 0},
	} {
		got, err := f.db.Jobs(t.Context(), store.JobFilter{Since: c.since, Until: c.until})
		f.check(err)
		if len(got) != c.want {
			t.Errorf("from %s to %s: %d jobs, want %d", c.since, c.until, len(got), c.want)
		}
	}
}

func TestFiltersTogetherSelectWhatAllOfThemDo(t *testing.T) {
	f := newFixture(t)
	all := listedJobs()
	f.list(all)
	rapid.Check(t, func(rt *rapid.T) {
		text := func(name string, values ...string) string {
			return rapid.SampledFrom(append(values, "", "", "")).Draw(rt, name)
		}
		at := func(name string) time.Time {
			hours := rapid.IntRange(-1, 12).Draw(rt, name)
			if hours < 0 {
				return time.Time{}
			}
			return day.Add(time.Duration(hours) * time.Hour)
		}
		filter := store.JobFilter{
			Repository: text("repository", "acme/rocket", "rocket", "/", "acme/"), Workflow: text("workflow", "ci"), Branch: text("branch", "main"),
			SHA: text("commit", "d6fd", "%_"), Status: text("status", "completed", "queued"), Conclusion: text("conclusion", "success"),
			Label: text("label", "gpu"), Runner: text("runner", "runner-1"), LogState: text("state", allStates...),
			RunID: rapid.SampledFrom([]int64{0, 0, 0, 1003}).Draw(rt, "run"), Limit: rapid.IntRange(-1, 9).Draw(rt, "limit"),
		}
		if filter.Repository == "/" || filter.Repository == "acme/" {
			filter.Repository = "" // no names
		}
		filter.Since, filter.Until = at("since"), at("until")
		got, err := f.db.Jobs(t.Context(), filter)
		f.check(err)
		if diff := gocmp.Diff(wantJobs(filter, all), got, cmpopts.EquateEmpty()); diff != "" {
			rt.Errorf("%+v (-want +got):\n%s", filter, diff)
		}
	})
}

func TestListEndsAtItsLimit(t *testing.T) {
	f := newFixture(t)
	f.tell(factsOf(1, "queued"))
	f.exec(`INSERT INTO jobs (id, run_id, repository_id, name, status, created_at)
		SELECT i, 2, 1, 'build', 'queued', '2024-01-01'::timestamptz + i * interval '1 s' FROM generate_series(2, 150) i`)
	f.exec(`INSERT INTO job_logs (job_id) SELECT id FROM jobs WHERE id > 1`)
	for limit, want := range map[int]int{0: 100, -1: 100, 1: 1, 120: 120, 1000: 150} {
		got, err := f.db.Jobs(t.Context(), store.JobFilter{Limit: limit})
		f.check(err)
		if len(got) != want || got[0].ID != 150 {
			t.Errorf("limit %d: %d jobs, the first %d", limit, len(got), got[0].ID)
		}
	}
}
