package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/store"
)

// ranges are lines known in every way: of steps 1 and 4 exactly, of 2 and 3 together.
var ranges = []store.StepLines{
	{Number: 1, First: 1, Last: 4, Certainty: joblog.Exact}, {Number: 2, First: 5, Last: 9, Certainty: joblog.Shared},
	{Number: 3, First: 5, Last: 9, Certainty: joblog.Shared}, {Number: 4, First: 10, Last: 12, Certainty: joblog.Exact}, {Number: 5, First: 13, Last: 20},
}

// stepLines are the lines of all steps; the place of a row changes when it is written.
func (f *fixture) stepLines(place bool) []string {
	f.t.Helper()
	return column[string](f, `SELECT concat_ws(' ', number, log_first_line, log_last_line, log_lines, CASE WHEN $1 THEN ctid END) FROM steps ORDER BY number`, place)
}

// What was read from a log takes the place of what was read before: a step whose lines are
// gone loses them, and what does not change is not written.
func TestLinesOfStepsAreReplaced(t *testing.T) {
	f := newFixture(t)
	f.fetch(withSteps(3, "completed", steps(3, "set up", "build", "lint", "test", "post", "skipped")...))
	f.settle(archivedAs(3, append(ranges, store.StepLines{Number: 99, First: 9, Last: 9})...))
	want := []string{"1 1 4 exact", "2 5 9 shared", "3 5 9 shared", "4 10 12 exact", "5 13 20 estimated", "6"}
	if diff := cmp.Diff(want, f.stepLines(false)); diff != "" {
		t.Errorf("archived (-want +got):\n%s", diff)
	}
	if got := f.steps(3); *got[1].LogLines != "shared" || got[5].LogLines != nil {
		t.Errorf("read back: %+v", got)
	}
	byJob, err := f.db.StepsWithLines(t.Context(), []int64{3})
	f.check(err)
	var order []int64
	for _, s := range byJob[3] {
		order = append(order, s.Number)
	}
	if diff := cmp.Diff([]int64{1, 2, 3, 4, 5}, order); diff != "" {
		t.Errorf("in the order of lines (-want +got):\n%s", diff)
	}
	digest := archivedAs(3).Object.SHA256
	record := func(ranges []store.StepLines) {
		t.Helper()
		recorded, err := f.db.RecordIndex(t.Context(), 3, digest[:], linesOf(ranges...), nil, 5000)
		if f.check(err); !recorded {
			t.Fatal("it was not recorded")
		}
	}
	before := f.stepLines(true)
	record(ranges)
	if diff := cmp.Diff(before, f.stepLines(true)); diff != "" {
		t.Errorf("rows were written that do not change (-before +after):\n%s", diff)
	}
	record([]store.StepLines{{Number: 1, First: 1, Last: 4, Certainty: joblog.Exact}, {Number: 2, First: 5, Last: 20}, {Number: 6, First: 21, Last: 21, Certainty: joblog.Shared}})
	want = []string{"1 1 4 exact", "2 5 20 estimated", "3", "4", "5", "6 21 21 shared"}
	if diff := cmp.Diff(want, f.stepLines(false)); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}
	if _, err := f.db.RecordIndex(t.Context(), 3, digest[:], linesOf(store.StepLines{Number: 1, First: 1, Last: 1, Certainty: "sure"}), nil, 5000); !store.IsBadData(err) {
		t.Errorf("another word: %v", err)
	}
}

// An annotation is a step's only if the step's lines are certain to be its own.
func TestAnnotationsHaveTheStepThatIsCertain(t *testing.T) {
	f := newFixture(t)
	f.fetch(withSteps(3, "completed", steps(3, "set up", "build", "lint", "test", "post")...))
	s := archivedAs(3, ranges...)
	s.Usage = &joblog.Usage{}
	for _, line := range []int64{1, 4, 5, 9, 10, 12, 13, 20, 21} {
		s.Usage.Annotations = append(s.Usage.Annotations, joblog.Annotation{Line: line, Level: joblog.Error, Message: "it broke"})
	}
	f.settle(s)
	got := column[string](f, `SELECT concat_ws(' ', log_line, step_number) FROM job_annotations ORDER BY log_line`)
	want := []string{"1 1", "4 1", "5", "9", "10 4", "12 4", "13", "20", "21"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	rows, err := f.db.RowsOfJob(t.Context(), 3)
	f.check(err)
	if diff := cmp.Diff(store.CertainSteps(ranges, s.Usage.Annotations), rows.StepOf); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}
