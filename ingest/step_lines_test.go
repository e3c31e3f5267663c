package ingest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// With its log, a job's steps get their lines and how these are known; also those that only
// a webhook told of.
func TestArchivingFindsTheLinesOfSteps(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	begun := r.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	log := ""
	step := func(n int64, name string) githubsim.Step {
		at, end := begun.Add(time.Duration(n)*5*time.Second), begun.Add(time.Duration(n)*5*time.Second+4*time.Second)
		log += fmt.Sprintf("%s ##[group]Run %s\n%[1]s ##[endgroup]\n%[1]s ##[error]broken\n", at.Format("2006-01-02T15:04:05.0000000Z"), name)
		return githubsim.Step{Number: n, Name: "Run " + name, Status: "completed", Conclusion: new("success"), StartedAt: &at, CompletedAt: &end}
	}
	steps := []githubsim.Step{step(1, "make"), step(2, "make test")}
	told := ingesttest.Completed(1, r.Now(), githubsim.TextLog([]byte(log)))
	told.Steps = steps
	untold := ingesttest.Completed(2, r.Now(), githubsim.TextLog([]byte(log)))
	untold.Omit = []string{"steps"}
	r.Know(told, untold)
	r.Exec(`INSERT INTO steps (job_id, number, name, status, conclusion, started_at, completed_at)
		SELECT 2, number, name, status, conclusion, started_at, completed_at FROM steps WHERE job_id = 1`)
	for _, id := range []int64{1, 2} {
		if does, _ := r.Try(id); does != "done" {
			t.Fatalf("job %d: %s", id, does)
		}
		archived, err := r.Archive.AdoptLog(t.Context(), archive.JobKey{RepositoryID: ingesttest.Repository.ID, RunID: 100 + id, RunAttempt: 1, JobID: id}.Log(), nil)
		r.Check(err)
		rows, err := r.DB.Steps(t.Context(), id)
		r.Check(err)
		var want, got []string
		for _, l := range record.StepLines(archived.Index, rows) {
			want = append(want, fmt.Sprintf("%d %d-%d %s", l.Number, l.First, l.Last, l.Certainty))
		}
		for _, s := range rows {
			if s.LogFirstLine == nil {
				t.Fatalf("job %d: step %d has no lines", id, s.Number)
			}
			got = append(got, fmt.Sprintf("%d %d-%d %s", s.Number, *s.LogFirstLine, *s.LogLastLine, *s.LogLines))
		}
		if diff := cmp.Diff(want, got); diff != "" || *rows[0].LogFirstLine != 1 || *rows[1].LogLastLine != 6 {
			t.Errorf("job %d: lines of steps (-want +got):\n%s%q", id, diff, got)
		}
	}
}
