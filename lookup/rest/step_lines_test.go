package rest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup/rest"
	"github.com/jobvault/jobvault/store"
)

// Jobs, logs by steps and searches say how a step's lines are known; GitHub's schema still
// fits.
func TestAnswersSayHowStepsAreKnown(t *testing.T) {
	f := newFixture(t)
	f.Record(f.Facts(31, "Set up job", "build", "lint", "Post", "skipped"))
	f.Log(31, manyLines(40), store.StepLines{Number: 1, First: 1, Last: 9, Certainty: joblog.Exact}, store.StepLines{Number: 2, First: 10, Last: 30, Certainty: joblog.Shared},
		store.StepLines{Number: 3, First: 10, Last: 30, Certainty: joblog.Shared}, store.StepLines{Number: 4, First: 31, Last: 40})
	body := []byte(f.get("/repos/acme/rocket/actions/jobs/31").body)
	testenv.Validate(t, testenv.Schema(t, "job.schema.json"), body)
	type lines struct {
		First *int64  `json:"log_first_line"`
		Last  *int64  `json:"log_last_line"`
		Known *string `json:"log_lines"`
	}
	var job struct{ Steps []lines }
	f.Check(json.Unmarshal(body, &job))
	of := func(first, last int64, known string) lines { return lines{&first, &last, &known} }
	if diff := cmp.Diff([]lines{of(1, 9, "exact"), of(10, 30, "shared"), of(10, 30, "shared"), of(31, 40, "estimated"), {}}, job.Steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	for step, want := range map[string]string{"1": "1-9; exact", "2": "10-30; shared with steps 3", "4": "31-40; estimated"} {
		if got := f.log("/jobs/31/logs?step=" + step).Header.Get("X-Jobvault-Lines"); got != want {
			t.Errorf("step %s is said to be lines %q, want %q", step, got, want)
		}
	}
	answer := strings.SplitN(f.get("/search?pattern=line+1+|line+11+|line+35+").body, "\n", 4)
	for i, want := range []string{
		`"line":1,"time":"2024-07-08T16:48:09.3750041Z","step":1,"step_name":"Set up job","log_lines":"exact","text":"line 1 `,
		`"line":11,"time":"2024-07-08T16:48:09.3750041Z","step":null,"step_name":null,"log_lines":"shared","shared_by":[{"number":2,"name":"build","conclusion":"success"},{"number":3,"name":"lint","conclusion":"success"}],"text":"line 11 `,
		`"line":35,"time":"2024-07-08T16:48:09.3750041Z","step":4,"step_name":"Post","log_lines":"estimated","text":"line 35 `,
	} {
		if !strings.Contains(answer[i], want) {
			t.Errorf("%s is not in %s", want, answer[i])
		}
	}
	var last rest.SearchLine
	f.Check(json.Unmarshal([]byte(answer[3]), &last))
	if s := last.Searched; s == nil || s.Lines != 3 || s.Estimated != 1 || s.Shared != 1 {
		t.Errorf("%s", answer[3])
	}
}
