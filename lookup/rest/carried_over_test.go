package rest_test

import (
	"encoding/json"
	"testing"

	"github.com/jobvault/jobvault/lookup/rest"
)

// A job that did not run again says which one did: in its own answer under a key that
// GitHub does not have, which other jobs leave out, and in the list of all jobs.
func TestCarriedOverJobsSayWhichRan(t *testing.T) {
	f := newFixture(t)
	ran, copied := f.Facts(101), f.Facts(102)
	copied.Job.Name, copied.Job.RunAttempt = ran.Job.Name, new(int64(2))
	f.Record(ran)
	f.Record(copied)
	for path, want := range map[string]any{"/repos/acme/rocket/actions/jobs/101": nil, "/repos/acme/rocket/actions/jobs/102": 101.0} {
		var job map[string]any
		f.Check(json.Unmarshal([]byte(f.get(path).body), &job))
		if from, there := job["carried_over_from"]; from != want || there != (want != nil) {
			t.Errorf("%s: carried over from %v, want %v", path, from, want)
		}
	}
	var list rest.JobList
	f.Check(json.Unmarshal([]byte(f.get("/jobs").body), &list))
	if len(list.Jobs) != 2 {
		t.Fatalf("%d jobs", len(list.Jobs))
	}
	for _, j := range list.Jobs {
		if carried := j.ID == 102; carried != (j.CarriedOverFrom != nil && *j.CarriedOverFrom == 101 && *j.CarriedOverFromAttempt == 1) {
			t.Errorf("job %d: %v, attempt %v", j.ID, j.CarriedOverFrom, j.CarriedOverFromAttempt)
		}
	}
}
