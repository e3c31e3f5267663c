package lookup_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

// A step's lines come with the word for how they are known, and with the steps that have
// them too.
func TestLinesOfAStepSayHowTheyAreKnown(t *testing.T) {
	f := newFixture(t)
	f.job(3, "set up", "build", "lint", "post", "skipped")
	f.archive(3, manyLines(40), store.StepLines{Number: 1, First: 1, Last: 9, Certainty: joblog.Exact}, store.StepLines{Number: 2, First: 10, Last: 30, Certainty: joblog.Shared},
		store.StepLines{Number: 3, First: 10, Last: 30, Certainty: joblog.Shared}, store.StepLines{Number: 4, First: 31, Last: 40})
	log, err := f.logs.Find(t.Context(), 3)
	f.check(err)
	for step, want := range map[int64]string{1: "1-9; exact", 2: "10-30; shared with steps 3", 3: "10-30; shared with steps 2", 4: "31-40; estimated"} {
		got, err := f.logs.Lines(t.Context(), log, lookup.Selection{Step: &step})
		f.check(err)
		if got.String() != want {
			t.Errorf("step %d: %s, want %s", step, got, want)
		}
	}
	got, err := f.logs.Lines(t.Context(), log, lookup.Selection{First: 5, Last: 50})
	f.check(err)
	if diff := cmp.Diff(lookup.Lines{First: 5, Last: 40}, got); diff != "" || got.String() != "5-40" {
		t.Errorf("lines of no step (-want +got):\n%s%s", diff, got)
	}
	many := lookup.Lines{First: 1, Last: 2, Known: joblog.Shared, SharedWith: make([]int64, 25)}
	if got, want := many.String(), "1-2; shared with steps 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 and 5 more"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// So do those in the ledger's account in a package of evidence.
func TestEvidenceSaysHowLinesAreKnown(t *testing.T) {
	f := newFixture(t)
	f.job(3, "set up", "skipped")
	f.archive(3, manyLines(2), store.StepLines{Number: 1, First: 1, Last: 2, Certainty: joblog.Exact})
	d, err := f.db.JobDetails(t.Context(), 3)
	f.check(err)
	b, err := json.Marshal(lookup.LedgerOf(d))
	f.check(err)
	var ledger struct{ Steps []map[string]any }
	f.check(json.Unmarshal(b, &ledger))
	want := []map[string]any{
		{"number": 1.0, "name": "set up", "conclusion": "success", "log_first_line": 1.0, "log_last_line": 2.0, "log_lines": "exact"},
		{"number": 2.0, "name": "skipped", "conclusion": "success", "log_first_line": nil, "log_last_line": nil, "log_lines": nil},
	}
	if diff := cmp.Diff(want, ledger.Steps); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
