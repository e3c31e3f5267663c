package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive/joblog"
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

// A log is read again for the lines of steps that were told, or told otherwise, after it was
// archived; what changes nothing costs nothing.
func TestLateStepsHaveTheLogReadAgain(t *testing.T) {
	f := newFixture(t)
	f.fetch(withSteps(2, "completed"))
	f.completed(3)
	for _, id := range []int64{2, 3} {
		s := archivedAs(id)
		s.Usage = &joblog.Usage{}
		f.settle(s)
	}
	toRead := func(what string, want ...int64) {
		t.Helper()
		logs, err := f.db.LogsToReindex(t.Context(), 0, false, 10)
		f.check(err)
		var ids []int64
		for _, l := range logs {
			if l.RawBytes != nil {
				ids = append(ids, l.JobID)
			}
		}
		if diff := cmp.Diff(want, ids); diff != "" {
			t.Errorf("%s: to be read again (-want +got):\n%s", what, diff)
		}
		f.exec(`UPDATE job_logs SET usage_version = 3`)
	}
	ended := func(edits ...func(*store.Step)) []store.Step {
		told := steps(3, "set up", "build")
		for i := range told {
			told[i].Status, told[i].Conclusion, told[i].StartedAt, told[i].CompletedAt = "completed", new("success"), new(day), new(day.Add(time.Second))
		}
		for _, edit := range edits {
			edit(&told[1])
		}
		return told
	}
	f.tell(withSteps(2, "completed", steps(2, "late")...))
	toRead("a webhook tells of the first", 2)
	f.fetch(withSteps(3, "completed", ended()...))
	toRead("the API tells of some", 3)
	f.fetch(withSteps(3, "completed", ended()...))
	f.tell(withSteps(3, "completed", steps(3, "older")...))
	toRead("nothing is new")
	f.fetch(withSteps(3, "completed", ended(func(s *store.Step) { s.Name = "make" })...))
	toRead("another name", 3)
	f.fetch(withSteps(3, "completed", ended(func(s *store.Step) { s.Name, s.CompletedAt = "make", new(day.Add(time.Minute)) })...))
	toRead("another time", 3)
	f.fetch(withSteps(3, "completed", ended()[:1]...))
	toRead("one less", 3)
}

// Lines are found for the steps that there are when they are written, not for those of
// before the log was fetched.
func TestLinesAreOfTheStepsOfTheMoment(t *testing.T) {
	f := newFixture(t)
	var given []string
	align := func(now []store.Step) []store.StepLines {
		given = nil
		for _, s := range now {
			given = append(given, s.Name)
		}
		return nil
	}
	s, digest := archivedAs(3), archivedAs(3).Object.SHA256
	s.Steps = align
	f.fetch(withSteps(3, "completed", steps(3, "set up")...))
	f.settle(s)
	if diff := cmp.Diff([]string{"set up"}, given); diff != "" {
		t.Errorf("archived (-want +got):\n%s", diff)
	}
	f.fetch(withSteps(3, "completed", steps(3, "set up", "build")...))
	_, err := f.db.RecordIndex(t.Context(), 3, digest[:], align, nil, 0)
	f.check(err)
	if diff := cmp.Diff([]string{"set up", "build"}, given); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}
}
