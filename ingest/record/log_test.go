package record_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// A step of which the API does not say when it began may have printed lines of those beside
// it; one that was skipped has not.
func TestStepLinesOfStepsWithoutAStart(t *testing.T) {
	base := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	x := joblog.NewIndexer()
	for i, text := range []string{"Current runner version: '2.337.0'", "##[group]Run make", "ok", "Cleaning up orphan processes"} {
		x.Add(fmt.Appendf(nil, "%s %s\n", base.Add(time.Duration(i)*time.Second).Format("2006-01-02T15:04:05.0000000Z"), text))
	}
	index := x.Finish()
	step := func(number int64, name, conclusion string, from, to int) store.Step {
		s := store.Step{Number: number, Name: name, Conclusion: &conclusion}
		if to > 0 {
			start, end := base.Add(time.Duration(from)*time.Second), base.Add(time.Duration(to)*time.Second)
			s.StartedAt, s.CompletedAt = &start, &end
		}
		return s
	}
	for conclusion, certainty := range map[string]joblog.Certainty{"skipped": joblog.Exact, "success": joblog.Estimated} {
		got := record.StepLines(index, []store.Step{
			step(1, "Set up job", "success", 0, 1), step(2, "Run make", "success", 1, 3), step(3, "Run more", conclusion, 0, 0), step(4, "Complete job", "success", 3, 4),
		})
		want := []store.StepLines{{Number: 1, First: 1, Last: 1, Certainty: joblog.Exact}, {Number: 2, First: 2, Last: 3, Certainty: certainty}, {Number: 4, First: 4, Last: 4, Certainty: certainty}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", conclusion, diff)
		}
	}
}
