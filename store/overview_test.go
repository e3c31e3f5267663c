package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/store"
)

func TestOverviewCountsAndRanks(t *testing.T) {
	f := newFixture(t)
	for i := range int64(20) {
		facts := factsOf(100+i, store.StatusCompleted)
		created := day.AddDate(0, 0, -int(i%4))
		facts.Job.Name, facts.Job.RunnerID = "build", new(int64(1))
		facts.Job.CreatedAt, facts.Job.StartedAt, facts.Job.CompletedAt = &created, new(created.Add(30*time.Second)), new(created.Add(2*time.Minute))
		facts.Job.Conclusion = new("success")
		facts.Steps = []store.Step{{JobID: facts.Job.ID, Number: 1, Name: "compile", Status: "completed", Conclusion: new("success"), StartedAt: &created, CompletedAt: new(created.Add(time.Minute))}}
		switch i {
		case 0, 5:
			facts.Job.Conclusion = new("failure")
		case 1:
			facts.Job.Conclusion = new("skipped") // neither
		case 2: // its clock runs backwards
			facts.Job.StartedAt, facts.Job.CompletedAt = new(created.Add(-time.Hour)), new(created.Add(-2*time.Hour))
		case 3: // never had a runner
			facts.Job.RunnerID = nil
		}
		f.fetch(facts)
		if i == 4 { // listed once more with a later attempt: it counts once
			facts.Job.ID, facts.Job.RunAttempt = 900, new(int64(2))
			facts.Steps[0].JobID = 900
			f.exec(`UPDATE jobs SET run_attempt = 1, runner_name = 'runner' WHERE id = 104`)
			facts.Job.RunnerName = new("runner")
			f.fetch(facts)
		}
	}
	first := day.AddDate(0, 0, -3).Truncate(24 * time.Hour)
	days, err := f.db.DailyFigures(t.Context(), store.Overview{Since: first})
	f.check(err)
	queued, ran := new(30.0), new(90.0)
	var want []store.DayFigures
	for i := range 4 {
		d := store.DayFigures{Day: first.AddDate(0, 0, i), Jobs: 5, Succeeded: 5, QueueP50: queued, QueueP95: queued, RunP50: ran, RunP95: ran}
		switch 3 - i {
		case 0:
			d.Succeeded, d.Failed = 4, 1
		case 1:
			d.Succeeded, d.Failed = 3, 1
		}
		want = append(want, d)
	}
	if diff := cmp.Diff(want, days); diff != "" {
		t.Errorf("days (-want +got):\n%s", diff)
	}
	slow, failing, err := f.db.HeavyJobs(t.Context(), store.Overview{Since: first})
	f.check(err)
	if len(slow) != 1 || slow[0].Job != "build" || slow[0].Times != 18 || slow[0].P95 != 90 || len(failing) != 1 || failing[0].Failed != 2 {
		t.Errorf("jobs: %+v, %+v", slow, failing)
	}
	slow, failing, err = f.db.HeavySteps(t.Context(), store.Overview{Since: first, Repositories: []int64{1}})
	f.check(err)
	if len(slow) != 1 || slow[0].Step != "compile" || slow[0].Times != 20 || slow[0].P95 != 60 || len(failing) != 0 {
		t.Errorf("steps: %+v, %+v", slow, failing)
	}
	slow, _, err = f.db.HeavySteps(t.Context(), store.Overview{Since: first, Repositories: []int64{}})
	f.check(err)
	if len(slow) != 0 {
		t.Errorf("of no repository: %+v", slow)
	}
}
