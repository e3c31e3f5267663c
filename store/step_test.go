package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/store"
)

func withSteps(job int64, status string, steps ...store.Step) store.Facts {
	return factsOf(job, status, func(f *store.Facts) { f.Steps = steps })
}

func (f *fixture) steps(job int64) []store.Step {
	f.t.Helper()
	steps, err := f.db.Steps(f.t.Context(), job)
	f.check(err)
	return steps
}

// stepNames are the steps of a job as "number name".
func (f *fixture) stepNames(job int64) []string {
	f.t.Helper()
	var out []string
	for _, s := range f.steps(job) {
		out = append(out, fmt.Sprint(s.Number, " ", s.Name))
	}
	return out
}

func TestStepsComeBackByNumber(t *testing.T) {
	f := newFixture(t)
	at := func(seconds int) *time.Time { return new(day.Add(time.Duration(seconds) * time.Second)) }
	want := []store.Step{
		{JobID: 3, Number: 0, Name: "", Status: "completed"},
		{JobID: 3, Number: 2, Name: "Run it's 🚀", Status: "completed", Conclusion: new("success"), StartedAt: at(1), CompletedAt: at(2)},
		{JobID: 3, Number: 14, Name: "Post", Status: "in_progress", StartedAt: at(3)},
	}
	f.tell(withSteps(3, "in_progress", want[2], want[0], want[1]), withSteps(4, "queued", steps(4, "of another job")...))
	if diff := cmp.Diff(want, f.steps(3)); diff != "" {
		t.Errorf("(-told +kept):\n%s", diff)
	}
	if got := f.steps(99); len(got) != 0 {
		t.Errorf("an unknown job has steps: %v", got)
	}
}

func TestNewerStepsReplaceTheOldOnes(t *testing.T) {
	f := newFixture(t)
	f.tell(withSteps(3, "in_progress", steps(3, "set up", "build", "old")...))
	f.tell(withSteps(4, "in_progress", steps(4, "untouched")...))
	f.tell(withSteps(3, "in_progress", steps(3, "set up", "build it")...))
	if diff := cmp.Diff([]string{"1 set up", "2 build it"}, f.stepNames(3)); diff != "" {
		t.Errorf("after a webhook (-want +got):\n%s", diff)
	}
	f.fetch(withSteps(3, "completed", steps(3, "set up", "build it", "post")...))
	if diff := cmp.Diff([]string{"1 set up", "2 build it", "3 post"}, f.stepNames(3)); diff != "" {
		t.Errorf("after a fetch (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"1 untouched"}, f.stepNames(4)); diff != "" {
		t.Errorf("of the other job (-want +got):\n%s", diff)
	}
}

func TestFactsWithoutStepsSayNothingOfThem(t *testing.T) {
	f := newFixture(t)
	f.tell(withSteps(3, "in_progress", steps(3, "set up")...), factsOf(3, "completed"))
	f.fetch(factsOf(3, "completed"))
	if diff := cmp.Diff([]string{"1 set up"}, f.stepNames(3)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOldStepsCountOnlyWhereThereAreNone(t *testing.T) {
	f := newFixture(t)
	f.tell(factsOf(3, "completed"), withSteps(3, "in_progress", steps(3, "set up")...), withSteps(3, "in_progress", steps(3, "late", "later")...))
	f.fetch(factsOf(4, "completed"))
	f.tell(withSteps(4, "completed", steps(4, "set up")...), withSteps(4, "completed", steps(4, "late", "later")...))
	for _, job := range []int64{3, 4} {
		if diff := cmp.Diff([]string{"1 set up"}, f.stepNames(job)); diff != "" {
			t.Errorf("job %d (-want +got):\n%s", job, diff)
		}
	}
}

func TestAStepsValuesAreNotReplacedByNull(t *testing.T) {
	f := newFixture(t)
	known := store.Step{JobID: 3, Number: 1, Name: "set up", Status: "completed", Conclusion: new("success"), StartedAt: new(day), CompletedAt: new(day)}
	f.tell(withSteps(3, "in_progress", known), withSteps(3, "completed", steps(3, "set up")...))
	if diff := cmp.Diff([]store.Step{known}, f.steps(3)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestANumberThatMeansAnotherStepTakesNothingOver(t *testing.T) {
	f := newFixture(t)
	f.tell(withSteps(3, "in_progress", store.Step{
		JobID: 3, Number: 2, Name: "build", Status: "completed", Conclusion: new("failure"), StartedAt: new(day), CompletedAt: new(day),
	}))
	want := store.Step{JobID: 3, Number: 2, Name: "deploy", Status: "queued"}
	f.tell(withSteps(3, "in_progress", want))
	if diff := cmp.Diff([]store.Step{want}, f.steps(3)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReplacedStepsKeepTheirLogLines(t *testing.T) {
	f := newFixture(t)
	f.fetch(withSteps(3, "completed", steps(3, "set up", "build")...))
	f.settle(archivedAs(3, store.StepLines{Number: 1, First: 1, Last: 4}, store.StepLines{Number: 2, First: 5, Last: 9}))
	f.fetch(withSteps(3, "completed", steps(3, "set up", "build", "post")...))
	f.tell(withSteps(3, "completed", steps(3, "late")...))
	want := steps(3, "set up", "build", "post")
	want[0].LogFirstLine, want[0].LogLastLine, want[0].LogLines = new(int64(1)), new(int64(4)), new("estimated")
	want[1].LogFirstLine, want[1].LogLastLine, want[1].LogLines = new(int64(5)), new(int64(9)), new("estimated")
	if diff := cmp.Diff(want, f.steps(3)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
