package main

import (
	"testing"

	"github.com/jobvault/jobvault/store"
)

// The table of jobs says which did not run again, and which attempt they ran in.
func TestRunOfAJobMarksWhatIsCarriedOver(t *testing.T) {
	t.Parallel()
	for want, j := range map[string]store.JobSummary{
		"7":                          {RunID: 7, RunAttempt: new(int64(1))},
		"8":                          {RunID: 8},
		"7#3":                        {RunID: 7, RunAttempt: new(int64(3))},
		"7#3 carried over from #1":   {RunID: 7, RunAttempt: new(int64(3)), CarriedOverFrom: new(int64(1)), CarriedOverFromAttempt: new(int64(1))},
		"7#12 carried over from #10": {RunID: 7, RunAttempt: new(int64(12)), CarriedOverFrom: new(int64(1)), CarriedOverFromAttempt: new(int64(10))},
	} {
		if got := runOf(j); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
